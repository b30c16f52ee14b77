/* A weight that was stated anew: one sees that, when, and what it was before. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { edge, node, now, picture, pictures, printed, visit } from "./lib.mjs";

const score = await node("score", "model", { text: "a risk of 0.12" }, { metadata: { confidence: 0.8 } }), decided = await node("decision", "officer", { text: "granted on a risk" });
await edge(score, decided, "supports", 0.8);
const then = now();
await edge(score, decided, "supports", 0.4);
await edge(await node("observation", "bureau", { text: "two late payments" }), decided, "supports", 0.9);

test("a weight that was stated anew is shown with the one before it, in picture and tree, and each counts for itself in the strongest path", async () => {
    const { page, close } = await visit(`#/why/${decided}?path=selected&select=${score}`);
    await picture(page);
    assert.deepEqual((await printed(page)).texts.filter(({ middle }) => middle).map(({ text }) => text).sort(), ["supports 0.4 (0.8 before)", "supports 0.9"]);
    await page.getByText(/Strongest path: 1 edge, strength 0\.640/).waitFor();
    await page.getByRole("tab", { name: "Tree" }).click();
    await page.getByRole("treeitem").filter({ hasText: /supports 0\.4 \(0\.8 before\).*a risk of 0\.12/ }).waitFor();
    // One edge, one row.
    assert.equal(await page.getByRole("treeitem").count(), 3);
    // The record has both, exactly, and says which one counts.
    assert.deepEqual((await page.getByRole("article").locator(".row").allTextContents()).map((text) => text.split(" decision")[0]).sort(), ["supports, weight 0.4", "supports, weight 0.8weighed anew"]);
    await close();
});

test("where two times are compared, a weight that changed says from what to what: in picture, tree and list", async () => {
    const { page, close } = await visit(`#/why/${decided}?asOf=${then}&difference=1`);
    await picture(page);
    assert.deepEqual((await printed(page)).texts.filter(({ middle }) => middle).map(({ text }) => text).sort(), ["supports 0.8 → 0.4, changed", "supports 0.9, added"]);
    await page.screenshot({ path: pictures + "/weight-since.png" });
    await page.getByText("1 record and 1 edge came since, 1 changed").waitFor();
    await page.getByRole("tab", { name: "Tree" }).click();
    await page.getByRole("treeitem").filter({ hasText: /supports 0\.8 → 0\.4.*weighed anew since.*a risk of 0\.12/ }).waitFor();
    await page.getByRole("treeitem").filter({ hasText: /supports 0\.9.*this edge came since.*two late payments/ }).waitFor();
    await page.goto(`${process.env.REASON_URL}/ui/#/compare?node=${decided}&asOfA=${then}`);
    await page.getByText(/^As a list/).click();
    const differing = page.getByRole("list", { name: "Edges that differ" });
    await differing.waitFor();
    assert.match(await differing.textContent(), /changed supports 0\.8 → 0\.4 from a risk of 0\.12 to granted on a risk/);
    await close();
});
