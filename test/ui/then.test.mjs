/* What was known when a record was recorded: nothing that came after it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { call, edge, node, random, root, visit } from "./lib.mjs";

const { env } = process, folder = mkdtempSync(tmpdir() + "/reason-then-");

/* The rule in its plain words: whether somebody who is told all that is known at a time is told no more than the record was written with. */
function isHonest(graph, about, time) {
    const known = (record) => record.createdAt <= time, after = (record) => record.createdAt > about.createdAt, seconds = (a, b) => (Date.parse(b) - Date.parse(a)) / 1000;
    const edges = [...graph.edges.values()].filter(known);
    return seconds(about.createdAt, time) <= 60 && ![...graph.nodes.values()].some((record) => known(record) && after(record))
        && edges.filter(after).every((one) => one.type !== "corrects" && [one.from, one.to].every((end) => !after(graph.nodes.get(end)))
            && seconds(graph.nodes.get(one.to).createdAt, about.createdAt) <= 60
            && edges.filter(({ from, to, type }) => from === one.from && to === one.to && type === one.type).length === 1);
}

test("of all times that show nothing that came after a record, the latest is meant, whatever was recorded in whatever order", async () => {
    const { build } = createRequire(root + "/gateway/ui/package.json")("esbuild");
    await build({ entryPoints: [root + "/gateway/ui/src/then.ts"], bundle: true, format: "esm", outfile: folder + "/then.mjs", logLevel: "silent" });
    const { knownAt } = await import(folder + "/then.mjs"), lengths = new Set();
    rmSync(folder, { recursive: true });
    for (let seed = 0; seed < 5000; seed++) {
        const next = random(seed), below = (most) => Math.floor(next() * most), graph = { nodes: new Map(), edges: new Map() }, slow = below(3) === 0 ? 15000000 : 300000;
        // Microseconds; now and then several records have the same time.
        let clock = Date.parse("2026-11-28T10:00:00Z") * 1000;
        const stamp = () => {
            clock += below(6) === 0 ? 0 : 1 + below(slow);
            return new Date(Math.floor(clock / 1000)).toISOString().replace("Z", String(clock % 1000).padStart(3, "0") + "Z");
        };
        const many = 3 + below(22);
        for (let i = 0; i < many; i++) {
            const ids = [...graph.nodes.keys()];
            if (ids.length < 2 || next() < 0.3)
                graph.nodes.set(`n${i}`, { id: `n${i}`, createdAt: stamp() });
            else
                graph.edges.set(`e${i}`, { id: `e${i}`, from: ids[below(ids.length)], to: ids[below(ids.length)], type: ["supports", "causal", "contradicts", "corrects"][below(12) % 4 === 3 ? 3 : below(3)], createdAt: stamp() });
        }
        const nodes = [...graph.nodes.values()], about = nodes[below(nodes.length)];
        const times = [...nodes, ...graph.edges.values()].map(({ createdAt }) => createdAt).filter((time) => time >= about.createdAt).sort();
        const expected = times.filter((time) => isHonest(graph, about, time)).at(-1);
        assert.equal(knownAt(graph, about.id), expected, JSON.stringify({ seed, about: about.id, nodes, edges: [...graph.edges.values()] }));
        lengths.add(times.indexOf(expected));
    }
    assert.ok(lengths.size > 4, "the sequences are of too few kinds");
});

test("nothing that came after a decision is shown as known then: no correction, no further evidence, no new weight", async () => {
    const salary = await node("observation", "bank", { text: "a salary of 2,400" }), score = await node("score", "model", { text: "a risk of 0.12" }), hypothesis = await node("hypothesis", "agent", { text: "can carry 450 a month" });
    const decided = await node("decision", "officer", { text: "grant the loan" });
    await edge(salary, score, "derivedFrom", 0.9);
    await edge(score, hypothesis, "supports", 0.8);
    const { createdAt: written } = await edge(hypothesis, decided, "causal", 0.9);
    // All of it within the same second.
    await edge(await node("correction", "bank", { text: "the salary was 1,400" }), salary, "corrects");
    await edge(await node("observation", "bureau", { text: "two late payments" }), score, "derivedFrom", 0.9);
    await edge(score, hypothesis, "supports", 0.4);
    const { page, close } = await visit(`#/why/${decided}?view=tree`), items = page.getByRole("treeitem"), notes = () => items.locator(".note").allTextContents();
    const timeIn = (name) => new URLSearchParams(page.url().split("?")[1]).get(name);
    await items.filter({ hasText: "two late payments" }).waitFor();
    await page.getByRole("link", { name: "What was known when this was recorded" }).click();
    await page.waitForURL(/asOf=\d{4}/);
    await items.filter({ hasText: "two late payments" }).waitFor({ state: "detached" });
    await items.filter({ hasText: "a salary of 2,400" }).waitFor();
    assert.equal(timeIn("asOf"), written);
    assert.deepEqual(await notes(), ["grant the loan", "can carry 450 a month", "a risk of 0.12", "a salary of 2,400"]);
    assert.doesNotMatch((await items.allTextContents()).join("\n"), /0\.4|corrected/);
    await page.goto(`${env.REASON_URL}/ui/#/why/${hypothesis}?view=tree&direction=descendants&select=${decided}`);
    await page.getByRole("article").getByRole("link", { name: "What was known then" }).click();
    await page.waitForURL(/why.*asOf=\d{4}/);
    assert.equal(timeIn("asOf"), written);
    await page.goto(`${env.REASON_URL}/ui/#/compare?node=${decided}`);
    await page.getByRole("link", { name: "When it was recorded, with now" }).click();
    await page.getByRole("status").getByText("4 added, 0 gone, 2 changed").waitFor();
    assert.equal(timeIn("asOfA"), written);
    // Nothing had come of it yet, although the edges to it came later.
    const { node: { createdAt } } = await call("GET", `/reason/node/${decided}`);
    for (const place of [`impact/${decided}?`, `why/${decided}?direction=descendants&view=tree&`]) {
        await page.goto(`${env.REASON_URL}/ui/#/${place}asOf=recorded`);
        await page.waitForURL(/asOf=\d{4}/);
        assert.equal(timeIn("asOf"), createdAt);
    }
    await close();
});
