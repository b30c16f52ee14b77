/* How states, paths, sizes and addresses of the explorer look to a person. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { call, edge, large, node, now, picture, pictures, printed, request, sql, story, visit } from "./lib.mjs";

const { env } = process, ids = await story(), why = (id, parameters = "") => `#/why/${id}${parameters}`;

test("a card that shows a state shows when it was recorded and its confidence all the same", async () => {
    const wrong = await node("observation", "sensor", { text: "a value in doubt" }, { metadata: { confidence: 0.61 } }), decided = await node("decision", "kernel", { text: "decided in doubt" }, { metadata: { confidence: 0.7 } });
    await edge(wrong, decided, "causal");
    await edge(await node("correction", "ops", { text: "it was another" }), wrong, "corrects");
    const { page, close } = await visit(why(decided));
    await picture(page);
    const { cards, texts } = await printed(page), card = cards.find((box) => texts.some(({ text, x, y }) => text === "a value in doubt" && x > box.x && x < box.right && y > box.y && y < box.bottom));
    const told = texts.filter(({ x, y, bottom }) => x > card.x && x < card.right && y > card.y && bottom < card.bottom + 2).map(({ text }) => text);
    assert.deepEqual(told.slice(0, 3), ["observation · sensor", "a value in doubt", "corrected"]);
    assert.match(told[3], /^recorded \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    assert.equal(told[4], "confidence 0.61");
    await close();
});

test("the label of an edge from a record to itself stands beside its card, not below it", async () => {
    const odd = await node("hypothesis", "agent", { text: "because of itself" });
    await edge(odd, odd, "influencedBy", 0.4);
    await edge(odd, await node("decision", "kernel", { text: "decided in a circle" }), "supports", 0.3);
    const { page, close } = await visit(why(odd, "?direction=descendants"));
    await picture(page);
    const { cards, texts } = await printed(page), labels = texts.filter(({ middle }) => middle);
    assert.deepEqual(labels.map(({ text }) => text).sort(), ["influencedBy 0.4", "supports 0.3"]);
    for (const label of labels)
        assert.ok(cards.every((card) => label.right <= card.x || label.x >= card.right || label.bottom <= card.y || label.y >= card.bottom), JSON.stringify([label, cards]));
    assert.ok(labels[0].right < labels[1].x || labels[0].x > labels[1].right || labels[0].bottom < labels[1].y || labels[0].y > labels[1].bottom);
    await close();
});

test("the tree tells which edges the strongest path has", async () => {
    const { page, close } = await visit(why(ids.decision, `?view=tree&path=selected&select=${ids.latency}`));
    const strong = page.getByRole("treeitem").filter({ hasText: "on the strongest path" });
    await strong.first().waitFor();
    assert.deepEqual(await strong.locator(".note").allTextContents(), ["roll the index back", "the new index slows checkout", "anomaly score 0.93", "latency of checkout rose to 840 ms"]);
    await close();
});

test("the tree tells what lies beyond where the walk stopped, opens it by a key, and the address has it", async () => {
    const { page, close } = await visit(why(ids.decision, "?view=tree&depth=1")), items = page.getByRole("treeitem");
    const stub = items.filter({ hasText: /roll the index back.*\+1 cause/ });
    await stub.waitFor();
    assert.equal(await stub.getAttribute("aria-expanded"), "false");
    await stub.focus();
    await page.keyboard.press("ArrowRight");
    await items.filter({ hasText: "latency of checkout" }).waitFor();
    assert.equal(await items.count(), 8);
    assert.match(page.url(), new RegExp(`beyond=${ids.recommendation}`));
    await page.reload();
    await items.filter({ hasText: "latency of checkout" }).waitFor();
    await page.goBack();
    await items.filter({ hasText: "latency of checkout" }).waitFor({ state: "detached" });
    assert.equal(await items.count(), 3);
    await close();
});

test("a stub that is opened shows the stubs beyond it, and no more than there is", async () => {
    const chain = [];
    for (let i = 0; i < 8; i++) {
        chain.push(await node("observation", "chain", { text: `link ${i}` }));
        if (i > 0)
            await edge(chain[i - 1], chain[i], "causal");
    }
    const { page, close } = await visit(why(chain[7], `?view=tree&depth=1&beyond=${chain[6]}`)), items = page.getByRole("treeitem");
    await items.filter({ hasText: /link 3.*\+1 cause/ }).waitFor();
    await items.filter({ hasText: "link 3" }).focus();
    await page.keyboard.press("ArrowRight");
    await items.filter({ hasText: "link 0" }).waitFor();
    assert.doesNotMatch((await items.allTextContents()).join("\n"), /\+|goes on|the walk stopped here/);
    await close();
});

test("what lies beyond is counted as of the time that is looked at", async () => {
    const decided = await node("decision", "kernel", { text: "decided before more was known" }), because = await node("hypothesis", "agent", { text: "for a reason" });
    await edge(because, decided, "causal");
    await edge(await node("observation", "sensor", { text: "known then" }), because, "supports");
    const then = now();
    await edge(await node("observation", "sensor", { text: "known later" }), because, "supports");
    for (const [parameters, words] of [[`&asOf=${then}`, /\+1 cause$/], ["", /\+2 causes$/]]) {
        const { page, close } = await visit(why(decided, `?view=tree&depth=1${parameters}`));
        await page.getByRole("treeitem").filter({ hasText: words }).waitFor();
        await close();
    }
});

test("which branches of the tree are closed is part of the address", async () => {
    const { page, close } = await visit(why(ids.decision, "?view=tree")), items = page.getByRole("treeitem");
    await items.filter({ hasText: "roll the index back" }).focus();
    await page.keyboard.press("ArrowLeft");
    await items.filter({ hasText: "latency of checkout" }).waitFor({ state: "detached" });
    await page.reload();
    await items.first().waitFor();
    assert.equal(await items.count(), 3);
    await close();
});

test("at 390 pixels a record opens over the page, is read at once, and its end leads back", async () => {
    const { page, close } = await visit(why(ids.decision, "?view=tree"), { viewport: { width: 390, height: 800 } });
    const item = page.getByRole("treeitem").filter({ hasText: "anomaly score" }), record = page.getByRole("article");
    await item.focus();
    await page.keyboard.press("Enter");
    await record.waitFor();
    const { y, height } = await record.boundingBox();
    assert.ok(y > 100 && y < 600 && y + height <= 801, `${y} ${height}`);
    assert.ok(await record.evaluate((element) => element === document.activeElement));
    await page.keyboard.press("Escape");
    await record.waitFor({ state: "detached" });
    assert.ok(await item.evaluate((element) => element === document.activeElement));
    await close();
});

test("compare takes the record that one comes from, and offers what was known when it was recorded", async () => {
    const { page, close } = await visit(why(ids.decision));
    await picture(page);
    await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: "Compare" }).click();
    await page.getByRole("heading", { name: "Compare" }).waitFor();
    assert.equal(await page.getByLabel("Snapshot or node").inputValue(), ids.decision);
    await page.getByText("roll back release 2026.48").waitFor();
    await page.getByRole("link", { name: "When it was recorded, with now" }).click();
    // Its reasons were written with it, though their edges came after it.
    await page.getByRole("status").getByText("0 added, 0 gone, 0 changed").waitFor();
    await page.goto(`${env.REASON_URL}/ui/#/compare?node=${ids.recommendation}`);
    await page.getByLabel("with", { exact: true }).fill(ids.decision);
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByRole("status").getByText(/[1-9]\d* added/).waitFor();
    await close();
});

test("what was known then is the same in the reasons of a record, among the effects of another, and compared with now", async () => {
    const cause = await node("observation", "sensor", { text: "known all along" }), decided = await node("decision", "kernel", { text: "decided on what was known" });
    await edge(cause, decided, "supports");
    await edge(await node("observation", "sensor", { text: "learnt afterwards" }), decided, "supports");
    const meant = [], { page, close } = await visit(why(decided, "?view=tree")), items = page.getByRole("treeitem");
    const opens = async (place, name) => {
        await page.goto("about:blank");
        await page.goto(env.REASON_URL + "/ui/" + place);
        await page.getByRole("link", { name }).click();
        await page.waitForURL((url) => /asOfA?=\d{4}/.test(decodeURIComponent(url.hash)));
        const parameters = new URLSearchParams(page.url().split("?")[1]);
        meant.push(parameters.get("asOf") ?? parameters.get("asOfA"));
    };
    for (const [place, name] of [[why(decided, "?view=tree"), "What was known when this was recorded"], [why(decided, `?view=tree&select=${decided}`), "What was known then"], [why(cause, `?view=tree&direction=descendants&select=${decided}`), "What was known then"], [why(decided, "?direction=descendants"), "What was known when this was recorded"]]) {
        await opens(place, name);
        if (!/view=tree/.test(page.url()))
            await page.getByRole("tab", { name: "Tree" }).click();
        await items.filter({ hasText: "known all along" }).waitFor();
        assert.equal(await items.count(), 2, place);
    }
    await opens(`#/compare?node=${decided}`, "When it was recorded, with now");
    await page.getByRole("status").getByText("2 added, 0 gone, 0 changed").waitFor();
    assert.deepEqual([...new Set(meant)].length, 1, meant.join());
    await close();
});

test("while a list is looked for, the one of before says that it is", async () => {
    const { page, close } = await visit(`#/find?authors=sensor:eu-1`), busy = () => page.locator("main section").getAttribute("aria-busy");
    await page.locator(".results li").first().waitFor();
    // As soon as the address is another, before anything is asked for or painted.
    await page.evaluate(() => window.addEventListener("hashchange", () => setTimeout(() => {
        const section = document.querySelector("main section");
        globalThis.seen = `${section.querySelectorAll("li").length > 0 ? "old" : "new"} ${section.getAttribute("aria-busy")}`;
    })));
    await page.route("**/reason/query", async (route) => { await new Promise((resolve) => { setTimeout(resolve, 300); }); await route.continue(); });
    await page.getByLabel("Authors").fill("nobody");
    await page.getByRole("button", { name: "Find" }).click();
    await page.getByText("Nothing was found.").waitFor();
    assert.equal(await busy(), "false");
    assert.equal(await page.evaluate(() => globalThis.seen), "old true");
    await close();
});

test("who finds more than a page holds is told so, and when it was the last", async () => {
    await call("POST", "/nodes", { nodes: Array.from({ length: 70 }, (_, i) => ({ type: "SCORE", actor: "counter", payload: { text: `count ${i}` } })) });
    const { page, close } = await visit("#/find?authors=counter");
    await page.getByText("first 50 records, more follow, the newest first").waitFor();
    await page.getByRole("link", { name: "Next page" }).click();
    await page.getByText("further 20 records, and no more, the newest first").waitFor();
    await close();
});

test("an address that names no view says so, and shows Find", async () => {
    const { page, close } = await visit("#/whence?text=x");
    await page.getByRole("alert").getByText('there is no view "whence"; this is Find').waitFor();
    await page.getByRole("heading", { name: "Find" }).waitFor();
    await close();
});

test("what corrects or contradicts a record is told apart from what it rests on", async () => {
    const wrong = await node("score", "model", { text: "a wrong score" }), correction = await node("correction", "ops", { text: "it was less" }), ground = await node("observation", "sensor", { text: "its ground" });
    await edge(ground, wrong, "derivedFrom");
    await edge(correction, wrong, "corrects");
    await edge(await node("observation", "sensor", { text: "it says otherwise" }), wrong, "contradicts", 0.6);
    const { page, close } = await visit(why(wrong, `?view=tree&select=${wrong}`)), record = page.getByRole("article"), under = async (title) => record.locator("section", { has: page.getByRole("heading", { name: title }) }).locator("li").allTextContents();
    await record.getByRole("heading", { name: "Rests on (1)" }).waitFor();
    assert.match((await under("Rests on")).join(), /^derivedFrom, weight 1 observation its ground$/);
    assert.match((await under("Contradicted by")).join(), /contradicts, weight 0\.6 observation it says otherwise/);
    assert.match((await under("Corrected by")).join(), /it was less/);
    await page.goto(`${env.REASON_URL}/ui/${why(wrong, `?view=tree&select=${correction}`)}`);
    await record.getByRole("heading", { name: "Corrects (1)" }).waitFor();
    assert.deepEqual(await under("Leads to"), []);
    await close();
});

test("what is looked at is exported in every form, consequences as consequences", async () => {
    const { page, close } = await visit(why(ids.latency, "?direction=descendants&view=tree&depth=2"));
    await page.getByRole("treeitem").first().waitFor();
    const links = await page.getByRole("link", { name: /^(As text|Markdown|SVG|DOT|Mermaid|PROV-JSON|CSV of .*)$/ }).evaluateAll((anchors) => anchors.map((anchor) => anchor.getAttribute("href")));
    assert.equal(links.length, 9);
    for (const link of links) {
        const { status, bytes } = await request("GET", link), told = bytes.toString().replace(/#(\d+);/g, (_, code) => String.fromCharCode(code));
        assert.equal(status, 200, link);
        assert.ok(!told.includes("roll back release"), "it is further than two steps");
        // Other tests cut nothing short: here the walk stops for its depth.
        assert.match(told, /CUT/, link);
        if (/format=(human|markdown|svg|mermaid)/.test(link))
            assert.match(told, /What came of/, link);
    }
    await close();
});

test("health shows an auditor the head of each chain, and how far its checkpoint is behind", async () => {
    const { page, close } = await visit("#/health", { client: "auditor" }), row = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: "default", exact: true }) });
    await row.waitFor();
    const { head } = (await call("GET", "/reason/divisions", undefined, "auditor")).divisions.find(({ division }) => division === "default");
    assert.match(await row.textContent(), /[\d,]+ events?, the last \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC.*[0-9a-f]{64}/);
    assert.match(head.hash, /^[0-9a-f]{64}$/);
    await close();
    const other = await visit("#/health");
    await other.page.getByText("for auditors and administrators").first().waitFor();
    await other.close();
});

test("health says in plain words what is wrong while the sidecar stands still, and that all is well again", async () => {
    const pid = Number(readFileSync(env.REASON_RUN_DIR + "/sidecar.pid", "utf8")), { page, faults, close } = await visit("#/health"), again = page.getByRole("button", { name: "Look again" });
    const until = async (words) => {
        for (const end = Date.now() + 120000; !(await page.locator("main").textContent()).includes(words);) {
            assert.ok(Date.now() < end, await page.locator("main").textContent());
            await again.click();
            await page.waitForFunction(() => document.querySelector("[aria-busy]")?.getAttribute("aria-busy") === "false");
        }
    };
    await until("All is well");
    assert.match(await page.locator("dl").textContent(), /Sidecar's last sign of life(less than a second|\d+ seconds?) ago(:|Time)/);
    process.kill(pid, "SIGSTOP");
    try {
        await until("No sidecar that signs has reported lately. What is written is kept");
        // The rest is told all the same.
        await page.getByRole("rowheader", { name: "local-development", exact: true }).waitFor();
        assert.match(await page.locator("dl").textContent(), /Sidecar's last sign of life\d+ (seconds|minutes?) ago: it reports every few seconds while it runs, and counts as away after 15/);
        assert.equal(await page.getByText("All is well").count(), 0);
    } finally {
        process.kill(pid, "SIGCONT");
    }
    await until("All is well");
    assert.deepEqual(faults.filter((fault) => !/status of 503/.test(fault)), []);
    await close();
});

test("health does not say that all is well in safe mode, or while a chain has halted", async () => {
    const ready = { ok: true, db: "up", signer: "up", objectStore: "up", auditLagSeconds: 0, haltedChains: 0, memory: "file", safeMode: false, sidecarReportSeconds: null, time: "2026-11-28T10:00:00Z" };
    const { page, close } = await visit("#/find");
    for (const [state, words] of [[{ safeMode: true }, "nothing is written until an administrator has looked"], [{ haltedChains: 2 }, "2 chains halted"], [{ ok: false, auditLagSeconds: 75 }, "waits for 75 seconds"]]) {
        await page.route("**/ready", (route) => route.fulfill({ status: state.ok === false ? 503 : 200, json: { ...ready, ...state } }));
        await page.goto(`${env.REASON_URL}/ui/#/health`);
        await page.reload();
        await page.getByText(words).waitFor();
        await page.getByText("none that the database knows of").waitFor();
        assert.equal(await page.getByText("All is well").count(), 0);
        await page.unroute("**/ready");
    }
    await close();
});

test("each edge has its direction, and one that contradicts looks different", async () => {
    const { page, close } = await visit(why(ids.decision));
    await picture(page);
    await printed(page);
    const [lines, arrows] = await page.locator(".paper svg").evaluate((svg) => [[...svg.querySelectorAll("polyline")].map((line) => `${line.getAttribute("stroke")} ${line.getAttribute("stroke-dasharray")}`), svg.querySelectorAll("polygon").length]);
    assert.equal(lines.length, 7);
    assert.equal(arrows, 7);
    const [odd, ...others] = [...new Set(lines)].sort((a, b) => lines.filter((line) => line === a).length - lines.filter((line) => line === b).length);
    assert.equal(others.length, 1);
    assert.equal(lines.filter((line) => line === odd).length, 1);
    assert.match(odd, / 7 4$/);
    await close();
});

test("the timeline is in the order of what was recorded, or of what occurred", async () => {
    const decided = await node("decision", "kernel", { text: "decided last" });
    for (const [text, ts] of [["told first, of yesterday", "2026-11-27T10:00:00Z"], ["told next, of long ago", "2020-01-01T00:00:00Z"]])
        await edge(await node("observation", "sensor", { text }, { ts }), decided, "supports");
    const { page, close } = await visit(why(decided, "?view=time")), rows = page.locator(".timeline li .note");
    await rows.first().waitFor();
    assert.deepEqual(await rows.allTextContents(), ["decided last", "told first, of yesterday", "told next, of long ago"]);
    await page.getByLabel("when it occurred, by its author's word").check();
    await page.waitForURL(/by=occurred/);
    assert.deepEqual(await rows.allTextContents(), ["told next, of long ago", "told first, of yesterday", "decided last"]);
    await close();
});

test("the timeline says what came after, as picture and tree do", async () => {
    const decided = await node("decision", "kernel", { text: "decided on time" });
    await edge(await node("observation", "sensor", { text: "found too late" }), decided, "supports");
    const { page, close } = await visit(why(decided, "?view=time"));
    await page.locator(".timeline li").filter({ hasText: /found too late.*came after/ }).waitFor();
    assert.equal(await page.locator(".timeline li").filter({ hasText: "came after" }).count(), 1);
    await page.getByRole("link", { name: "What was known when this was recorded" }).click();
    await page.getByLabel("show what came since").check();
    await page.locator(".timeline li").filter({ hasText: /found too late.*came since/ }).waitFor();
    await close();
});

test("one folds by level, type or author, and chooses the depth", async () => {
    const { page, close } = await visit(why(ids.decision));
    await picture(page);
    for (const by of ["level", "type", "author"]) {
        await page.getByLabel("Fold by").selectOption(by);
        await page.waitForURL(new RegExp(`fold=${by}`));
        await page.waitForFunction(() => {
            window.dispatchEvent(new Event("beforeprint"));
            return /2 × observation by sensor/.test(document.querySelector(".paper svg")?.textContent ?? "");
        });
    }
    await page.getByLabel(/^Depth/).fill("1");
    await page.locator(".summary").getByText(/3 nodes/).waitFor();
    assert.match(page.url(), /depth=1/);
    await close();
});

test("the slider of times goes back, by the keyboard too", async () => {
    const { page, close } = await visit(why(ids.decision, "?view=tree"));
    await page.getByRole("treeitem").first().waitFor();
    await page.getByLabel(/^As of/).focus();
    await page.keyboard.press("Home");
    // To when the record itself was recorded, and nothing led to it yet.
    await page.waitForFunction(() => document.querySelectorAll("[role=treeitem]").length === 1);
    const { node: { createdAt } } = await call("GET", `/reason/node/${ids.decision}`);
    assert.equal(new URLSearchParams(page.url().split("?")[1]).get("asOf"), createdAt);
    await page.keyboard.press("End");
    await page.waitForFunction(() => document.querySelectorAll("[role=treeitem]").length === 8);
    assert.doesNotMatch(page.url(), /asOf=/);
    await close();
});

test("a snapshot is saved as document and envelope, and who may make none is told whom to ask", async () => {
    const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: [ids.decision] }, "kernel", { Prefer: "wait=30" });
    let opened = await visit(`#/snapshot/${snapshotId}`);
    for (const [button, name] of [["Document", `${snapshotId}.json`], ["Envelope", `${snapshotId}.envelope.json`]]) {
        const coming = opened.page.waitForEvent("download");
        await opened.page.getByRole("button", { name: button }).click();
        assert.equal((await coming).suggestedFilename(), name);
    }
    await opened.close();
    opened = await visit(`#/freeze/${ids.decision}`, { client: "reader" });
    await opened.page.getByRole("button", { name: "Freeze", exact: true }).click();
    await opened.page.getByText(/may not make snapshots\. Ask for a client with the role/).waitFor();
    await opened.close();
});

test("what is redacted for somebody says so", async () => {
    const held = await node("observation", "sensor", { text: "write to kyle.reese@example.org" }), { page, close } = await visit(why(held, "?view=tree"), { client: "masked" });
    await page.getByRole("treeitem").filter({ hasText: /redacted:.*redacted$/ }).waitFor();
    await close();
});

test("an address with a depth, a path or a time that cannot be says so or goes on, and leads back to now", async () => {
    for (const depth of ["x", "-1", "1.5"]) {
        const { page, close } = await visit(why(ids.decision, `?depth=${depth}&path=zzz`));
        await page.getByText("Depth 10", { exact: true }).waitFor();
        await page.locator(".summary").getByText(/[1-9]\d* edges/).waitFor();
        assert.equal(await page.getByText("No path supports it").count(), 0);
        await close();
    }
    for (const asOf of ["1990-01-01T00:00:00Z", "yesterday"]) {
        const { page, close } = await visit(why(ids.decision, `?asOf=${asOf}`));
        await page.getByRole("link", { name: "Back to now" }).click();
        await page.locator(".summary").getByText(/[1-9]\d* edges/).waitFor();
        await close();
    }
});

test("a stub that was opened, and filters, leave a picture that holds in another direction, at another time and beside the tree", async () => {
    const { page, faults, close } = await visit(why(ids.decision, `?view=tree&depth=1&beyond=${ids.recommendation}`)), items = page.getByRole("treeitem");
    await items.filter({ hasText: "latency of checkout" }).waitFor();
    await page.getByLabel("Direction").selectOption("descendants");
    await items.filter({ hasText: "rollback started" }).waitFor();
    // The cause that was opened is none of its effects.
    assert.deepEqual(await items.locator(".note").allTextContents(), ["roll back release 2026.48", "rollback started"]);
    await page.getByLabel("Direction").selectOption("ancestors");
    await items.filter({ hasText: "latency of checkout" }).waitFor();
    await page.getByText("Filters").click();
    await page.getByRole("checkbox", { name: "hypothesis" }).uncheck();
    await items.filter({ hasText: /anomaly score 0\.93.*what joins it to the rest is left out by the filters/ }).waitFor();
    // The tree has what the picture has.
    assert.deepEqual((await items.locator(".note").allTextContents()).sort(), ["a canary changed nothing", "allowed outside the freeze", "anomaly score 0.93", "error rate 2.1 percent", "latency of checkout rose to 840 ms", "roll back release 2026.48", "roll the index back"]);
    await page.getByRole("tab", { name: "Picture" }).click();
    await picture(page);
    assert.equal((await printed(page)).cards.length, 7);
    // When it was recorded the stub was not there.
    const { node: { createdAt } } = await call("GET", `/reason/node/${ids.decision}`);
    await page.goto(`${env.REASON_URL}/ui/${why(ids.decision, `?view=tree&depth=1&beyond=${ids.recommendation}&asOf=${createdAt}`)}`);
    await page.locator(".summary").getByText(/^1 node, 0 edges/).waitFor();
    assert.deepEqual(faults, []);
    await close();
});

test("several edges between the same two records, and folds, stand beside each other", async () => {
    const cause = await node("observation", "sensor", { text: "seen twice" }), decided = await node("decision", "kernel", { text: "decided on it twice" });
    for (const [type, weight] of [["supports", 0.5], ["contradicts", 0.3], ["causal", 1]])
        await edge(cause, decided, type, weight);
    await edge(decided, cause, "influencedBy", 0.2);
    const { page, close } = await visit(why(decided));
    await picture(page);
    const labels = (await printed(page)).texts.filter(({ middle }) => middle);
    assert.deepEqual(labels.map(({ text }) => text).sort(), ["causal", "contradicts 0.3", "influencedBy 0.2", "supports 0.5"]);
    for (const [i, a] of labels.entries())
        assert.ok(labels.slice(i + 1).every((b) => a.right <= b.x || a.x >= b.right || a.bottom - 3 <= b.y || a.y >= b.bottom - 3), JSON.stringify(labels));
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    const lines = await page.locator(".paper svg polyline").evaluateAll((all) => all.map((line) => line.getAttribute("points").split(",")[0]));
    assert.equal(new Set(lines).size, 4);
    await close();
});

test("what differs is told in words, on paper too: on cards, on edges, and as a list", async () => {
    const decided = await node("decision", "kernel", { text: "decided before" }), wrong = await node("observation", "sensor", { text: "a value that was wrong" });
    await edge(wrong, decided, "supports", 0.5);
    const then = now(), late = await node("observation", "sensor", { text: "a value that came late" });
    await edge(late, decided, "supports", 0.25);
    await edge(await node("correction", "ops", { text: "it was another" }), wrong, "corrects");
    const { page, close } = await visit(`#/compare?node=${decided}&asOfA=${then}`);
    await picture(page);
    const { texts, cards } = await printed(page), states = texts.map(({ text }) => text).filter((text) => /^(added|changed|gone)/.test(text));
    assert.deepEqual(states.sort(), ["added", "added", "changed · corrected"]);
    assert.ok(texts.some(({ text }) => text === "supports 0.25, added") && texts.some(({ text }) => text === "corrects, added") && texts.some(({ text }) => text === "supports 0.5"));
    assert.equal(cards.length, 4);
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ media: "print" });
    // Which two sides these are, and the list that is closed on the screen.
    const told = page.locator("p.paper");
    assert.match(await told.textContent(), new RegExp(`decided before ${decided} as of .* UTC, compared with decided before ${decided}`));
    const line = page.locator(".results").getByText("a value that came late");
    assert.ok(await line.evaluate((element) => element.checkVisibility({ contentVisibilityAuto: true, checkVisibilityCSS: true }) && element.getBoundingClientRect().height > 5));
    await page.screenshot({ path: pictures + "/compared-paper.png", fullPage: true });
    await close();
});

test("what is the same on both sides can be read as well as what differs", async () => {
    for (const colorScheme of ["light", "dark"]) {
        const { page, close } = await visit(`#/compare?node=${ids.decision}&asOfA=${now()}`, { colorScheme });
        await page.getByText("0 added, 0 gone, 0 changed").waitFor();
        await picture(page);
        for (let i = 0; i < 6; i++)
            await page.getByRole("button", { name: "Closer" }).click();
        await page.waitForTimeout(300);
        // The ink of texts, of which there is most in the picture beside its ground.
        const contrast = await page.locator("canvas").evaluate((canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height), linear = (c) => c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
            let least = 1, most = 0;
            for (let i = 0; i < data.length; i += 4) {
                const light = 0.2126 * linear(data[i]) + 0.7152 * linear(data[i + 1]) + 0.0722 * linear(data[i + 2]);
                least = Math.min(least, light);
                most = Math.max(most, light);
            }
            return (most + 0.05) / (least + 0.05);
        });
        assert.ok(contrast > 10, `${colorScheme}: ${contrast}`);
        await close();
    }
});

test("a picture that takes long to lay out says so, and another that is asked for meanwhile does not wait for it", async () => {
    const many = await large(3000), { page, faults, close } = await visit(why(many.at(-1), "?depth=10000"));
    await picture(page);
    // Each for itself: 3,000 in one picture, and 80 in another.
    await page.locator("canvas").focus();
    await page.keyboard.press("ArrowUp");
    // The first arrow begins where the picture does: with what it is about.
    await page.waitForURL(new RegExp(`select=${many.at(-1)}`));
    await page.getByLabel("Fold by").selectOption("author");
    const drawing = page.locator(".drawing");
    assert.equal(await drawing.getAttribute("aria-busy"), "true");
    await page.getByText("Drawing…").waitFor();
    const before = await page.evaluate(() => performance.getEntriesByName("picture").length);
    await page.getByLabel("Fold by").selectOption("level");
    await page.waitForFunction((n) => performance.getEntriesByName("picture").length === n + 1 && document.querySelector(".drawing").getAttribute("aria-busy") === "false", before);
    // That by author never came.
    assert.ok((await printed(page)).texts.some(({ text }) => /^\d+ × nodes by 7 authors$/.test(text)));
    assert.deepEqual(faults, []);
    await close();
});

test("by the keyboard alone one finds a record, reads one that led to it, and is back where one was", async () => {
    const { page, close } = await visit("#/find"), focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
    const tabTo = async (words) => {
        for (let i = 0; i < 60 && !words.test(await focused()); i++)
            await page.keyboard.press("Tab");
        assert.match(await focused(), words);
    };
    await page.getByRole("searchbox", { name: "Text, or an id" }).waitFor();
    for (let i = 0; i < 20 && !await page.evaluate(() => document.activeElement.name === "text"); i++)
        await page.keyboard.press("Tab");
    await page.keyboard.type("roll back release 2026.48");
    await page.keyboard.press("Enter");
    await page.waitForURL(/text=roll/);
    await page.locator(".results .note").getByText("roll back release 2026.48").first().waitFor();
    await page.waitForFunction(() => document.querySelector("section[aria-busy=false]"));
    await tabTo(/^decision roll back release 2026\.48/);
    await page.keyboard.press("Enter");
    await picture(page);
    await tabTo(/^Causes of .*Arrow keys/);
    const record = page.getByRole("article");
    await page.keyboard.press("ArrowUp");
    await record.waitFor();
    await page.keyboard.press("ArrowUp");
    await page.getByRole("article", { name: /^(recommendation|policyCheck)/ }).waitFor();
    for (let i = 0; i < 60 && !await record.evaluate((element) => element.contains(document.activeElement)); i++)
        await page.keyboard.press("Tab");
    assert.equal(await focused(), "Close");
    await page.keyboard.press("Escape");
    await record.waitFor({ state: "detached" });
    assert.match(await focused(), /^Causes of/);
    await close();
});

test("a snapshot of which the service gives other bytes, or other keys, is refused in the page", async () => {
    const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: [ids.decision] }, "kernel", { Prefer: "wait=30" }), { page, close } = await visit(`#/snapshot/${snapshotId}`);
    const verdict = page.locator("[data-verdict]"), verify = page.getByRole("button", { name: "Verify here" });
    await verify.click();
    await page.locator("[data-verdict=verified]").waitFor();
    await page.route("**/reason/snapshot/*?format=canonical*", async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, body: (await answer.text()).replace("roll the index back", "keep the new index") });
    });
    await verify.click();
    await page.locator("[data-verdict=refused]").waitFor();
    assert.doesNotMatch(await verdict.textContent(), /✓ hash/);
    await page.unroute("**/reason/snapshot/*?format=canonical*");
    await page.route("**/reason/signers", async (route) => {
        const answer = await route.fetch(), { signers } = await answer.json(), keys = signers.map(({ publicKey }) => publicKey);
        await route.fulfill({ response: answer, json: { signers: signers.map((signer, i) => ({ ...signer, publicKey: keys[(i + 1) % keys.length] })) } });
    });
    await page.reload();
    await verify.click();
    await page.locator("[data-verdict=refused]").waitFor();
    await close();
});

test("who may not see personal data is told so where it is held, and sees all else", async () => {
    const held = await node("observation", "sensor", { text: "write to miles.dyson@example.org" }), end = await node("decision", "kernel", { text: "answered as asked" });
    await edge(held, end, "causal");
    const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: [end], description: "asked by miles.dyson@example.org" }, "kernel", { Prefer: "wait=30" });
    for (const [place, words] of [[`#/snapshot/${snapshotId}`, "Status"], [`#/compare?a=${snapshotId}&b=${end}`, "the snapshot holds personal data, which this client may not see"], [`#/impact/${held}`, "answered as asked"], [why(end, "?view=tree"), "[redacted:email]"]]) {
        const { page, faults, close } = await visit(place, { client: "masked" });
        await page.getByText(words).first().waitFor();
        if (place.includes("snapshot")) {
            for (const name of ["Verify here", "Document"]) {
                await page.getByRole("button", { name }).click();
                await page.getByRole("alert").getByText("the snapshot holds personal data, which this client may not see").waitFor();
            }
        }
        assert.ok(!(await page.locator("body").textContent()).includes("miles.dyson"), place);
        assert.deepEqual(faults, []);
        await close();
    }
});

test("what rests on a record and what differs are had as text, Markdown and CSV", async () => {
    for (const [place, parts] of [[`#/impact/${ids.latency}`, ["roll back release 2026.48"]], [`#/compare?a=${ids.recommendation}&b=${ids.decision}`, ["allowed outside the freeze", "added"]]]) {
        const { page, close } = await visit(place);
        for (const [name, type] of [["As text", /^text\/plain/], ["Markdown", /^text\/markdown/], ["CSV", /^text\/csv/]]) {
            const { status, headers, bytes } = await request("GET", await page.getByRole("link", { name, exact: true }).getAttribute("href")), told = bytes.toString().toLowerCase();
            assert.equal(status, 200);
            assert.match(headers["content-type"], type);
            for (const part of parts)
                assert.ok(told.includes(part), `${name}: ${told}`);
        }
        await close();
    }
});

test("at 390 pixels the divisions and signers of health are told one below the other", async () => {
    const { page, close } = await visit("#/health", { client: "auditor", viewport: { width: 390, height: 800 } });
    await page.getByRole("rowheader", { name: "default", exact: true }).waitFor();
    for (const cell of await page.locator("tbody td").all()) {
        const { x, width } = await cell.boundingBox();
        assert.ok(x >= 0 && x + width <= 390, await cell.textContent());
    }
    assert.equal(await page.locator("table").evaluateAll((tables) => tables.filter((table) => table.scrollWidth > table.clientWidth + 1).length), 0);
    await close();
});
