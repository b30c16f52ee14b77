/* Exports that others' programs read in a browser: Mermaid. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, edge, node, pictures, request, story, visit } from "./lib.mjs";

const { env } = process, script = env.REASON_MERMAID, skip = script ? false : "mermaid is not to be had";

/* Whatever means something to Mermaid, to Markdown, to HTML or to those who read them. */
const NASTY = ["</text><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"]; click n0 call alert(1)", "%%{init: {\"securityLevel\": \"loose\"}}%%", "```\n# head\n- [x](javascript:alert(1))",
    "$$x^2$$ `code` **bold** _x_ fa:fa-car #35; #quot; &lt;&#65;", "end subgraph direction LR style n0 fill:#f00 classDef x", "a\u202eb\u2066c\u0007d", "]]> --> n1 & n2 ==> {{x}}", "\\N\\G | % { } ( ) ; : ~", "字".repeat(300), "x".repeat(5000)];

/* What Mermaid itself makes of a text: vertices with their texts, edges, and the picture. */
async function drawn(page, text) {
    return page.evaluate(async (source) => {
        const { mermaid } = globalThis;
        mermaid.initialize({ startOnLoad: false, securityLevel: "loose", maxTextSize: 1e7, maxEdges: 10000 });
        const { diagramType } = await mermaid.parse(source), { db } = await mermaid.mermaidAPI.getDiagramFromText(source);
        const vertices = [...db.getVertices().values()].map(({ id, text: label }) => ({ id, label })), edges = db.getEdges().map(({ start, end, text: label, type }) => ({ start, end, label, type }));
        const { svg } = await mermaid.render("drawn", source), place = document.createElement("div");
        place.innerHTML = svg;
        document.body.replaceChildren(place);
        const tags = [...new Set([...place.querySelectorAll("*:not(marker *)")].map((e) => e.localName))];
        const live = [...place.querySelectorAll("*")].flatMap((e) => [...e.attributes]).filter(({ name, value }) => name.startsWith("on") || (/href|src$/.test(name) && !value.startsWith("#"))).map(({ name }) => name);
        return { diagramType, vertices, edges, tags, live, shown: place.textContent, subgraphs: db.getSubGraphs().length };
    }, text);
}

async function open() {
    const opened = await visit("#/health", { bypassCSP: true });
    await opened.page.goto("about:blank");
    await opened.page.addScriptTag({ path: script });
    return opened;
}

const exported = async (id) => (await request("GET", `/reason/export/${id}?format=mermaid`, undefined, "auditor")).bytes.toString();

test("Mermaid reads an export as the nodes and edges that it is of", { skip }, async () => {
    const ids = await story(), { page, close } = await open(), { diagramType, vertices, edges, shown } = await drawn(page, await exported(ids.decision));
    assert.match(diagramType, /^flowchart/);
    assert.equal(vertices.length, 8 + 1);
    assert.equal(edges.length, 7);
    // What contradicts ends in a cross.
    assert.deepEqual(edges.filter(({ type }) => type !== "arrow_point").map(({ label, type }) => `${label.split(",")[0]}: ${type}`), ["contradicts: arrow_cross"]);
    for (const text of ["roll back release 2026.48", "latency of checkout rose to 840 ms", "contradicts, weight 0.4", ids.score])
        assert.ok(shown.includes(text), text);
    await page.screenshot({ path: pictures + "/mermaid.png" });
    await close();
});

test("Mermaid takes no hostile text for syntax or markup, and shows it", { skip }, async () => {
    const end = await node("decision", "kernel", { text: "decided" });
    for (const text of NASTY) {
        const id = await node("observation", text.replace(/[\p{C}\n]/gu, "?").slice(0, 200), { note: text }, { metadata: { tags: [text.slice(0, 200)] } });
        await edge(id, end, "supports", 0.5);
        await call("POST", `/reason/annotate/${id}`, { note: text });
    }
    const { page, faults, asked, close } = await open(), before = asked.length, dialogs = [];
    page.on("dialog", (dialog) => { dialogs.push(dialog.message()); void dialog.dismiss(); });
    const { vertices, edges, tags, live, shown, subgraphs } = await drawn(page, await exported(end));
    assert.deepEqual([vertices.length, edges.length, subgraphs], [NASTY.length + 2, NASTY.length, 0]);
    assert.ok(edges.every(({ start, end: to, label }) => /^n\d+$/.test(start) && to === "n0" && /^supports, weight/.test(label)), JSON.stringify(edges));
    assert.deepEqual(tags.filter((tag) => !["svg", "style", "g", "marker", "path", "circle", "rect", "text", "tspan", "foreignobject", "foreignObject", "div", "span", "p", "br", "wbr", "defs", "filter", "feDropShadow", "fedropshadow", "lineargradient", "linearGradient", "stop"].includes(tag)), []);
    assert.deepEqual(live, []);
    for (const text of ["</text><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "%%{init:", "click n0 call alert(1)", "$$x^2$$ `code` **bold** _x_ fa:fa-car #35; #quot; &lt;&#65;"])
        assert.ok(shown.includes(text), text);
    assert.ok(!/[\u202e\u2066\u0007]/.test(shown));
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    assert.deepEqual([dialogs, faults, asked.slice(before)], [[], [], []]);
    await close();
});
