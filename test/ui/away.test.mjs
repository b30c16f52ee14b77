/* What is away or gone for a while: the page says so, says what to do, and goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, edge, node, request, sql, visit } from "./lib.mjs";

const { env } = process, decided = await node("decision", "kernel", { text: "decided before it was away" });
const held = await node("observation", "hr", { text: "what is to be forgotten" });
await edge(held, decided, "supports");

test("when the service comes back the page does, at once by a button, else by itself", async () => {
    const { page, close } = await visit("#/find");
    await page.route("**/reason/**", (route) => route.abort());
    await page.goto(`${env.REASON_URL}/ui/#/why/${decided}?view=tree`);
    await page.getByRole("alert").getByText("the service cannot be reached").waitFor();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("alert").getByText("the service cannot be reached").waitFor();
    await page.unroute("**/reason/**");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("treeitem").filter({ hasText: "decided before it was away" }).waitFor();
    await page.route("**/reason/**", (route) => route.abort());
    await page.goto(`${env.REASON_URL}/ui/#/impact/${held}`);
    await page.getByRole("alert").getByText("the service cannot be reached").waitFor();
    await page.unroute("**/reason/**");
    await page.getByRole("heading", { name: "What rests on it" }).waitFor();
    await close();
});

test("a snapshot that is pending says which, since when, and what to do", async () => {
    const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: [decided] }, "kernel", { Prefer: "wait=30" }), { page, close } = await visit("#/find");
    await page.route(`**/reason/snapshot/${snapshotId}`, async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, json: { ...await answer.json(), status: "pending", hash: null, signature: null, signerId: null } });
    });
    await page.goto(`${env.REASON_URL}/ui/#/snapshot/${snapshotId}`);
    await page.getByText(new RegExp(`The snapshot ${snapshotId} is pending since \\d{4}-`)).waitFor();
    await page.getByText(/usually within seconds\..*nothing is lost/).waitFor();
    assert.match(await page.getByRole("main").getByRole("link", { name: "Health" }).getAttribute("href"), /#\/health/);
    assert.equal(await page.getByRole("button", { name: "Verify here" }).count(), 0);
    await page.unroute(`**/reason/snapshot/${snapshotId}`);
    await page.getByRole("button", { name: "Verify here" }).waitFor();
    await close();
});

test("a snapshot whose document was erased says so, and offers nothing that is gone", async () => {
    const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: [decided] }, "kernel", { Prefer: "wait=30" });
    while ((await call("GET", `/reason/snapshot/${snapshotId}`)).status !== "complete")
        await new Promise((resolve) => { setTimeout(resolve, 300); });
    sql(`SELECT reason.erase_payload('${held}', 'asked to')`);
    const { page, close } = await visit(`#/snapshot/${snapshotId}`);
    await page.getByText(/erased \d{4}-.* by postgres: a content in it was erased \(.?asked to.?\), and with it the document/).waitFor();
    for (const name of ["Verify here", "Document", "Envelope", "Page that proves itself"])
        assert.equal(await page.getByRole("button", { name }).count(), 0, name);
    await page.getByRole("link", { name: "Show its root" }).waitFor();
    await close();
});

test("what rests on a record says what became of it, and what is held back, on the screen and as text", async () => {
    const wrong = await node("observation", "sensor", { text: "wrong from the start" }), made = await node("score", "model", { text: "made of what is wrong" });
    await edge(wrong, made, "derivedFrom");
    await edge(await node("correction", "ops", { text: "it was another" }), wrong, "corrects");
    sql(`WITH c AS (SELECT reason.add_node('policyCheck', '"strange"', 'sentinelnet') AS id) SELECT reason.quarantine_records('node', ARRAY[(SELECT no FROM reason.node WHERE id = '${made}')], c.id) FROM c`);
    const { page, close } = await visit(`#/impact/${wrong}`, { client: "auditor" });
    await page.getByRole("row").filter({ hasText: /made of what is wrong.*in quarantine/ }).waitFor();
    await page.getByText("1 record rests on it").waitFor();
    assert.equal(await page.title(), "What rests on observation by sensor: wrong from the start · Reasoning Graph");
    const { bytes } = await request("GET", await page.getByRole("link", { name: "As text" }).getAttribute("href"), undefined, "auditor");
    assert.match(bytes.toString(), /^What rests on .*wrong from the start, CORRECTED\n[^]*made of what is wrong.*in quarantine/);
    await close();
});
