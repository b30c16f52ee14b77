/* What the browser's tests share: the stack's API as a client writes it, and a browser with a client certificate. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import https from "node:https";
import { after } from "node:test";

const { env } = process;
const require = createRequire(env.REASON_ROOT + "/gateway/ui/package.json");
const { chromium } = require("playwright-core");

export const root = env.REASON_ROOT;
export const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
export const pictures = root + "/.build/check/ui";
mkdirSync(pictures, { recursive: true });

const agents = new Map();
function agent(client) {
    const tls = env.REASON_RUN_DIR + "/tls/";
    if (!agents.has(client))
        agents.set(client, new https.Agent({ keepAlive: true, ca: readFileSync(env.REASON_CA), ...client === null ? {} : { cert: readFileSync(`${tls}${client}.crt`), key: readFileSync(`${tls}${client}.key`) } }));
    return agents.get(client);
}

/* The status and the text of an answer; client null has no certificate. */
export function request(method, path, body, client = "kernel", headers = {}) {
    return new Promise((resolve, reject) => {
        const sent = https.request(env.REASON_URL + path, { method, agent: agent(client), headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers } }, (answer) => {
            const parts = [];
            answer.on("data", (part) => parts.push(part));
            answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, bytes: Buffer.concat(parts) }));
        });
        sent.on("error", reject);
        sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

export async function call(method, path, body, client, headers) {
    const { status, bytes } = await request(method, path, body, client, headers);
    if (status >= 300)
        throw new Error(`${method} ${path}: ${status} ${bytes}`);
    return JSON.parse(bytes);
}

export const node = async (type, author, payload, more = {}) => (await call("POST", "/reason/node", { type, author, payload, ...more })).nodeId;
export const edge = (from, to, type, weight = 1) => call("POST", "/reason/edge", { from, to, type, weight });

/* What the owner of the database says. */
export const sql = (statement) => execFileSync(env.REASON_PSQL, ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", statement, env.REASON_DSN], { encoding: "utf8" }).trim();

/* The database's time. */
export const now = () => sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");

/* A release that was rolled back, and why: what most tests look at. */
export async function story() {
    const ids = {
        latency: await node("observation", "sensor:eu-1", { text: "latency of checkout rose to 840 ms" }, { ts: "2026-11-28T09:59:58Z", metadata: { confidence: 0.97, tags: ["latency"] } }),
        errors: await node("observation", "sensor:eu-1", { text: "error rate 2.1 percent" }, { metadata: { confidence: 0.9 } }),
        score: await node("score", "model:anomaly-7", { text: "anomaly score 0.93" }, { metadata: { confidence: 0.88 } }),
        canary: await node("observation", "ops", { text: "a canary changed nothing" }, { metadata: { confidence: 0.7 } }),
        hypothesis: await node("hypothesis", "agent:triage", { text: "the new index slows checkout" }, { metadata: { confidence: 0.6 } }),
        policy: await node("policyCheck", "sentinelnet", { text: "allowed outside the freeze" }),
        recommendation: await node("recommendation", "agent:triage", { text: "roll the index back" }, { metadata: { confidence: 0.8 } }),
        decision: await node("decision", "kernel", { text: "roll back release 2026.48" }, { metadata: { confidence: 0.86, tags: ["release"] } }),
        action: await node("action", "kernel", { text: "rollback started" }),
    };
    await edge(ids.latency, ids.score, "derivedFrom", 0.9);
    await edge(ids.errors, ids.score, "derivedFrom", 0.7);
    await edge(ids.score, ids.hypothesis, "supports", 0.8);
    await edge(ids.canary, ids.hypothesis, "contradicts", 0.4);
    await edge(ids.hypothesis, ids.recommendation, "causal", 0.9);
    await edge(ids.policy, ids.decision, "supports", 0.5);
    await edge(ids.recommendation, ids.decision, "causal", 0.95);
    await edge(ids.decision, ids.action, "causal");
    return ids;
}

/* `count` records of seven authors that lead to the last one. */
export async function large(count) {
    const ids = Array.from({ length: count }, () => crypto.randomUUID()), types = ["OBSERVATION", "SCORE", "HYPOTHESIS", "RECOMMENDATION", "DECISION"];
    for (let i = 0; i < count; i += 1000)
        await call("POST", "/nodes", { nodes: ids.slice(i, i + 1000).map((id, j) => ({ id, type: types[Math.floor((i + j) * types.length / count)], actor: `agent:${(i + j) % 7}`, payload: { text: `record ${i + j}` }, metadata: { confidence: 0.5 } })) });
    const wide = Math.max(4, Math.floor(count / 12)), edges = [];
    for (let i = 0; i + 1 < count; i++)
        for (const step of new Set([1 + i * 7 % wide, 1 + i * 13 % wide].slice(0, 1 + i % 2)))
            edges.push({ from: ids[i], to: ids[Math.min(count - 1, i + step)], type: i % 9 ? "causal" : "supports", weight: 0.5 + i % 5 / 10 });
    for (let i = 0; i < edges.length; i += 1000)
        await call("POST", "/edges", { edges: edges.slice(i, i + 1000) });
    return ids;
}

/* So long a page may take on a machine that does much else. */
const WAIT_MS = 120000;

let browser = null;
after(async () => { await browser?.close(); });

/* A page with the certificate of a client; what it asks of whom is in `asked`, what it says of faults in `faults`. */
export async function visit(place, { client = "kernel", ...options } = {}) {
    // Without windows of its own, it takes a quarter of the processor's time for each page.
    browser ??= await chromium.launch({ executablePath: "/usr/bin/chromium-headless-shell", args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
    const tls = env.REASON_RUN_DIR + "/tls/";
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 860 }, acceptDownloads: true,
        clientCertificates: [{ origin: env.REASON_URL, certPath: `${tls}${client}.crt`, keyPath: `${tls}${client}.key` }], ...options });
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage(), asked = [], faults = [];
    page.on("request", (sent) => asked.push(sent.url()));
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (message) => { if (message.type() === "error" && !/status of (403|404)/.test(message.text())) faults.push(message.text()); });
    await page.goto(place.startsWith("file:") ? place : env.REASON_URL + "/ui/" + place);
    return { page, asked, faults, context, close: () => context.close() };
}

export const picture = (page) => page.waitForFunction(() => performance.getEntriesByName("picture").length > 0);

/* The texts of the picture's cards and labels, as they are printed, with where each stands. */
export async function printed(page) {
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ media: "print" });
    // A tall one is printed in parts, which have the same measures.
    const shown = await page.locator(".paper svg").evaluateAll((parts) => {
        const all = (selector) => parts.flatMap((svg) => [...svg.querySelectorAll(selector)]);
        const box = (element) => { const { x, y, width, height } = element.getBBox(); return { x, y, right: x + width, bottom: y + height }; };
        return { cards: all("rect[rx]").map(box), texts: all("text").map((text) => ({ text: text.textContent, middle: text.getAttribute("text-anchor") === "middle", ...box(text) })) };
    });
    await page.emulateMedia({ media: "screen" });
    return shown;
}

/* Until a view is there and waits for nothing more. */
export const settled = (page) => page.waitForFunction(() => document.querySelector("main h1, main [role=alert]") && !document.querySelector(".wait, [aria-busy=true]"));

/* Random numbers that a seed repeats (mulberry32). */
export function random(seed) {
    return () => {
        seed = seed + 0x6d2b79f5 | 0;
        let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
        t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
        return ((t ^ t >>> 14) >>> 0) / 4294967296;
    };
}
