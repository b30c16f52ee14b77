/* What an address, a list or a page of an auditor tells beside its records. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { edge, node, now, picture, printed, visit } from "./lib.mjs";

const cause = await node("observation", "sensor", { text: "the strongest of all" }), decided = await node("decision", "kernel", { text: "decided on a path" });
await edge(cause, decided, "supports", 0.7000000000000001);

test("an address that asks for what cannot be says what was passed over", async () => {
    const { page, close } = await visit(`#/why/${decided}?depth=-5&direction=sideways&view=timeline&asOf=2999-01-01T00:00:00Z`);
    await page.getByText("depth=-5 is no depth from 0 to 10000; direction=sideways is neither ancestors nor descendants; view=timeline is no view: graph, tree, time; asOf=2999-01-01T00:00:00Z lies ahead: what is shown is of now.").waitFor();
    await page.goto(`${process.env.REASON_URL}/ui/#/why/${decided}`);
    await page.getByText("is no depth").waitFor({ state: "detached" });
    await close();
});

test("a weight is told as people read it, and exactly to whoever asks", async () => {
    const { page, close } = await visit(`#/why/${decided}?view=tree&select=${decided}`);
    const relation = page.getByRole("treeitem").filter({ hasText: "the strongest of all" }).locator(".relation");
    assert.equal(await relation.textContent(), "supports 0.7");
    assert.match(await relation.getAttribute("title"), /^supports, weight 0\.7000000000000001: /);
    assert.match(await page.getByRole("article").textContent(), /supports, weight 0\.7000000000000001/);
    await close();
});

test("the strongest path looks other than what leads to what is selected", async () => {
    const { page, close } = await visit(`#/why/${decided}?path=strongest&select=${decided}`);
    await picture(page);
    await printed(page);
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    assert.equal(await page.locator(".paper svg polyline").getAttribute("stroke"), "#1c1e21");
    await close();
});

test("however long the text of a record is, its author and its times are in sight", async () => {
    const long = await node("observation", "sensor:long", { text: "word ".repeat(20000) });
    for (const viewport of [{ width: 1280, height: 900 }, { width: 390, height: 860 }]) {
        const { page, close } = await visit(`#/why/${long}?select=${long}`, { viewport }), article = page.getByRole("article");
        await picture(page);
        for (const [told, least] of [[article.getByText("sensor:long", { exact: true }), 0.9], [article.locator("time").first(), 0.9]]) {
            const box = await told.boundingBox();
            assert.ok(box.y >= 0 && box.y + box.height * least <= viewport.height, `${viewport.width}: ${JSON.stringify(box)}`);
        }
        assert.ok((await article.locator("pre").first().textContent()).split("word ").length > 19900);
        await close();
    }
});

test("on a telephone what was found is in sight, and what is asked for less often is folded unless it is asked for", async () => {
    const { page, close } = await visit("#/find", { viewport: { width: 390, height: 860 } }), found = page.locator(".results li").first();
    await found.waitFor();
    assert.ok((await found.boundingBox()).y < 500);
    assert.equal(await page.getByLabel("Authors").isVisible(), false);
    await page.getByText("More to find by").click();
    await page.getByLabel("Authors").fill("sensor");
    await page.getByRole("button", { name: "Find" }).click();
    await page.waitForURL(/authors=sensor/);
    await page.locator(".results li").filter({ hasText: "by sensor," }).first().waitFor();
    await page.reload();
    assert.equal(await page.getByLabel("Authors").inputValue(), "sensor");
    assert.equal(await page.getByLabel("Authors").isVisible(), true);
    await close();
});

test("the divisions that one sees are offered, and what is asked of one goes by its path", async () => {
    const { page, close } = await visit("#/find");
    await page.locator("datalist option[value=default]").waitFor({ state: "attached" });
    const asked = page.waitForRequest("**/d/default/reason/query");
    await page.getByLabel("Division").fill("default");
    await page.getByRole("button", { name: "Find" }).click();
    await asked;
    await page.locator(".results li").first().waitFor();
    await close();
});

test("a list of what was found tells the division of each", async () => {
    const { page, close } = await visit("#/find?text=the strongest of all");
    await page.locator(".results li").filter({ hasText: /the strongest of all.*in division default/ }).first().waitFor();
    await close();
});

test("where what one may not see empties pages, Find goes on by itself until it finds something, or is stopped", async () => {
    const { page, close } = await visit("#/find?authors=sensor");
    await page.locator(".results li").first().waitFor();
    let asked = 0, answer = () => undefined;
    const held = new Promise((resolve) => { answer = resolve; });
    await page.route("**/reason/query", async (route) => {
        if (++asked === 4)
            await held;
        await (asked <= 4 ? route.fulfill({ json: { nodes: [], nextCursor: `page-${asked}`, truncated: true } }) : route.fulfill({ json: { nodes: [{ id: cause, type: "observation", author: "sensor", payload: "found at last", metadata: {} }], truncated: false } }));
    });
    await page.getByLabel("Authors").fill("nobody else");
    await page.getByRole("button", { name: "Find" }).click();
    await page.getByText("3 pages without a find so far").waitFor();
    await page.getByRole("button", { name: "Stop here" }).click();
    answer();
    await page.getByText("Nothing on this page; there is more to look through.").waitFor();
    assert.equal(asked, 4);
    await page.getByRole("link", { name: "Next page" }).click();
    await page.getByText("found at last").waitFor();
    await close();
});

test("a decision that rests on nothing says so, and the time that is asked for is told as it is, between two records too", async () => {
    const alone = await node("decision", "boss", { text: "because I say so" });
    const first = await visit(`#/why/${alone}`);
    await first.page.getByText("1 node, 0 edges; no cause of it is recorded").waitFor();
    await first.close();
    const between = now();
    await edge(await node("observation", "late", { text: "found afterwards" }), alone, "supports");
    const { page, close } = await visit(`#/why/${alone}?asOf=${between}`);
    const told = between.replace("T", " ").replace("Z", " UTC");
    await page.getByText(`as it was known at ${told}`).waitFor();
    await page.getByText(`As of ${told}`, { exact: true }).waitFor();
    await close();
});
