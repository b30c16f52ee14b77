/* What there is: snapshots that can be found without their ids, and a division that is none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, call, node, pictures, settled, sql, visit } from "./lib.mjs";

const ids = [];
for (let i = 0; i < 23; i++)
    ids.push((await call("POST", "/reason/snapshot", { rootNodeIds: [await node("decision", "lister", { text: `listed ${i}` })], description: `what was listed ${i}` }, "kernel", { Prefer: "wait=20" })).snapshotId);

test("one finds a snapshot in the list of those that exist, the newest first, and pages on", async () => {
    const { page, faults, close } = await visit("#/freeze");
    const list = page.getByRole("region", { name: "Snapshots that exist" });
    await list.getByText("20 snapshots, more follow, the newest first").waitFor();
    assert.deepEqual((await list.locator(".note").allTextContents()).slice(0, 3), [22, 21, 20].map((i) => `what was listed ${i}`));
    assert.match(await list.locator("li").first().textContent(), /made .* UTC, 1 node, 0 edges, in division default/);
    await page.screenshot({ path: pictures + "/snapshots.png", fullPage: true });
    await page.evaluate(axe);
    assert.deepEqual((await page.evaluate(() => window.axe.run())).violations.map(({ id }) => id), []);
    await list.getByRole("link", { name: "Next page" }).click();
    await list.getByText(/^further \d+ snapshots?, the newest first$/).waitFor();
    await list.getByRole("link", { name: /what was listed 2 / }).click();
    await page.waitForURL(new RegExp(`#/snapshot/${ids[2]}`));
    await page.getByRole("button", { name: "Verify here" }).waitFor();
    assert.deepEqual(faults, []);
    await close();
});

test("a division that is unknown, or not to be seen, is told as that; one in which nothing is found is not", async () => {
    sql("SELECT reason.add_node('score', '{\"text\": \"elsewhere\"}', 'seeker', division => 'of-others')");
    const { page, close } = await visit("#/find", { client: "masked" }), told = page.getByText(/is unknown, or this certificate may not see it/);
    const words = [];
    for (const division of ["of-others", "of-nobody"]) {
        await page.goto(`${process.env.REASON_URL}/ui/#/find?division=${division}`);
        await page.getByText("Nothing was found.").waitFor();
        await told.filter({ hasText: division }).waitFor();
        words.push((await told.textContent()).replace(division, "…"));
    }
    assert.deepEqual(words, Array(2).fill("The division “…” is unknown, or this certificate may not see it. It sees default."));
    await page.goto(`${process.env.REASON_URL}/ui/#/find?division=default&text=nothing-has-this-text`);
    await page.getByText("Nothing was found.").waitFor();
    await settled(page);
    await page.waitForTimeout(1000);
    assert.equal(await told.count(), 0);
    await page.goto(`${process.env.REASON_URL}/ui/#/freeze?division=of-others`);
    await told.waitFor();
    await close();
});
