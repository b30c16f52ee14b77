/* What the explorer tells of itself: what marks and forms mean, what a tab shows, what was noted. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { call, edge, node, picture, pictures, printed, settled, story, visit } from "./lib.mjs";

const { env } = process, ids = await story();
const why = (id, parameters = "") => `#/why/${id}${parameters}`;

/* A point of the screen for one of the picture as it is printed, whichever part is seen. */
async function onScreen(page, { x, y }) {
    return page.evaluate(([px, py]) => {
        const { left, top } = document.querySelector("canvas").getBoundingClientRect();
        return { left, top, px, py };
    }, [x, y]);
}

test("who points at an edge or a card is told what its numbers and times are, each by its name", async () => {
    const { page, close } = await visit(why(ids.decision)), canvas = page.locator("canvas"), hint = page.getByRole("tooltip");
    await picture(page);
    const { left, top } = await onScreen(page, { x: 0, y: 0 }), { width, height } = await canvas.boundingBox(), told = new Set();
    for (let y = 8; y < height; y += 12)
        for (let x = 8; x < width; x += 24) {
            await page.mouse.move(left + x, top + y);
            if (await hint.count() > 0)
                told.add(await hint.textContent());
        }
    const all = [...told].join("\n");
    assert.match(all, /contradicts, weight 0\.4: so much its cause counts for its effect, as the author of the edge states it, 1 where nothing is stated; recorded 20\d\d-/);
    assert.match(all, /observation by sensor:eu-1, recorded 20\d\d-.* UTC, occurred 2026-11-28 09:59:58 UTC by its author's word, confidence 0\.97, as its author states it/);
    assert.match(all, /policyCheck by sentinelnet, recorded .*, no confidence stated/);
    // Seven edges, eight records, each with words of its own.
    assert.equal(told.size, 15);
    await page.mouse.move(left - 5, top - 40);
    await hint.waitFor({ state: "detached" });
    await close();
});

test("times, confidence and weights are named where they stand, and a list tells what the marks mean", async () => {
    const { page, close } = await visit(why(ids.decision, `?select=${ids.score}`));
    await picture(page);
    const { texts } = await printed(page);
    assert.equal(texts.filter(({ text }) => /^recorded 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC$/.test(text)).length, 8);
    assert.equal(texts.filter(({ text }) => /^confidence 0\.\d+$/.test(text)).length, 7);
    assert.match(await page.getByRole("article").textContent(), /derivedFrom, weight 0\.9/);
    await page.getByText("What the marks mean").focus();
    await page.keyboard.press("Enter");
    await page.getByText("So much the cause counts for the effect").waitFor();
    await page.getByRole("tab", { name: "Tree" }).click();
    await page.getByRole("treeitem").filter({ hasText: /by model:anomaly-7, recorded 20.* UTC, confidence 0\.88/ }).waitFor();
    await page.getByTitle("derivedFrom, weight 0.9: so much its cause counts for its effect").waitFor();
    await close();
});

test("what was noted says so in picture, tree, timeline and on paper, as of the time that is looked at, and at once where one notes it", async () => {
    const cause = await node("observation", "noter", { text: "seen and noted" }), end = await node("decision", "noter", { text: "decided and noted" }), { createdAt } = await edge(cause, end, "supports");
    await call("POST", `/reason/annotate/${cause}`, { note: "it is, \"so to say\",\r\nright" });
    const { page, close } = await visit(why(end, "?view=tree"));
    await page.getByRole("treeitem").filter({ hasText: /seen and noted.*noted$/ }).waitFor();
    assert.doesNotMatch(await page.getByRole("treeitem").first().textContent(), /noted$/);
    await page.getByRole("tab", { name: "Timeline" }).click();
    await page.locator(".timeline li").filter({ hasText: /seen and noted.*noted\s*$/ }).waitFor();
    await page.getByRole("tab", { name: "Picture" }).click();
    const counted = async (wanted) => {
        for (const until = Date.now() + 120000; ; await page.waitForTimeout(100)) {
            const found = (await printed(page)).texts.filter(({ text }) => text === "noted").length;
            if (found === wanted || Date.now() > until)
                return found;
        }
    };
    await page.locator("canvas").waitFor();
    assert.equal(await counted(1), 1);
    await page.goto(`${env.REASON_URL}/ui/${why(end, `?select=${end}`)}`);
    await page.getByLabel("Add a note; it stays for ever").fill("agreed by telephone");
    await page.getByRole("button", { name: "Annotate" }).click();
    assert.equal(await counted(2), 2);
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    assert.match(await page.locator(".why > .paper").textContent(), /seen and noted.*noted/);
    await page.goto(`${env.REASON_URL}/ui/${why(end, `?view=tree&asOf=${createdAt}`)}`);
    await settled(page);
    await page.getByText(/as it was known at/).waitFor();
    await page.waitForFunction(() => document.querySelectorAll("[role=treeitem]").length === 2 && ![...document.querySelectorAll("[role=treeitem] .state")].some((state) => state.textContent === "noted"));
    await close();
});

test("the form of a snapshot says what it will do, for whom, and what it does not take, before it is sent", async () => {
    const { page, asked, close } = await visit(`#/freeze/${ids.decision}`), freeze = page.getByRole("button", { name: "Freeze", exact: true });
    await page.getByText(/A snapshot holds these records .* as they are now\. .* It needs a certificate of the role writer or auditor/).waitFor();
    await page.getByText("1 node named").waitFor();
    assert.ok(await freeze.isEnabled());
    await page.getByLabel("Ids of nodes, 1 to 32").fill(Array.from({ length: 33 }, () => crypto.randomUUID()).join("\n"));
    await page.getByText("33 nodes are named; a snapshot has 32 at most.").waitFor();
    assert.ok(await freeze.isDisabled());
    await page.getByLabel("Ids of nodes, 1 to 32").fill(`${ids.decision}, 12345`);
    await page.getByText("\"12345\" is not the id of a record: it is to be a UUID.").waitFor();
    assert.ok(await freeze.isDisabled());
    await page.getByLabel("Ids of nodes, 1 to 32").fill(`${ids.decision}, ${ids.score}`);
    await page.getByText("2 nodes named").waitFor();
    assert.equal(await page.getByLabel(/^Description, up to 4,096 characters/).getAttribute("maxlength"), "4096");
    const depth = page.getByLabel("Depth, 0 to 10,000 edges");
    await depth.fill("10001");
    await freeze.click();
    assert.equal(await depth.evaluate((input) => input.checkValidity()), false);
    assert.deepEqual(asked.filter((url) => url.endsWith("/reason/snapshot")), []);
    await close();
});

test("the field for a note says under whose name it is recorded, for whom, for how long, and how much it takes", async () => {
    const { page, close } = await visit(why(ids.decision, `?select=${ids.policy}`)), field = page.getByLabel("Add a note; it stays for ever");
    await page.getByText(/recorded under the name of your certificate, which needs the role writer, and is shown to all who see this record.*Up to 256 kB/).waitFor();
    await field.fill("w".repeat(200 * 1024));
    await page.getByText("this is 201 kB").waitFor();
    await field.fill("\u00e9".repeat(130 * 1024));
    await page.getByText("this is 261 kB").waitFor();
    await close();
});

test("a tab says what it shows", async () => {
    const freeze = async (more) => (await call("POST", "/reason/snapshot", { rootNodeIds: [ids.decision], ...more }, "kernel", { Prefer: "wait=30" })).snapshotId;
    const described = await freeze({ description: "why release 2026.48 was rolled back" }), bare = await freeze({});
    for (const [place, title] of [["#/find", /^Find · Reasoning Graph$/], ["#/health", /^Health · /], [`#/freeze/${ids.decision}`, /^Freeze and prove /], [why(ids.decision), /^roll back release 2026\.48 · /], [why(ids.latency, "?direction=descendants"), /^What came of latency of checkout/],
        [`#/impact/${ids.latency}`, /^What rests on .*latency of checkout/], [`#/compare?a=${ids.recommendation}&b=${ids.decision}`, /^roll the index back compared with roll back release 2026\.48 · /], [`#/compare?a=${described}&b=${ids.decision}`, /^snapshot [0-9a-f]{8}….{4} compared with roll back/],
        [`#/compare?a=${ids.decision}&asOfA=2099-01-01T00:00&asOfB=2099-01-02T00:00`, /^roll back release 2026\.48 at two times · /], [`#/snapshot/${described}`, /^Snapshot why release 2026\.48 was rolled back · /], [`#/snapshot/${bare}`, new RegExp(`^Snapshot ${bare} · `)]]) {
        const { page, close } = await visit(place);
        await page.waitForFunction((wanted) => new RegExp(wanted).test(document.title), title.source);
        if (place.includes(described) && place.includes("/snapshot/")) {
            await page.getByRole("button", { name: "Verify here" }).click();
            await page.waitForFunction(() => /rolled back, verified · /.test(document.title));
            const coming = page.waitForEvent("download");
            await page.getByRole("button", { name: "Page that proves itself" }).click();
            const folder = mkdtempSync(tmpdir() + "/reason-tab-"), file = folder + "/page.html";
            await (await coming).saveAs(file);
            const opened = await visit("file://" + file);
            await opened.page.waitForFunction(() => document.title === "why release 2026.48 was rolled back: verified");
            await opened.close();
            rmSync(folder, { recursive: true });
        }
        await close();
    }
});

test("what was found is exported as text, Markdown and CSV from beside the list", async () => {
    const author = `finder-${crypto.randomUUID()}`;
    for (let i = 0; i < 60; i++)
        await node("observation", author, { text: `to be found ${i}` });
    const { page, close } = await visit(`#/find?authors=${author}`);
    await page.getByText(/50 records, more follow/).waitFor();
    for (const [button, name, expected] of [["As text", "found.txt", /to be found 0/], ["Markdown", "found.md", /\|.*to be found 0 /], ["CSV", "found.csv", /to be found 0"/]]) {
        const coming = page.waitForEvent("download");
        await page.getByRole("group", { name: "Export what was found" }).getByRole("button", { name: button }).click();
        const saved = await coming, text = readFileSync(await saved.path(), "utf8");
        assert.equal(saved.suggestedFilename(), name);
        // All of it, not this page alone.
        assert.match(text, expected);
        assert.equal(new Set(text.match(/to be found \d+/g)).size, 60);
    }
    await page.screenshot({ path: pictures + "/find-exports.png" });
    await close();
});
