/* What a person sees of a division that lives in another cell: run.py --cells. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, picture, visit } from "./lib.mjs";

const address = (place) => `${process.env.REASON_URL}/ui/${place}`;

test("what lives in another cell is found, drawn, noted, frozen and proved as what lives here", async () => {
    const seen = (await call("POST", "/d/acme/reason/node", { type: "observation", author: "probe", payload: { text: "seen in the other cell" } })).nodeId;
    const decided = (await call("POST", "/d/acme/reason/node", { type: "decision", author: "kernel", payload: { text: "decided there" } })).nodeId;
    await call("POST", "/d/acme/reason/edge", { from: seen, to: decided, type: "causal", weight: 0.5 });
    const { page, faults, close } = await visit("#/find");
    await page.locator("datalist option[value=acme]").waitFor({ state: "attached" });
    await page.getByLabel("Division").fill("acme");
    await page.getByRole("button", { name: "Find" }).click();
    await page.locator(".results li").filter({ hasText: "decided there" }).getByRole("link").click();
    await picture(page);
    await page.goto(address(`#/why/${decided}?division=acme&view=tree&select=${decided}`));
    await page.getByRole("treeitem").filter({ hasText: "seen in the other cell" }).waitFor();
    await page.getByLabel("Add a note; it stays for ever").fill("noted from here");
    await page.getByRole("button", { name: "Annotate" }).click();
    await page.getByRole("article").getByText("noted from here").waitFor();
    await page.goto(address(`#/impact/${seen}?division=acme`));
    await page.getByText("decided there").waitFor();
    await page.goto(address("#/health"));
    await page.getByText(/log\.example\.org\/away\/acme/).waitFor();
    await page.goto(address(`#/freeze/${decided}?division=acme`));
    await page.getByRole("button", { name: "Freeze" }).click();
    await page.waitForURL(/#\/snapshot\//);
    await page.getByRole("button", { name: "Verify here" }).click({ timeout: 60000 });
    await page.locator("[data-verdict=verified]").waitFor();
    await page.getByText("away").first().waitFor();
    assert.deepEqual(faults, []);
    await close();
});
