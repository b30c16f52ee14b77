/* Makes the pictures of the documentation: run.py --pictures */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { call, edge, node, picture, request, root, settled, sql, story, visit } from "./lib.mjs";
import { newWitness } from "./witness.mjs";

const out = root + "/docs/pictures", { env } = process, size = { width: 1040, height: 900 };
mkdirSync(out, { recursive: true });

/* A decision on so many observations. */
async function many(count) {
    const seen = Array.from({ length: count }, () => crypto.randomUUID()), decided = crypto.randomUUID(), places = ["Berlin", "Dublin", "Osaka", "Lagos", "Lima", "Perth"];
    await call("POST", "/nodes", { nodes: [...seen.map((id, i) => ({ id, type: "OBSERVATION", actor: `probe:${places[i % 6].toLowerCase()}-${1 + Math.floor(i / 6)}`, payload: { text: `${places[i % 6]}: checkout took ${410 + i * 37 % 300} ms` }, metadata: { confidence: 0.9 } })),
        { id: decided, type: "DECISION", actor: "kernel", payload: { text: "raise the limit of checkout to 800 ms" }, metadata: { confidence: 0.8 } }] });
    await call("POST", "/edges", { edges: seen.map((from, i) => ({ from, to: decided, type: i % 13 === 5 ? "contradicts" : "supports", weight: 0.5 + i % 5 / 10 })) });
    return decided;
}

/* A view as a person sees it once it has come to rest. */
async function take(name, place, { drawn = true, height = size.height, before = async () => undefined, ...options } = {}) {
    const { page, close } = await visit(place, { viewport: { ...size, height }, ...options });
    if (drawn)
        await picture(page);
    else
        await page.locator("h1").first().waitFor();
    await settled(page);
    await before(page);
    // A picture is painted in the frame after.
    await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => { requestAnimationFrame(resolve); }); }));
    await page.screenshot({ path: `${out}/${name}.png` });
    await close();
}

test("pictures", async () => {
    const ids = await story(), then = sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"), why = `#/why/${ids.decision}`;
    const first = (await call("POST", "/reason/snapshot", { rootNodeIds: [ids.decision], description: "why release 2026.48 was rolled back" }, "kernel", { Prefer: "wait=30" })).snapshotId;
    await edge(await node("correction", "ops", { text: "the error rate was 0.2 percent: a wrong unit" }), ids.errors, "corrects");
    await edge(await node("observation", "sensor:us-2", { text: "checkout is slow there too" }), ids.hypothesis, "supports", 0.6);
    const second = (await call("POST", "/reason/snapshot", { rootNodeIds: [ids.decision] }, "kernel", { Prefer: "wait=30" })).snapshotId;

    await take("find", "#/find?text=checkout", { drawn: false, height: 515 });
    await take("why", why, { height: 1020 });
    await take("record", `${why}?path=selected&select=${ids.score}`, { height: 1080 });
    await take("dark", why, { height: 1020, colorScheme: "dark" });
    await take("phone", why, { viewport: { width: 390, height: 860 } });
    await take("marks", `${why}?view=tree`, { drawn: false, height: 1060, before: async (page) => { await page.getByText("What the marks mean").click(); } });
    await take("wide", `#/why/${await many(60)}`, { height: 900 });
    await take("tree", `${why}?view=tree`, { drawn: false, height: 680 });
    await take("since", `${why}?asOf=${then}&difference=1`, { height: 1080 });
    await take("impact", `#/impact/${ids.latency}`, { drawn: false, height: 545 });
    await take("compare", `#/compare?a=${first}&b=${second}`);
    await take("snapshot", `#/snapshot/${first}`, { drawn: false, height: 620, before: async (page) => {
        await page.getByRole("button", { name: "Verify here" }).click();
        await page.locator("[data-verdict=verified]").waitFor();
    } });
    await take("health", "#/health", { drawn: false, height: 860, client: "auditor" });
    await take("paper", `${why}?select=${ids.score}`, { height: 1200, before: async (page) => {
        await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
        await page.emulateMedia({ media: "print" });
    } });

    const folder = mkdtempSync(tmpdir() + "/reason-pictures-"), bytes = (await request("GET", `/reason/snapshot/${first}?format=canonical`)).bytes;
    writeFileSync(folder + "/snapshot.json.meta.json", (await request("GET", `/reason/snapshot/${first}`)).bytes);
    let proof = "";
    for (let i = 0; proof === "" && i < 200; i++) {
        proof = sql(`SELECT coalesce(reason.proof_of(e), '') FROM reason.audit_event e JOIN reason.snapshot s ON s.audit_event_id = e.id WHERE s.id = '${first}'`);
        await new Promise((resolve) => { setTimeout(resolve, 500); });
    }
    const witness = newWitness("witness.example.net/w1"), text = (proof + "\n").split("\n\n")[1] + "\n";
    writeFileSync(folder + "/proof", proof + "\n" + witness.line(text));
    writeFileSync(folder + "/signers.json", JSON.stringify({ signers: [...JSON.parse(readFileSync(env.REASON_SIGNERS, "utf8")).signers, witness.entry] }));
    for (const [name, document, height, place] of [["page", bytes, 900, null], ["page-records", bytes, 560, "records"], ["page-keys", bytes, 490, "h3"], ["page-refused", bytes.toString().replace("roll the index back", "keep the new index"), 1000, null]]) {
        writeFileSync(folder + "/snapshot.json", document);
        try {
            execFileSync(root + "/sidecar/verify/reason-verify", ["-q", "-r", folder + "/signers.json", "--page", folder + "/page.html", "--page-proof", folder + "/proof", folder + "/snapshot.json"], { stdio: "pipe" });
        } catch (error) {
            if (error.status !== 1)
                throw error;
        }
        await take(name, `file://${folder}/page.html`, { height, before: async (page) => {
            const at = place === "records" ? page.getByText(/records, each recomputed/) : page.locator(place ?? "h1").last();
            if (place === "records")
                await at.click();
            if (place)
                await at.evaluate((element) => { window.scrollTo(0, element.getBoundingClientRect().top + window.scrollY - 56); });
        } });
    }
    rmSync(folder, { recursive: true });
});
