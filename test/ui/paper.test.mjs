/* What a report on paper tells of the records, beyond the picture. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { edge, node, now, picture, visit } from "./lib.mjs";

test("on paper no record is left out without a word, and what came later is no evidence", async () => {
    const begun = await node("observation", "sensor", { text: "known at first" }), over = await node("score", "model", { text: "made of it" }), decided = await node("decision", "kernel", { text: "decided on it" });
    await edge(begun, over, "derivedFrom");
    await edge(over, decided, "supports");
    await edge(await node("observation", "sensor", { text: "after the decision" }), decided, "supports");
    const then = now();
    await edge(await node("observation", "sensor", { text: "since one looked" }), decided, "supports");
    await edge(await node("correction", "ops", { text: "it was less" }), begun, "corrects");
    const { page, close } = await visit(`#/why/${decided}?asOf=${then}&difference=1`);
    await picture(page);
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ media: "print" });
    const told = async (title) => (await page.getByRole("table", { name: title }).locator("tbody tr").evaluateAll((rows) => rows.map((row) => row.firstElementChild.textContent))).map((text) => text.trim());
    assert.match((await told("Evidence: where the reasoning begins")).join(), /^observation known at first.*corrected$/);
    assert.match((await told("What the reasoning led over")).join(), /^score made of it$/);
    assert.match((await told("Came after it, and is no reason for it")).join(), /^observation after the decision.*came after$/);
    assert.match((await told("Came since the time that is looked at")).join("|"), /^observation since one looked .*\|correction it was less/);
    await page.getByText("6 records. Annotations are not among them").waitFor();
    await page.goto(`${process.env.REASON_URL}/ui/#/why/${decided}?asOf=${then}&hide=score`);
    await page.waitForFunction(() => { window.dispatchEvent(new Event("beforeprint")); return /1 more were fetched and are left out by the filters/.test(document.querySelector(".why > .paper")?.textContent ?? ""); });
    await close();
});
