/* What a person meets who looks at each view for the first time, on a desk and on a telephone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, edge, node, picture, printed, settled, sql, story, visit } from "./lib.mjs";

const PHONE = { viewport: { width: 390, height: 844 } }, ids = await story();

/* A decision on so many observations, and on as many hypotheses that each led to one of them. */
async function crowd(count) {
    const seen = Array.from({ length: count }, () => crypto.randomUUID()), meant = Array.from({ length: count }, () => crypto.randomUUID()), decided = crypto.randomUUID();
    await call("POST", "/nodes", { nodes: [...seen.map((id, i) => ({ id, type: "OBSERVATION", actor: `probe:${i % 3}`, payload: { text: `seen ${i}` } })), ...meant.map((id, i) => ({ id, type: "HYPOTHESIS", actor: `agent:${i % 3}`, payload: { text: `meant ${i}` } })),
        { id: decided, type: "DECISION", actor: "kernel", payload: { text: "decided on many" } }] });
    await call("POST", "/edges", { edges: seen.flatMap((from, i) => [{ from, to: meant[i], type: "supports", weight: 0.5 }, ...i % 2 ? [{ from, to: meant[(i + 2) % count], type: "causal", weight: 0.5 }] : [], { from: meant[i], to: decided, type: i % 3 ? "supports" : "causal", weight: 0.5 }]) });
    return decided;
}

test("on a telephone a filter that cannot be is shown where it stands, though it was folded away", async () => {
    const { page, close } = await visit("#/find?text=checkout", PHONE), rare = page.getByText("More to find by"), field = page.getByLabel("Confidence from");
    await page.locator(".results li").first().waitFor();
    await rare.click();
    await field.fill("5");
    await rare.click();
    await field.waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Find", exact: true }).click();
    await field.waitFor({ state: "visible" });
    assert.equal(await field.evaluate((element) => document.activeElement === element), true);
    await close();
});

test("no line leads through what another edge says, on the screen and on paper", async () => {
    const { page, context, close } = await visit("#/health");
    await context.addInitScript(() => {
        globalThis.drawn = [];
        const { fillText, stroke, drawImage } = CanvasRenderingContext2D.prototype, told = (what) => globalThis.drawn.push(what);
        CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) { if (this.textAlign === "center") told("label"); fillText.call(this, text, ...rest); };
        CanvasRenderingContext2D.prototype.stroke = function (...rest) { told(rest.length === 0 && this.fillStyle === this.strokeStyle ? "line" : "card"); stroke.apply(this, rest); };
        CanvasRenderingContext2D.prototype.drawImage = function (...rest) { told("shown"); drawImage.apply(this, rest); };
    });
    await page.goto(page.url().replace(/#.*/, `#/why/${await crowd(40)}?fold=type`));
    await page.reload();
    await picture(page);
    await settled(page);
    const drawn = await page.evaluate(() => globalThis.drawn.join(" ").split("shown").map((painted) => painted.trim().split(" ")).findLast((painted) => painted.includes("label")));
    assert.ok(drawn.filter((what) => what === "label").length >= 4 && drawn.filter((what) => what === "line").length >= 4, drawn.join(" "));
    assert.ok(drawn.lastIndexOf("line") < drawn.indexOf("label"), drawn.join(" "));
    await printed(page);
    const [last, first] = await page.locator(".paper svg").first().evaluate((svg) => { const all = [...svg.children]; return [all.findLastIndex(({ localName }) => localName === "polyline"), all.findIndex((element) => element.getAttribute("text-anchor") === "middle")]; });
    assert.ok(last >= 0 && first > last, `${last} ${first}`);
    await close();
});

for (const width of [390, 1040]) test(`at ${width} pixels keys and records of a proof can be read, and no word is broken`, async () => {
    const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: [ids.decision] }, "kernel", { Prefer: "wait=30" });
    const { page, close } = await visit(`#/snapshot/${snapshotId}`, { viewport: { width, height: 844 } });
    await page.getByRole("button", { name: "Verify here" }).click();
    await page.getByText(/records, each recomputed/).click();
    const keys = page.getByRole("table", { name: "Keys" }), records = page.getByRole("table", { name: "Records" });
    for (const word of [keys.getByText("events", { exact: true }), keys.getByText("checkpoints", { exact: true }), keys.getByText("active", { exact: true }).first(), records.getByText("matches", { exact: true }).first()]) {
        const lines = await word.evaluate((cell) => { const range = document.createRange(); range.selectNodeContents(cell); return range.getClientRects().length; });
        assert.equal(lines, 1, await word.textContent());
    }
    // A digest begins beside the mark that opens it, not below.
    assert.ok(await records.locator("summary").first().evaluate((summary) => summary.querySelector("code").getClientRects()[0].top - summary.getBoundingClientRect().top) < 10);
    assert.equal(await page.locator("table").evaluateAll((tables) => tables.filter((table) => table.scrollWidth > table.clientWidth + 1).length), 0);
    await close();
});

test("the mark of the last moment stays on the line of the timeline", async () => {
    const { page, close } = await visit(`#/why/${ids.decision}?view=time`, PHONE);
    await page.locator(".bar i").last().waitFor();
    for (const [bar, mark] of await page.locator(".bar").evaluateAll((bars) => bars.map((bar) => [bar, bar.firstElementChild].map((part) => { const { left, right } = part.getBoundingClientRect(); return { left, right }; }))))
        assert.ok(mark.left >= bar.left && mark.right <= bar.right + 0.1, JSON.stringify([bar, mark]));
    await close();
});

test("a record whose content was erased says when, by whom and why", async () => {
    const gone = await node("observation", "hr", { text: "somebody was ill" });
    await edge(gone, ids.decision, "supports");
    sql(`SELECT reason.erase_payload('${gone}', 'the person asked, jane@example.com, for it')`);
    for (const [client, why] of [["kernel", /jane@example.com/], ["masked", /the person asked, \S*REDACTED\S*, for it/i]]) {
        const { page, close } = await visit(`#/why/${ids.decision}?select=${gone}`, { client }), told = page.getByRole("article").getByText(/Its content was erased \d{4}-\d\d-\d\d .* UTC by postgres/);
        await told.waitFor();
        assert.match(await told.textContent(), why);
        await close();
    }
});
