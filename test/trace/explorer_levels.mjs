/*
 * Lays graphs out as the explorer does: reads [{nodes, edges: [{from, to}], about, ancestors}, …], writes of each the ids on
 * every level, from above.
 *
 *     explorer_levels.mjs GATEWAY_UI < GRAPHS
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const ui = process.argv[2], { build } = createRequire(ui + "/package.json")("esbuild");
const { outputFiles: [{ text }] } = await build({ entryPoints: [ui + "/src/graph/layout.ts"], bundle: true, write: false, format: "esm", absWorkingDir: ui, logLevel: "error" });
const { layOut, NODE_HEIGHT } = await import("data:text/javascript;base64," + Buffer.from(text).toString("base64"));

function levelsOf({ nodes, labels }) {
    const rows = new Map();
    for (const [id, { y }] of nodes)
        rows.set(Math.round(y), [...rows.get(Math.round(y)) ?? [], id]);
    // Where a level is broken into rows, they stand closer to each other than levels do.
    const nearest = labels ? NODE_HEIGHT + 80 : 1, levels = [];
    let last = -Infinity;
    for (const y of [...rows.keys()].sort((a, b) => a - b)) {
        if (y - last > nearest)
            levels.push([]);
        levels.at(-1).push(...rows.get(y));
        last = y;
    }
    return levels;
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map((graph) => levelsOf(layOut(graph)))));
