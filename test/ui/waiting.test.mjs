/* While the service is slow: what is said of a picture is said of the one that is drawn, and that another is on its way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { edge, node, now, visit } from "./lib.mjs";

const decided = await node("decision", "kernel", { text: "decided on little" });
await edge(await node("observation", "sensor", { text: "known from the beginning" }), decided, "supports");
const then = now();
await edge(await node("observation", "sensor", { text: "learnt later" }), decided, "supports");

test("as long as the picture is of now nothing says that it is of then, on paper neither", async () => {
    const { page, close } = await visit(`#/why/${decided}?view=tree`), items = page.getByRole("treeitem"), summary = page.locator(".summary"), told = page.getByText(/Fetching what was known at .* What is shown here is still that of before/);
    await items.filter({ hasText: "learnt later" }).waitFor();
    let answer = () => undefined;
    const held = new Promise((resolve) => { answer = resolve; });
    await page.route(/reason\/trace\/.*asOf=/, async (route) => { await held; await route.continue(); });
    await page.evaluate((hash) => { location.hash = hash; }, `#/why/${decided}?view=tree&asOf=${then}`);
    await told.waitFor();
    assert.match(await summary.textContent(), /3 nodes, 2 edges$/);
    assert.match(await page.getByRole("link", { name: "As text" }).getAttribute("href"), /^(?!.*asOf)/);
    await page.emulateMedia({ media: "print" });
    assert.ok(await told.isVisible());
    await page.emulateMedia({ media: "screen" });
    answer();
    await items.filter({ hasText: "learnt later" }).waitFor({ state: "detached" });
    assert.equal(await told.count(), 0);
    // To the microsecond, as it was asked for.
    assert.match(await summary.textContent(), new RegExp(`2 nodes, 1 edge; as it was known at ${then.replace("T", " ").replace("Z", " UTC")}$`));
    await close();
});

test("sides that are compared are those of what is drawn until the others are there", async () => {
    const { page, close } = await visit(`#/compare?node=${decided}&asOfA=${then}`), told = page.getByText(/Comparing… What is shown here is still that of before/);
    await page.getByRole("status").getByText("2 added").waitFor();
    let answer = () => undefined;
    const held = new Promise((resolve) => { answer = resolve; });
    await page.route(/reason\/diff\?.*asOfB=/, async (route) => { await held; await route.continue(); });
    await page.evaluate((hash) => { location.hash = hash; }, `#/compare?node=${decided}&asOfA=${then}&asOfB=2999-01-01T00:00:00Z`);
    await told.waitFor();
    assert.doesNotMatch(await page.locator("p.paper").textContent(), /as of .* as of /);
    answer();
    await told.waitFor({ state: "detached" });
    assert.match(await page.locator("p.paper").textContent(), /as of .* as of /);
    await close();
});
