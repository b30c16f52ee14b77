/* What a person does in the explorer, in a real browser on a real stack. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { axe, call, edge, large, node, picture, pictures, request, settled, sql, story, visit } from "./lib.mjs";

const ids = await story();
const why = (id, parameters = "") => `#/why/${id}${parameters}`;

test("somebody without a certificate gets no page, and the page asks nobody else", async () => {
    for (const path of ["/ui/", "/ui/explorer.js", "/reason/signers"])
        assert.ok([400, 401, 403].includes((await request("GET", path, undefined, null)).status), path);
    const { status, headers } = await request("GET", "/ui/");
    assert.equal(status, 200);
    assert.match(headers["content-security-policy"], /default-src 'none'.*frame-ancestors 'none'/);
    assert.equal((await request("GET", "/ui/?a=1")).status, 400);
    assert.equal((await request("GET", "/ui/nothing.js")).status, 404);
    const { page, asked, faults, close } = await visit(why(ids.decision));
    await picture(page);
    assert.deepEqual(asked.filter((url) => !url.startsWith(process.env.REASON_URL)), []);
    assert.deepEqual(faults, []);
    assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]), [0, 0, ""]);
    await close();
});

test("an analyst finds a record by type, author, tag, confidence and text, and the address is a link to it", async () => {
    const { page, close } = await visit("#/find");
    await page.getByLabel("Text, or an id").fill("release 2026.48");
    await page.getByLabel("Type").selectOption("decision");
    await page.getByLabel("Authors").fill("kernel");
    await page.getByLabel("Tags").fill("release");
    await page.getByLabel("Confidence from").fill("0.8");
    await page.getByRole("button", { name: "Find" }).click();
    const found = page.locator(".results li");
    await page.getByText("1 record, the newest first").waitFor();
    assert.match(await found.textContent(), /roll back release 2026\.48/);
    const address = page.url();
    await page.goto(process.env.REASON_URL + "/ui/#/health");
    await page.goto(address);
    await found.first().waitFor();
    assert.equal(await found.count(), 1);
    await found.first().getByRole("link").click();
    await picture(page);
    assert.match(page.url(), new RegExp(`#/why/${ids.decision}`));
    await page.goBack();
    await page.getByRole("heading", { name: "Find" }).waitFor();
    await close();
});

test("an analyst finds by when it was recorded and when it occurred, by least and most confidence, and by division", async () => {
    sql(`SELECT reason.add_node('score', '{"text": "found elsewhere"}', 'seeker', division => 'other-team')`);
    const before = await node("score", "seeker", { text: "found early" }, { ts: "2020-05-06T07:08:09Z", metadata: { confidence: 0.2 } });
    const [recorded] = sql(`SELECT to_char((created_at + interval '1 ms') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') FROM reason.node WHERE id = '${before}'`).split("\n");
    await node("score", "seeker", { text: "found late" }, { ts: "2021-05-06T07:08:09Z", metadata: { confidence: 0.9 } });
    const { page, close } = await visit("#/find?authors=seeker");
    /* the list of before stands there until the new one has come */
    const shows = async (notes) => {
        const read = async () => (await page.locator(".results .note").allTextContents()).sort();
        for (let i = 0; i < 100 && JSON.stringify(await read()) !== JSON.stringify(notes); i++)
            await page.waitForTimeout(100);
        assert.deepEqual(await read(), notes);
    };
    const finds = async (fields, notes) => {
        await page.goto(`${process.env.REASON_URL}/ui/#/find?authors=seeker`);
        await shows(["found early", "found elsewhere", "found late"]);
        for (const [label, value] of Object.entries(fields))
            await page.locator(`[name=${label}]`).fill(value);
        await page.getByRole("button", { name: "Find" }).click();
        await page.waitForURL((url) => Object.keys(fields).every((name) => url.hash.includes(name + "=")));
        await shows(notes);
    };
    await finds({ occurredFrom: "2021-01-01T00:00" }, ["found late"]);
    await finds({ occurredTo: "2021-01-01T00:00", occurredFrom: "2020-01-01T00:00" }, ["found early"]);
    await finds({ minConfidence: "0.5" }, ["found late"]);
    await finds({ maxConfidence: "0.5" }, ["found early"]);
    await finds({ division: "other-team" }, ["found elsewhere"]);
    await page.goto(`${process.env.REASON_URL}/ui/#/find?authors=seeker&division=default&createdTo=${recorded}`);
    await shows(["found early"]);
    await page.goto(`${process.env.REASON_URL}/ui/#/find?authors=seeker&createdFrom=2099-01-01T00:00`);
    await page.getByText("Nothing was found.").waitFor();
    await close();
});

test("an id that is typed in leads to its reasoning", async () => {
    const { page, close } = await visit("#/find");
    await page.getByLabel("Text, or an id").fill(ids.score);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /anomaly score/ }).waitFor();
    await close();
});

test("results go on over pages by cursor", async () => {
    await large(120);
    const { page, close } = await visit("#/find?authors=agent:1,agent:2,agent:3,agent:4,agent:5");
    const list = page.locator(".results li");
    await list.first().waitFor();
    const first = await list.allTextContents();
    await page.getByRole("link", { name: "Next page" }).click();
    await page.waitForFunction((text) => document.querySelector(".results li")?.textContent !== text, first[0]);
    const second = await list.allTextContents();
    assert.equal(first.length, 50);
    assert.equal(new Set([...first, ...second]).size, first.length + second.length);
    await close();
});

test("the tree says what the picture shows, with each edge's type and weight", async () => {
    const { page, close } = await visit(why(ids.decision, "?view=tree"));
    const items = page.getByRole("treeitem");
    await items.first().waitFor();
    const texts = await items.allTextContents();
    assert.equal(texts.length, 8);
    assert.match(texts[0], /decision roll back release 2026\.48/);
    assert.ok(texts.some((text) => /contradicts 0\.4 .*a canary changed nothing/.test(text)));
    assert.ok(texts.some((text) => /causal 0\.95 .*roll the index back/.test(text)));
    await close();
});

test("all can be done with the keyboard: a node is reached along edges, its record read and closed", async () => {
    const { page, close } = await visit(why(ids.decision));
    await picture(page);
    await page.locator("canvas").focus();
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    const record = page.getByRole("article");
    await record.waitFor();
    assert.match(page.url(), /select=/);
    await page.keyboard.press("Escape");
    await record.waitFor({ state: "detached" });
    await page.goto(process.env.REASON_URL + "/ui/" + why(ids.decision, "?view=tree"));
    await page.getByRole("treeitem").first().focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await record.waitFor();
    await close();
});

test("a record shows author, both times, confidence, tags, digest and its place in the chain", async () => {
    const { page, close } = await visit(why(ids.decision, `?select=${ids.latency}`));
    const record = page.getByRole("article");
    await record.getByText("Hash in the chain").waitFor();
    assert.equal(await page.title(), "roll back release 2026.48 · Reasoning Graph");
    const text = await record.textContent();
    for (const expected of ["sensor:eu-1", "Occurred", "2026-11-28 09:59:58 UTC, by its author's word", "0.97", "latency", ids.latency])
        assert.ok(text.includes(expected), expected);
    await close();
});

test("a correction, an erasure and a circle are states that one sees", async () => {
    const wrong = await node("observation", "sensor", { text: "a wrong value" }), decided = await node("decision", "kernel", { text: "decided on it" });
    await edge(wrong, decided, "causal");
    const gone = await node("observation", "sensor", { text: "somebody's name" });
    await edge(gone, decided, "influencedBy", 0.1);
    sql(`SELECT reason.erase_payload('${gone}', 'asked to')`);
    const correction = await node("correction", "ops", { text: "it was another" });
    await edge(correction, wrong, "corrects");
    const a = await node("hypothesis", "agent", { text: "one" }), b = await node("hypothesis", "agent", { text: "two" });
    await edge(a, b, "causal");
    await edge(b, a, "causal");
    await edge(a, decided, "supports", 0.2);
    const { page, close } = await visit(why(decided, "?view=tree"));
    await page.getByRole("treeitem").first().waitFor();
    const texts = await page.getByRole("treeitem").allTextContents();
    assert.ok(texts.some((text) => /a wrong value.*corrected/.test(text)), texts.join("\n"));
    assert.ok(texts.some((text) => /circle/.test(text)), texts.join("\n"));
    assert.ok(texts.some((text) => /its content was erased/.test(text)), texts.join("\n"));
    assert.ok(texts.every((text) => !/somebody's name/.test(text)));
    await close();
});

test("a payload that is null, and one that is kept elsewhere, are not called erased", async () => {
    const sha256 = "ab".repeat(32), empty = await node("observation", "sensor", null);
    const elsewhere = (await call("POST", "/reason/node", { type: "observation", author: "sensor", payloadRef: { uri: "s3://kept/elsewhere", sha256, size: 12345 } })).nodeId;
    for (const id of [empty, elsewhere]) {
        const { page, close } = await visit(why(id, `?view=tree&select=${id}`)), record = page.getByRole("article");
        await record.getByRole("heading", { name: "Payload" }).waitFor();
        const text = await page.locator("main").textContent();
        assert.doesNotMatch(text, /erased/);
        if (id === elsewhere)
            for (const expected of ["s3://kept/elsewhere", sha256, "12,345 bytes"])
                assert.ok(text.includes(expected), expected);
        await close();
    }
});

test("a payload without a text is shown as its JSON, not as an id", async () => {
    const decided = await node("decision", "kernel", { weight: 7 });
    for (const payload of [42, [], ""])
        await edge(await node("observation", "sensor", payload), decided, "supports");
    const { page, close } = await visit(why(decided, "?view=tree"));
    await page.getByRole("treeitem").first().waitFor();
    assert.deepEqual((await page.getByRole("treeitem").locator(".note").allTextContents()).sort(), ['""', "42", "[]", '{"weight":7}']);
    await close();
});

test("what is in quarantine says so to whom it is shown, and is not there for others", async () => {
    const decided = await node("decision", "kernel", { text: "decided on what is held" });
    const held = sql(`WITH n AS (SELECT reason.add_node('observation', '"held back"', 'sensor') AS id), e AS (SELECT reason.add_edge(id, '${decided}', 'supports') FROM n) SELECT id FROM n, e`);
    sql(`WITH c AS (SELECT reason.add_node('policyCheck', '"strange"', 'sentinelnet') AS id) SELECT reason.quarantine_records('node', ARRAY[(SELECT no FROM reason.node WHERE id = '${held}')], c.id) FROM c`);
    for (const [client, seen] of [["auditor", true], ["kernel", false]]) {
        const { page, close } = await visit(why(decided, "?view=tree"), { client });
        await page.getByRole("treeitem").first().waitFor();
        const text = (await page.getByRole("treeitem").allTextContents()).join("\n");
        assert.equal(/held back.*in quarantine/.test(text), seen, `${client}: ${text}`);
        assert.equal(text.includes("held back"), seen);
        await close();
    }
});

test("folding draws many as one, and opening one draws them again", async () => {
    const { page, close } = await visit(why(ids.decision, "?fold=level"));
    await picture(page);
    await page.locator("canvas").focus();
    const drawn = () => page.evaluate(() => performance.getEntriesByName("picture").length), more = (than) => page.waitForFunction((n) => performance.getEntriesByName("picture").length > n, than);
    let before = await drawn();
    // With what it is about one begins.
    await page.keyboard.press("ArrowUp");
    await page.waitForURL(new RegExp(`select=${ids.decision}`));
    await page.keyboard.press("ArrowUp");
    await page.waitForURL(/select=level/);
    await page.keyboard.press("Enter");
    await more(before);
    // What was opened is part of the address, which can be sent; the way back closes it.
    const [, opened] = /open=([^&]*)/.exec(page.url());
    assert.match(decodeURIComponent(decodeURIComponent(opened)), /^level \d$/);
    before = await drawn();
    await page.goBack();
    await more(before);
    assert.doesNotMatch(page.url(), /open=/);
    await close();
});

test("the strongest path is found, and that between the start and what is selected", async () => {
    const { page, close } = await visit(why(ids.decision, "?path=strongest"));
    await page.getByText(/Strongest path: 1 edge, strength 0\.500/).waitFor();
    await page.goto(process.env.REASON_URL + "/ui/" + why(ids.decision, `?path=selected&select=${ids.latency}`));
    // 0.97 × 0.9 × 0.88 × 0.8 × 0.6 × 0.9 × 0.8 × 0.95
    await page.getByText(/Strongest path: 4 edges, strength 0\.252/).waitFor();
    await close();
});

test("what was recorded after a decision is marked so, on paper too, and is no part of its strongest reason", async () => {
    const early = await node("observation", "sensor", { text: "known before" }, { metadata: { confidence: 0.5 } }), decided = await node("decision", "kernel", { text: "decided early" });
    const late = await node("observation", "sensor", { text: "found afterwards" }, { metadata: { confidence: 1 } });
    await edge(early, decided, "supports", 0.5);
    await edge(late, decided, "supports");
    const { page, close } = await visit(why(decided, "?path=strongest&view=tree"));
    await page.getByText(/Strongest path: 1 edge, strength 0\.250/).waitFor();
    const marked = async (rows) => (await rows.allTextContents()).filter((text) => text.includes("came after"));
    let [first, ...others] = await marked(page.getByRole("treeitem"));
    assert.match(first, /found afterwards/);
    assert.deepEqual(others, []);
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    [first, ...others] = await marked(page.locator(".paper tr"));
    assert.match(first, /found afterwards/);
    assert.deepEqual(others, []);
    await close();
});

test("filters leave out what they say, and never the start", async () => {
    const { page, close } = await visit(why(ids.decision, "?view=tree&hide=policyCheck,contradicts&confidence=0.65"));
    await page.getByRole("treeitem").first().waitFor();
    const text = (await page.getByRole("treeitem").allTextContents()).join("\n");
    assert.doesNotMatch(text, /allowed outside the freeze|the new index|contradicts/);
    assert.match(text, /roll back release/);
    // What they leave out joined it to the rest.
    assert.match(text, /a canary.*left out by the filters/);
    await close();
});

test("where the walk stopped a stub says how much lies beyond, and opens", async () => {
    const { page, close } = await visit(why(ids.decision, "?depth=1"));
    await picture(page);
    await page.getByText(/the walk stopped for its depth at 1 node/).waitFor();
    assert.match(await page.locator(".summary").textContent(), /3 nodes/);
    await page.locator("canvas").focus();
    await page.goto(process.env.REASON_URL + "/ui/" + why(ids.decision, `?depth=1&select=${ids.recommendation}`));
    await page.getByRole("article").waitFor();
    await page.locator("canvas").focus();
    await page.keyboard.press("Enter");
    await page.locator(".summary").getByText(/8 nodes|7 nodes/).waitFor();
    await close();
});

test("then and now: what was known when it was recorded, and what came since", async () => {
    const before = sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"), late = await node("observation", "sensor", { text: "it came later" });
    await edge(late, ids.recommendation, "supports");
    await edge(await node("correction", "ops", { text: "it was 2.9 percent" }), ids.errors, "corrects");
    const { page, asked, close } = await visit(why(ids.decision, "?view=tree"));
    await page.getByRole("treeitem").filter({ hasText: "it came later" }).waitFor();
    await page.getByRole("link", { name: "What was known when this was recorded" }).click();
    await page.getByText(/as it was known at/).waitFor();
    const asText = new URL(await page.getByRole("link", { name: "As text" }).getAttribute("href"), process.env.REASON_URL);
    assert.equal(asText.searchParams.get("depth"), "10");
    assert.equal(asText.searchParams.get("asOf"), new URLSearchParams(page.url().split("?")[1]).get("asOf"));
    assert.doesNotMatch((await request("GET", asText.pathname + asText.search)).bytes.toString(), /it came later/);
    await page.getByRole("treeitem").filter({ hasText: "it came later" }).waitFor({ state: "detached" });
    /* its edges were recorded after it, and so were those between its causes */
    for (const cause of ["roll the index back", "allowed outside the freeze", "latency of checkout rose"])
        await page.getByRole("treeitem").filter({ hasText: cause }).waitFor();
    await page.getByLabel("show what came since").check();
    await page.getByText(/edges came since/).waitFor();
    await page.goto(`${process.env.REASON_URL}/ui/${why(ids.decision, `?view=tree&difference=1&asOf=${before}`)}`);
    await page.getByText(/2 records and 2 edges came since, 1 changed \(1 corrected since\)/).waitFor();
    await page.getByRole("treeitem").filter({ hasText: /it came later.*came since/ }).waitFor();
    await page.getByRole("treeitem").filter({ hasText: /error rate 2\.1 percent.*changed since/ }).waitFor();
    assert.ok(asked.some((url) => /\/reason\/diff\?node=.*asOfA=/.test(url)));
    await close();
});

test("two nodes are compared in one picture and as a list", async () => {
    const { page, close } = await visit(`#/compare?a=${ids.recommendation}&b=${ids.decision}`);
    await page.getByRole("status").getByText(/[1-9]\d* added/).waitFor();
    await picture(page);
    await page.getByText(/As a list/).click();
    await page.locator(".results").getByText("roll back release 2026.48").waitFor();
    await close();
});

test("a snapshot is asked for, becomes complete, is verified in the page and downloaded as a page", async () => {
    const { page, faults, close } = await visit(`#/freeze/${ids.decision}`);
    await page.getByLabel("Description").fill("why we rolled back");
    await page.getByRole("button", { name: "Freeze" }).click();
    await page.getByRole("heading", { name: "Snapshot" }).waitFor();
    await page.getByText("complete").waitFor();
    await page.getByRole("button", { name: "Verify here" }).click();
    await page.locator("[data-verdict=verified]").waitFor();
    const coming = page.waitForEvent("download");
    await page.getByRole("button", { name: "Page that proves itself" }).click();
    assert.match((await coming).suggestedFilename(), /\.html$/);
    assert.deepEqual(faults, []);
    await page.screenshot({ path: pictures + "/snapshot.png" });
    await close();
});

test("a note is added where the role allows it, else the way is said", async () => {
    let opened = await visit(why(ids.decision, `?select=${ids.policy}`));
    await opened.page.getByLabel("Add a note; it stays for ever").fill("looked at by somebody");
    await opened.page.getByRole("button", { name: "Annotate" }).click();
    await opened.page.getByRole("article").getByText("looked at by somebody").waitFor();
    await opened.close();
    opened = await visit(why(ids.decision, `?select=${ids.policy}`), { client: "reader" });
    await opened.page.getByLabel("Add a note; it stays for ever").fill("not allowed");
    await opened.page.getByRole("button", { name: "Annotate" }).click();
    await opened.page.getByText(/may not annotate\. Ask an administrator/).waitFor();
    await opened.close();
});

/* One id in two divisions: two records. */
async function twins() {
    const id = await node("decision", "kernel", { text: "the twin of default" });
    sql(`SELECT reason.add_node('decision', '{"text": "the twin of team-b"}', 'kernel', division => 'team-b', id => '${id}')`);
    return id;
}

test("a note goes to the record that is looked at, not to one with the same id in another division", async () => {
    const id = await twins(), { page, close } = await visit(why(id, `?division=team-b&select=${id}`));
    const record = page.getByRole("article");
    await record.getByLabel("Add a note; it stays for ever").fill("a note for team-b");
    await record.getByRole("button", { name: "Annotate" }).click();
    await record.locator("li").getByText("a note for team-b").waitFor();
    assert.equal(sql(`SELECT string_agg(division, ',') FROM reason.annotation WHERE payload::text LIKE '%a note for team-b%'`), "team-b");
    await close();
});

test("what is frozen is the record that is looked at, not one with the same id in another division", async () => {
    const id = await twins(), { page, close } = await visit(`#/freeze/${id}?division=team-b`);
    await page.getByRole("button", { name: "Freeze", exact: true }).click();
    await page.waitForURL(/#\/snapshot\//);
    const [, made] = /snapshot\/([0-9a-f-]{36})/.exec(page.url());
    assert.match(page.url(), /division=team-b/);
    assert.equal(sql(`SELECT division FROM reason.snapshot WHERE id = '${made}'`), "team-b");
    await close();
});

test("health tells in plain words what works", async () => {
    const { page, close } = await visit("#/health");
    await page.getByText("All is well").waitFor();
    await page.getByRole("rowheader", { name: "local-development", exact: true }).waitFor();
    await page.screenshot({ path: pictures + "/health.png" });
    await close();
});

test("hostile content in every field is shown as text", async () => {
    const nasty = "<img src=x onerror=alert(1)><script>alert(2)</script>\u202egnp.exe\u0007 & ' \" ${x} ]]>", wide = "w".repeat(100000);
    const bad = await node("observation", "<img src=x onerror=alert(1)> & ' \" ${x} ]]>", { text: nasty, "</pre><b>": wide, list: Array(50).fill(nasty) }, { metadata: { tags: [nasty] } });
    const end = await node("decision", "kernel", { text: "x".repeat(5000) });
    await edge(bad, end, "supports");
    await call("POST", `/reason/annotate/${bad}`, { text: nasty, author: "<img src=x onerror=alert(1)> & ' \" ${x} ]]>" });
    await call("POST", "/reason/edge", { from: bad, to: end, type: "contradicts", weight: 0.2, metadata: { [nasty.slice(0, 90)]: nasty } });
    const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: [end], description: "<img src=x onerror=alert(1)> ]]>", includeAnnotations: true }, "kernel", { Prefer: "wait=30" });
    const folder = mkdtempSync(tmpdir() + "/reason-hostile-"), self = `file://${folder}/page.html`;
    writeFileSync(folder + "/page.html", (await request("GET", `/reason/snapshot/${snapshotId}?format=page`)).bytes);
    for (const place of [self, `#/snapshot/${snapshotId}`, `#/impact/${bad}`, `#/compare?a=${bad}&b=${end}&select=${bad}`, why(end, `?select=${bad}`), why(end, `?view=tree&select=${bad}`), why(end, "?view=time"), "#/find?types=observation", `#/why/${encodeURIComponent(nasty)}`, `#/find?text=${encodeURIComponent(nasty)}`, `#/compare?a=${encodeURIComponent(nasty)}&b=${"y".repeat(10000)}`]) {
        const { page, faults, asked, close } = await visit(place);
        if (place === self) {
            await page.locator("[data-verdict=verified]").waitFor();
            await page.getByRole("treeitem").nth(1).click();
            await page.getByRole("article").waitFor();
        } else
            await settled(page);
        if (place.includes("snapshot/")) {
            await page.getByRole("button", { name: "Verify here" }).click();
            await page.locator("[data-verdict=verified]").waitFor();
        }
        const shown = place === self ? "#app" : "main";
        assert.deepEqual(await page.evaluate((where) => [document.querySelectorAll("img, main script, #app script, main b, #app b").length, document.querySelector(where).textContent.includes("\u202e")], shown), [0, false], place);
        assert.deepEqual(faults.filter((fault) => !/status of 4/.test(fault)), [], place);
        assert.deepEqual(asked.filter((url) => !url.startsWith(process.env.REASON_URL) && !url.startsWith("file:") && !url.startsWith("blob:")), []);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${place} is wider than the window`);
        await close();
    }
    rmSync(folder, { recursive: true });
});

test("a reader without the capability never gets what is redacted", async () => {
    const secret = "sarah.connor@example.org", held = await node("observation", "sensor", { text: `write to ${secret}`, mail: secret }), end = await node("decision", "kernel", { text: "answered" });
    await edge(held, end, "causal");
    await call("POST", `/reason/annotate/${held}`, { note: `${secret} was asked` });
    const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: [end], description: `for ${secret}`, includeAnnotations: true }, "kernel", { Prefer: "wait=30" });
    const { page, context, close } = await visit(why(end, `?select=${held}`), { client: "masked" });
    const bodies = [];
    context.on("response", (answer) => bodies.push(answer.text().catch(() => "")));
    await picture(page);
    for (const place of [why(end, "?view=tree"), why(end, "?view=time"), `#/find?text=answered`, `#/impact/${held}`, `#/compare?a=${held}&b=${end}`, `#/compare?a=${snapshotId}&b=${end}`, `#/snapshot/${snapshotId}`, why(end, `?view=tree&select=${held}`), "#/health"]) {
        // What a page that is left has been sent can be read no more.
        await Promise.all(bodies);
        await page.goto("about:blank");
        await page.goto(process.env.REASON_URL + "/ui/" + place);
        await settled(page);
    }
    const all = (await Promise.all(bodies)).join("\n");
    assert.ok(all.length > 1000);
    assert.ok(!all.includes(secret) && !all.includes("sarah.connor"));
    assert.ok(all.includes("[redacted:"));
    await close();
});

for (const [how, suffix, options] of [["in light", "", {}], ["in dark", "-dark", { colorScheme: "dark" }], ["at 390 pixels", "-phone", { viewport: { width: 390, height: 800 } }]])
    test(`no view has a serious fault of accessibility ${how}`, async () => {
        const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: [ids.decision] }, "kernel", { Prefer: "wait=30" });
        for (const [name, place] of Object.entries({ find: "#/find", picture: why(ids.decision, `?select=${ids.score}`), tree: why(ids.decision, "?view=tree"), time: why(ids.decision, "?view=time"), freeze: `#/freeze/${ids.decision}`, compare: `#/compare?a=${ids.recommendation}&b=${ids.decision}`, impact: `#/impact/${ids.latency}`, health: "#/health", snapshot: `#/snapshot/${snapshotId}` })) {
            const { page, close } = await visit(place, { bypassCSP: true, ...options });
            await settled(page);
            if (name === "snapshot") {
                await page.getByRole("button", { name: "Verify here" }).click();
                await page.locator("[data-verdict=verified]").waitFor();
                await page.locator("summary").first().click();
            }
            await page.evaluate(axe);
            const found = await page.evaluate(async () => (await globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] })).violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.map((n) => n.target).slice(0, 3)}`));
            assert.deepEqual(found, [], name);
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), `${name} is wider than the window`);
            await page.screenshot({ path: `${pictures}/${name}${suffix}.png` });
            await close();
        }
    });

test("on paper a reasoning is a report: title, picture, evidence with hashes, and record", async () => {
    const { page, close } = await visit(why(ids.decision, `?select=${ids.score}`));
    await picture(page);
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ media: "print" });
    assert.ok(await page.locator(".paper svg").isVisible());
    assert.ok(!await page.locator("canvas").isVisible());
    assert.match(await page.locator(".paper svg").textContent(), /anomaly score/);
    assert.ok(await page.getByRole("heading", { level: 1, name: /roll back release/ }).isVisible());
    // Every record that is drawn stands in one of the tables, whose titles count them.
    const drawn = parseInt(await page.locator(".summary .faint").last().textContent(), 10), tables = page.locator(".paper table"), counted = await page.locator(".paper h3").allTextContents();
    assert.deepEqual(counted.map((title) => Number(/\((\d+)\)$/.exec(title)[1])).reduce((a, b) => a + b), drawn);
    assert.equal(await tables.locator("tbody tr").count(), drawn);
    const table = page.getByRole("table", { name: "Evidence: where the reasoning begins" }), told = await table.textContent(), { node: { digest } } = await call("GET", `/reason/node/${ids.latency}`);
    assert.ok(await table.isVisible());
    for (const expected of ["latency of checkout rose", "sensor:eu-1", "0.97", "2026-11-28 09:59:58 UTC", ids.latency, digest])
        assert.ok(told.includes(expected), expected);
    assert.ok(!told.includes("roll the index back"), "no evidence: something led to it");
    await page.screenshot({ path: pictures + "/paper.png", fullPage: true });
    await page.pdf({ path: pictures + "/paper.pdf", format: "A4" });
    await close();
});

test("ten thousand records can be looked at, folded", async () => {
    const many = await large(11000);
    const { page, faults, close } = await visit(why(many.at(-1), "?depth=10000"));
    await picture(page);
    await page.getByText(/10,000 nodes/).waitFor();
    await page.screenshot({ path: pictures + "/large.png" });
    await page.getByRole("link", { name: "Fetch the next 10,000" }).click();
    await page.getByText(/11,000 nodes/).waitFor();
    assert.match(page.url(), /pages=2/);
    await page.reload();
    await page.getByText(/11,000 nodes/).waitFor();
    await page.goBack();
    await page.getByText(/10,000 nodes/).waitFor();
    await page.goto(process.env.REASON_URL + "/ui/" + why(many.at(-1), "?depth=10000&view=tree"));
    await page.getByText(/more of 1\d,?\d{3}/).waitFor();
    assert.deepEqual(faults, []);
    await close();
});

test("a thousand records move at more than fifty frames a second, and two hundred are there in half a second", async () => {
    const few = await large(200), many = await large(1000), { page, context, close } = await visit("#/find"), session = await context.newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const spent = async () => (await session.send("Performance.getMetrics")).metrics.find((metric) => metric.name === "TaskDuration").value;
    const waits = [], works = [];
    for (let i = 0; i < 5; i++) {
        await page.goto(process.env.REASON_URL + "/ui/" + why(few.at(-1), "?depth=10000"));
        await page.reload();
        await picture(page);
        // Counted anew for each page.
        works.push(await spent() * 1000);
        waits.push(await page.evaluate(() => performance.getEntriesByName("picture")[0].startTime));
    }
    await page.goto(process.env.REASON_URL + "/ui/" + why(many.at(-1), "?depth=10000"));
    await page.getByText(/1,000 nodes/).waitFor();
    await page.locator("canvas").waitFor();
    const pan = () => page.evaluate(async () => {
        const canvas = document.querySelector("canvas"), send = (type, x) => canvas.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientX: x, clientY: 400, bubbles: true }));
        canvas.setPointerCapture = () => undefined;
        send("pointerdown", 600);
        const began = performance.now();
        let frames = 0;
        for (; performance.now() - began < 1500; frames++) {
            send("pointermove", 600 + 300 * Math.sin(frames / 20));
            await new Promise(requestAnimationFrame);
        }
        send("pointercancel", 600);
        return { frames, seconds: (performance.now() - began) / 1000 };
    });
    const rates = [], costs = [];
    for (let i = 0; i < 5; i++) {
        const before = await spent(), { frames, seconds } = await pan();
        rates.push(frames / seconds);
        costs.push((await spent() - before) / frames * 1000);
    }
    console.log(`# 200 records: picture after ${Math.round(Math.min(...waits))} ms, of them ${Math.round(Math.min(...works))} of the page's thread; 1,000 records: ${Math.max(...rates).toFixed(1)} frames a second, ${Math.min(...costs).toFixed(1)} ms of the page's thread each`);
    // Of the thread's own time, which does not depend on what else the machine does.
    assert.ok(Math.min(...costs) < 20, `${costs}`);
    assert.ok(Math.min(...works) < 500, `${works}`);
    await close();
});

test("the certificate that make up makes for a browser opens the explorer", async () => {
    const { page, close } = await visit("#/find", { clientCertificates: [{ origin: process.env.REASON_URL, pfxPath: process.env.REASON_RUN_DIR + "/tls/browser.p12", passphrase: "reason" }] });
    await page.getByText(/\d records?,.* the newest first/).waitFor();
    await close();
});

test("what rests on a record is a list, decisions first", async () => {
    const { page, close } = await visit(`#/impact/${ids.latency}`);
    await page.getByRole("heading", { name: "What rests on it" }).waitFor();
    const rows = page.locator("tbody tr");
    await rows.first().waitFor();
    assert.match(await rows.first().textContent(), /decision/);
    assert.ok(await rows.count() >= 5);
    await close();
});

test("snapshots that differ show what came", async () => {
    const freeze = async () => (await call("POST", "/reason/snapshot", { rootNodeIds: [ids.decision] }, "kernel", { Prefer: "wait=30" })).snapshotId;
    const one = await freeze(), more = await node("observation", "sensor", { text: "after the first" });
    await edge(more, ids.decision, "supports", 0.1);
    const two = await freeze();
    let opened = await visit(`#/compare?a=${one}&b=${two}`);
    await opened.page.getByText(/2 added, 0 gone, 0 changed/).waitFor();
    assert.ok(opened.asked.some((url) => url.includes(`/reason/diff?a=${one}&b=${two}`)));
    await opened.close();
    opened = await visit(`#/compare?a=${two}&b=${one}`);
    await opened.page.getByText(/0 added, 2 gone, 0 changed/).waitFor();
    await picture(opened.page);
    await opened.page.getByText(/As a list/).click();
    await opened.page.locator(".results").getByText("after the first").waitFor();
    assert.match(await opened.page.getByRole("list", { name: "Edges that differ" }).textContent(), /gone supports 0\.1 from .*after the first to roll back release 2026\.48/);
    await opened.close();
    await edge(more, ids.decision, "supports", 0.9);
    const { page, close } = await visit(`#/compare?a=${two}&b=${await freeze()}`);
    await page.getByText(/0 added, 0 gone, 1 changed/).waitFor();
    await close();
});
