/*
 * Bundles the explorer and the auditor's page:
 *
 *     node build.mjs [DIRECTORY]        default: dist
 *
 * In DIRECTORY/ui, explorer.js, layout.js (its worker), style.css, index.html and icon.svg are served as they are.
 * DIRECTORY/page/page.html is one file with style and script inside, whose policy allows these two alone; @DOCUMENT@, @METADATA@, @REGISTRY@,
 * @PROOF@ and @POLICY@ in it are to be replaced by the base64 of each.
 */
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = process.argv[2] ?? here + "dist";
const MOST_COMPRESSED = 250 * 1000;

const common = { bundle: true, minify: true, format: "iife", target: "es2022", charset: "utf8", legalComments: "none", jsx: "automatic", jsxImportSource: "preact", absWorkingDir: here };

async function bundled(entry) {
    const { outputFiles: [file] } = await build({ ...common, entryPoints: [entry], write: false });
    return file.text;
}

const ui = out + "/ui", pages = out + "/page";
mkdirSync(ui, { recursive: true });
mkdirSync(pages, { recursive: true });
const explorer = await bundled("src/main.tsx"), layout = await bundled("src/graph/layout_worker.ts"), page = await bundled("src/page/main.tsx");
const { outputFiles: [{ text: style }] } = await build({ ...common, entryPoints: ["src/style.css"], write: false });

const hash = (text) => createHash("sha256").update(text).digest("base64");
const inside = (text) => text.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
const script = inside(page), parts = { STYLE: style, SCRIPT: script, STYLE_HASH: hash(style), SCRIPT_HASH: hash(script) };

writeFileSync(ui + "/explorer.js", explorer);
writeFileSync(ui + "/layout.js", layout);
writeFileSync(ui + "/style.css", style);
copyFileSync(here + "index.html", ui + "/index.html");
copyFileSync(here + "icon.svg", ui + "/icon.svg");
writeFileSync(pages + "/page.html", readFileSync(here + "page.html", "utf8").replace(/@(STYLE|SCRIPT|STYLE_HASH|SCRIPT_HASH)@/g, (_, name) => parts[name]));

const compressed = [explorer, layout, style].reduce((sum, text) => sum + gzipSync(text).length, 0);
if (compressed > MOST_COMPRESSED)
    throw new Error(`the explorer weighs ${compressed} bytes compressed, more than ${MOST_COMPRESSED}`);
console.log(`explorer: ${compressed} bytes compressed; page: ${gzipSync(script).length}`);
