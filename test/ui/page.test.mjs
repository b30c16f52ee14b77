/* The auditor's page, opened from disk: it shows a reasoning, and proves it or refuses it, asking nobody. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { after, test } from "node:test";
import { newWitness } from "./witness.mjs";
import { axe, call, edge, large, node, picture, pictures, printed, random, request, root, sql, story, visit } from "./lib.mjs";

const { env } = process;
const folder = mkdtempSync(tmpdir() + "/reason-page-");
after(() => { rmSync(folder, { recursive: true }); });

const ids = await story();
await call("POST", `/reason/annotate/${ids.decision}`, { note: "reviewed" });

async function freeze(roots, more = {}) {
    const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: roots, includeAnnotations: true, ...more }, "kernel", { Prefer: "wait=30" });
    for (let i = 0; i < 200 && (await call("GET", `/reason/snapshot/${snapshotId}`)).status === "pending"; i++)
        await new Promise((resolve) => { setTimeout(resolve, 500); });
    const bytes = (await request("GET", `/reason/snapshot/${snapshotId}?format=canonical`)).bytes, metadata = await call("GET", `/reason/snapshot/${snapshotId}`);
    assert.equal(metadata.status, "complete");
    return { id: snapshotId, bytes, metadata };
}

const snapshot = await freeze([ids.decision], { description: "why" });
const registry = readFileSync(env.REASON_SIGNERS, "utf8");

/* The page that reason-verify makes of these files. */
function pageOf(bytes, metadata, name = "page.html", signers = registry) {
    writeFileSync(folder + "/document.json", bytes);
    writeFileSync(folder + "/metadata.json", JSON.stringify(metadata));
    writeFileSync(folder + "/signers.json", signers);
    try {
        execFileSync(root + "/sidecar/verify/reason-verify", ["-q", "-r", folder + "/signers.json", "-m", folder + "/metadata.json", "--page", `${folder}/${name}`, folder + "/document.json"], { stdio: "pipe" });
    } catch (error) {
        assert.equal(error.status, 1, String(error.stderr));
    }
    return `file://${folder}/${name}`;
}

const verdictOf = async (page) => {
    const word = page.locator("[data-verdict]");
    await word.waitFor();
    return word.getAttribute("data-verdict");
};

test("a page opened from disk with no network verifies, shows the reasoning and asks nobody", async () => {
    const { page, asked, faults, context, close } = await visit(pageOf(snapshot.bytes, snapshot.metadata));
    await context.setOffline(true);
    await page.reload();
    assert.equal(await verdictOf(page), "verified");
    await picture(page);
    assert.match(await page.getByRole("tree").textContent(), /roll back release 2026\.48/);
    assert.equal(await page.locator("[data-good=true]").count(), 8 + 7 + 1);
    assert.match(await page.content(), /default-src 'none'/);
    await page.getByRole("treeitem").first().click();
    await page.getByRole("article").getByText("reviewed").waitFor();
    await page.getByRole("button", { name: "Close", exact: true }).click();
    assert.deepEqual(asked.filter((url) => !url.startsWith("file:") && !url.startsWith("blob:")), []);
    assert.deepEqual(faults, []);
    await page.screenshot({ path: pictures + "/page.png", fullPage: true });
    assert.ok(!await page.getByRole("columnheader", { name: "Digest" }).isVisible());
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ media: "print" });
    assert.ok(await page.getByRole("columnheader", { name: "Digest" }).isVisible(), "on paper nothing is closed");
    assert.ok(await page.locator(".paper svg").isVisible());
    const drawn = await page.locator(".paper svg").boundingBox(), tree = await page.getByRole("tree").boundingBox();
    assert.ok(drawn.y + drawn.height <= tree.y, "on paper the picture covers no text");
    assert.ok(!await page.locator("input[type=file]").first().isVisible(), "nobody chooses a file on paper");
    await page.screenshot({ path: pictures + "/page-paper.png", fullPage: true });
    await close();
});

test("the service and reason-verify make pages with the same verdict and records", async () => {
    const { status, headers, bytes } = await request("GET", `/reason/snapshot/${snapshot.id}?format=page`);
    assert.equal(status, 200);
    assert.match(headers["content-type"], /text\/html/);
    assert.match(headers["content-disposition"], /attachment/);
    assert.match(headers["cache-control"], /no-store/);
    writeFileSync(folder + "/served.html", bytes);
    const { page, close } = await visit(`file://${folder}/served.html`);
    assert.equal(await verdictOf(page), "verified");
    assert.equal(await page.locator("[data-good=true]").count(), 8 + 7 + 1);
    await close();
});

test("an auditor sees of each record the bytes that its digest is of, and of the signature when its key is valid and on what the verdict rests", async () => {
    const { page, close } = await visit(pageOf(snapshot.bytes, snapshot.metadata));
    assert.equal(await verdictOf(page), "verified");
    await page.getByText("This holds if the keys below are those of the signers").waitFor();
    assert.equal(await page.getByRole("definition").filter({ hasText: snapshot.metadata.signature }).count(), 1);
    const [signer] = JSON.parse(registry).signers.filter(({ signerId }) => signerId === snapshot.metadata.signerId), from = signer.validFrom.replace("T", " ").slice(0, 19);
    await page.getByText(`${signer.signerId}, whose key is valid from ${from} UTC to open`).waitFor();
    await page.getByRole("table", { name: "Keys" }).getByText(`${from} UTC to open`).first().waitFor();
    await page.getByText("16 records, each recomputed").click();
    const rows = page.getByRole("table", { name: "Records" }).getByRole("row").filter({ has: page.locator(".hashed") });
    assert.equal(await rows.count(), 16);
    for (let i = 0; i < 16; i++) {
        const row = rows.nth(i), digest = await row.locator("summary").textContent();
        await row.locator("summary").click();
        assert.equal(createHash("sha256").update(await row.locator("pre").textContent()).digest("hex"), digest);
    }
    await page.screenshot({ path: pictures + "/page-bytes.png", fullPage: true });
    await page.getByLabel("Check against a registry of your own").setInputFiles({ name: "signers.json", mimeType: "application/json", buffer: Buffer.from(registry) });
    await page.getByText("Checked against the registry that you loaded.").waitFor();
    assert.equal(await page.getByText("This holds if the keys below").count(), 0);
    await close();
});

test("an altered record turns exactly that one red, and the verdict to refused", async () => {
    const text = snapshot.bytes.toString(), cases = [
        [text.replace("roll the index back", "roll the index bacK"), ids.recommendation],
        [text.replace('"author":"sentinelnet"', '"author":"sentinelneT"'), ids.policy],
        [text.replace(/"weight":0\.95/, '"weight":0.96'), null],
    ];
    for (const [altered, id] of cases) {
        assert.notEqual(altered, text);
        const { page, close } = await visit(pageOf(altered, snapshot.metadata));
        assert.equal(await verdictOf(page), "refused");
        const bad = page.locator("[data-good=false]");
        assert.equal(await bad.count(), 1);
        if (id)
            assert.equal(await bad.getAttribute("data-record"), id);
        // That a payload is there is not denied where it is another.
        assert.equal(await bad.locator("td.word").first().textContent(), altered.includes("bacK") ? "differs" : id ? "matches" : "none");
        assert.equal(await page.getByText("This holds if the keys below").count(), 0);
        await close();
    }
});

test("an altered edge alone is red in tree, picture, record and table, said in words, and looks other than one that contradicts", async () => {
    const score = await node("score", "model", { text: "a risk that was weighed twice" }), decided = await node("decision", "officer", { text: "granted all the same" });
    await edge(score, decided, "supports", 0.8);
    await edge(score, decided, "supports", 0.4);
    await edge(await node("observation", "analyst", { text: "it says otherwise" }), decided, "contradicts", 0.6);
    const frozen = await freeze([decided]), { page, close } = await visit(pageOf(frozen.bytes.toString().replace('"weight":0.4', '"weight":0.45'), frozen.metadata, "edge.html"));
    assert.equal(await verdictOf(page), "refused");
    assert.equal(await page.locator("[data-good=false]").count(), 1);
    await picture(page);
    const told = await page.getByRole("treeitem").filter({ hasText: "does not verify" }).allTextContents();
    assert.equal(told.length, 1);
    assert.match(told[0], /supports 0\.45 this edge does not verify/);
    const labels = (await printed(page)).texts.filter(({ middle }) => middle).map(({ text }) => text).sort();
    assert.deepEqual(labels, ["contradicts 0.6", "supports 0.45: does not verify", "supports 0.8"]);
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    const looks = await page.locator(".paper svg").evaluate((svg) => [...svg.querySelectorAll("polyline")].map((line) => ["stroke", "stroke-width", "stroke-dasharray"].map((name) => line.getAttribute(name)).join(" ")));
    assert.equal(looks.filter((look) => /^#b3161b 5 $/.test(look)).length, 1, looks.join());
    assert.equal(looks.filter((look) => /^#b3161b .* 7 4$/.test(look)).length, 1, looks.join());
    assert.equal(new Set(looks.map((look) => look.split(" ")[0])).size, 2);
    await page.getByRole("treeitem").filter({ hasText: "granted all the same" }).click();
    const rows = page.getByRole("article").locator(".row").filter({ hasText: "does not verify" });
    assert.equal(await rows.count(), 1);
    await page.screenshot({ path: pictures + "/page-edge.png" });
    await close();
});

test("picture and tree of a page tell the same of what came after and of notes, and the page says whether annotations are in it", async () => {
    const decided = await node("decision", "officer", { text: "decided in time" });
    await edge(await node("observation", "bureau", { text: "found too late" }), decided, "supports");
    await call("POST", `/reason/annotate/${decided}`, { note: "agreed by telephone" });
    for (const includeAnnotations of [true, false]) {
        const frozen = await freeze([decided], { includeAnnotations }), { page, close } = await visit(pageOf(frozen.bytes, frozen.metadata, "after.html"));
        await picture(page);
        await page.getByRole("treeitem").filter({ hasText: /found too late.*came after/ }).waitFor();
        const { texts } = await printed(page);
        assert.ok(texts.some(({ text }) => text === "came after"));
        assert.equal(texts.some(({ text }) => text === "noted"), includeAnnotations);
        await page.getByText(includeAnnotations ? "1 included" : "left out: what was noted of these records is not in this document").waitFor();
        await close();
    }
});

test("a circle is marked on the page", async () => {
    const [a, b, c] = await Promise.all(["one", "two", "outside"].map((text) => node("hypothesis", "agent", { text })));
    await edge(a, b, "causal");
    await edge(b, a, "causal");
    await edge(b, c, "causal");
    const frozen = await freeze([c]), { page, close } = await visit(pageOf(frozen.bytes, frozen.metadata, "circle.html"));
    await page.getByRole("treeitem").first().waitFor();
    const texts = await page.getByRole("treeitem").allTextContents();
    assert.ok(texts.filter((text) => /one|two/.test(text)).every((text) => text.includes("circle")), texts.join("\n"));
    assert.ok(texts.some((text) => text.includes("outside") && !text.includes("circle")), texts.join("\n"));
    await close();
});

test("a damaged part of the page is named, refused, and the rest is judged all the same", async () => {
    const { pathname } = new URL(pageOf(snapshot.bytes, snapshot.metadata)), whole = readFileSync(pathname, "utf8");
    for (const part of ["document", "metadata", "proof", "registry", "policy"]) {
        const altered = whole.replace(`id="${part}">`, `id="${part}">!`);
        assert.notEqual(altered, whole);
        writeFileSync(folder + "/damaged.html", altered);
        const { page, faults, close } = await visit(`file://${folder}/damaged.html`);
        assert.equal(await verdictOf(page), "refused", part);
        assert.match(await page.locator(".finding.bad").allTextContents().then((texts) => texts.join("\n")), new RegExp(`${part} this part of the file is damaged`));
        assert.equal(await page.locator("[data-good=true]").count(), part === "document" ? 0 : 8 + 7 + 1);
        assert.deepEqual(faults, []);
        await close();
    }
});

test("a signature, hash or key that is another is refused; the reader's own registry decides", async () => {
    const other = JSON.parse(registry), [key] = other.signers;
    const forged = execFileSync("openssl", ["genpkey", "-algorithm", "ED25519", "-outform", "DER"]);
    const spki = execFileSync("openssl", ["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], { input: forged }).toString("base64");
    key.publicKey = spki;
    for (const [metadata, signers] of [
        [{ ...snapshot.metadata, hash: "0".repeat(64) }, registry],
        [{ ...snapshot.metadata, signature: Buffer.alloc(64).toString("base64") }, registry],
        [{ ...snapshot.metadata, signerId: "nobody" }, registry],
        [snapshot.metadata, JSON.stringify(other)],
    ]) {
        const { page, close } = await visit(pageOf(snapshot.bytes, metadata, "page.html", signers));
        assert.equal(await verdictOf(page), "refused");
        await close();
    }
    const { page, close } = await visit(pageOf(snapshot.bytes, snapshot.metadata));
    assert.equal(await verdictOf(page), "verified");
    writeFileSync(folder + "/mine.json", JSON.stringify(other));
    await page.getByLabel("Check against a registry of your own").setInputFiles(folder + "/mine.json");
    await page.locator("[data-verdict=refused]").waitFor();
    await page.getByText("Checked against the registry that you loaded.").waitFor();
    await page.getByText("The keys of signers are those of the registry that you loaded.").waitFor();
    assert.equal(await page.getByText("These keys came with what they prove").count(), 0);
    await close();
});

/* That the snapshot's event stands in the log, once a checkpoint covers it. */
async function snapshotProof() {
    for (let i = 0; i < 400; i++) {
        const proof = sql(`SELECT coalesce(reason.proof_of(e), '') FROM reason.audit_event e JOIN reason.snapshot s ON s.audit_event_id = e.id WHERE s.id = '${snapshot.id}'`);
        if (proof)
            return proof + "\n";
        await new Promise((resolve) => { setTimeout(resolve, 500); });
    }
    throw new Error("no checkpoint covers the snapshot");
}

test("once a checkpoint covers a snapshot, its page proves that it stands in the log, and refuses a proof of something else", async () => {
    const proof = await snapshotProof();
    const served = await request("GET", `/reason/snapshot/${snapshot.id}?format=page`, undefined, "auditor");
    assert.ok(served.bytes.length > (await request("GET", `/reason/snapshot/${snapshot.id}?format=page`)).bytes.length, "the proof is for auditors");
    writeFileSync(folder + "/proved.html", served.bytes);
    let opened = await visit(`file://${folder}/proved.html`);
    await opened.page.getByText(/event \d+ of the log localhost\/reason\/default, which had \d+ events/).waitFor();
    assert.equal(await verdictOf(opened.page), "verified");
    await opened.close();
    const other = sql(`SELECT reason.node_proof('${ids.latency}')`) + "\n", lines = proof.split("\n");
    const altered = [...lines], at = lines.findIndex((line) => line.startsWith("index ")) + 1;
    altered[at] = Buffer.alloc(32, 7).toString("base64");
    const unsigned = [...lines], root_ = lines.indexOf("", at) + 3;
    unsigned[root_] = Buffer.alloc(32, 7).toString("base64");
    for (const [bad, what] of [[other, "another event"], [altered.join("\n"), "another path"], [unsigned.join("\n"), "another root"], ["nonsense", "no proof"]]) {
        writeFileSync(folder + "/bad.tlog-proof", bad);
        writeFileSync(folder + "/document.json", snapshot.bytes);
        writeFileSync(folder + "/metadata.json", JSON.stringify(snapshot.metadata));
        execFileSync(root + "/sidecar/verify/reason-verify", ["-q", "-r", env.REASON_SIGNERS, "-m", folder + "/metadata.json", "--page", folder + "/bad.html", "--page-proof", folder + "/bad.tlog-proof", folder + "/document.json"], { stdio: "pipe" });
        opened = await visit(`file://${folder}/bad.html`);
        assert.equal(await verdictOf(opened.page), "refused", what);
        await opened.close();
    }
});

function newLogKey(name) {
    const typed = Buffer.concat([Buffer.from([1]), generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" }).subarray(-32)]);
    return `${name}+${createHash("sha256").update(name + "\n").update(typed).digest("hex").slice(0, 8)}+${typed.toString("base64")}`;
}

/* The page and reason-verify of the same proof: the page's verdict, what it finds of witnesses, and the exit status. */
async function judgedBoth(proof, signers, policy) {
    for (const [name, text] of [["proof.tlog-proof", proof], ["signers.json", signers], ["policy", policy ?? ""], ["document.json", snapshot.bytes], ["metadata.json", JSON.stringify(snapshot.metadata)]])
        writeFileSync(`${folder}/${name}`, text);
    const given = ["-q", "-r", folder + "/signers.json", ...policy ? ["--policy", folder + "/policy"] : []], run = (...more) => spawnSync(root + "/sidecar/verify/reason-verify", [...given, ...more]).status;
    const status = run(folder + "/proof.tlog-proof");
    run("-m", folder + "/metadata.json", "--page", folder + "/judged.html", "--page-proof", folder + "/proof.tlog-proof", folder + "/document.json");
    const { page, close } = await visit(`file://${folder}/judged.html`), verdict = await verdictOf(page);
    const told = (await page.locator(".finding").allTextContents()).join("\n"), keys = await page.locator("table").last().textContent();
    await close();
    return { status, verdict, told, keys };
}

test("cosignatures of witnesses are verified, of the registry and of a policy, as reason-verify does it", async () => {
    const proof = await snapshotProof(), at = proof.lastIndexOf("\n\n"), text = proof.slice(proof.indexOf("\n\n") + 2, at + 1);
    const one = newWitness("witness.example/one"), two = newWitness("witness.example/two"), registered = JSON.stringify({ signers: [...JSON.parse(registry).signers, one.entry] });
    const logKey = sql("SELECT reason.note_vkey(reason.current_origin('default'), 1, reason.signing_key('local-development-log', 'checkpoints'))");
    const policy = (quorum) => `log ${logKey}\nwitness a ${one.vkey}\nwitness b ${two.vkey}\ngroup both all a b\nquorum ${quorum}\n`;
    const forged = (line) => line.replace(/(.)(.)(=*)\n$/, (_, c, d, end) => (c === "A" ? "B" : "A") + d + end + "\n");
    for (const [what, signers, given, notes, verdict, expected] of [
        ["a witness of the registry", registered, null, one.line(text), "verified", /cosigned by "witness\.example\/one" at 20/],
        ["a witness that nobody knows", registry, null, two.line(text), "verified", /1 of its signatures are by nobody that is known/],
        ["a forged cosignature", registered, null, forged(one.line(text)), "refused", /in the name of "witness\.example\/one" is not its/],
        ["one of another checkpoint", registered, null, one.line(text.replace(/\d+/, "7")), "refused", /is not its/],
        ["one from the future", registered, null, one.line(text, Math.floor(Date.now() / 1000) + 86400), "refused", /states a time in the future/],
        ["a quorum of one", registry, policy("a"), one.line(text), "verified", /are a quorum/],
        ["a quorum of two", registry, policy("both"), one.line(text) + two.line(text), "verified", /are a quorum/],
        ["a quorum that is not met", registry, policy("both"), one.line(text), "refused", /are no quorum: "both" is asked for/],
        ["a forged one under a policy", registry, policy("a"), one.line(text) + forged(two.line(text)), "refused", /in the name of "witness\.example\/two" is not its/],
        ["a log that the policy does not know", registry, policy("none").replace(logKey, newLogKey("elsewhere/log")), "", "refused", /no log that the policy knows/],
    ]) {
        const judged = await judgedBoth(proof + notes, signers, given);
        assert.deepEqual([judged.verdict, judged.status], [verdict, verdict === "verified" ? 0 : 1], `${what}: ${judged.told}`);
        assert.match(judged.told, expected, what);
        if (given || signers === registered)
            assert.ok(judged.keys.includes(one.fingerprint), what);
    }
});

test("an auditor's own policy, loaded from a file, judges the page that was made without it", async () => {
    const proof = await snapshotProof(), text = proof.slice(proof.indexOf("\n\n") + 2, proof.lastIndexOf("\n\n") + 1), witness = newWitness("witness.example/mine");
    writeFileSync(folder + "/proof.tlog-proof", proof + witness.line(text));
    writeFileSync(folder + "/document.json", snapshot.bytes);
    writeFileSync(folder + "/metadata.json", JSON.stringify(snapshot.metadata));
    execFileSync(root + "/sidecar/verify/reason-verify", ["-q", "-r", env.REASON_SIGNERS, "-m", folder + "/metadata.json", "--page", folder + "/own.html", "--page-proof", folder + "/proof.tlog-proof", folder + "/document.json"]);
    const { page, asked, close } = await visit(`file://${folder}/own.html`);
    assert.equal(await verdictOf(page), "verified");
    const load = async (policy, verdict, said) => {
        writeFileSync(folder + "/policy", policy);
        await page.getByLabel(/policy/).setInputFiles(folder + "/policy");
        await page.getByText(said).first().waitFor();
        assert.equal(await verdictOf(page), verdict);
    };
    await load(`witness mine ${witness.vkey}\nquorum mine\n`, "verified", /cosigned by "witness\.example\/mine"/);
    await page.getByText("Checked by the policy that you loaded.").waitFor();
    assert.match(await page.locator("table").last().textContent(), new RegExp(witness.fingerprint));
    await load(`witness other ${newWitness("witness.example/other").vkey}\nquorum other\n`, "refused", /are no quorum/);
    await load("quorum nobody\n", "refused", /line 1 of the policy/);
    assert.deepEqual(asked.filter((url) => !url.startsWith("file:") && !url.startsWith("blob:")), []);
    await close();
});

test("a browser without Ed25519 says so, and does not decide", async () => {
    const address = pageOf(snapshot.bytes, snapshot.metadata), { page, context, close } = await visit(address);
    await context.addInitScript(() => {
        const original = crypto.subtle.importKey.bind(crypto.subtle);
        crypto.subtle.importKey = (format, key, algorithm, ...rest) => algorithm.name === "Ed25519" ? Promise.reject(new DOMException("", "NotSupportedError")) : original(format, key, algorithm, ...rest);
    });
    await page.reload();
    assert.equal(await verdictOf(page), "unchecked");
    await page.getByText(/cannot verify Ed25519/).waitFor();
    // It reads on: what needs no signature is shown and checked.
    assert.match(await page.getByRole("tree").textContent(), /roll back release 2026\.48/);
    assert.equal(await page.locator("[data-good=true]").count(), 8 + 7 + 1);
    await close();
});

test("none of a thousand random alterations of the bytes or of what is claimed is taken", async () => {
    const require = createRequire(root + "/gateway/ui/package.json"), { build } = require("esbuild");
    await build({ entryPoints: [root + "/gateway/ui/src/proof/document.ts"], bundle: true, format: "esm", outfile: folder + "/document.mjs" });
    await build({ entryPoints: [root + "/gateway/ui/src/proof/registry.ts"], bundle: true, format: "esm", outfile: folder + "/registry.mjs" });
    const { verifyDocument } = await import(folder + "/document.mjs"), { readRegistry } = await import(folder + "/registry.mjs");
    const signers = await readRegistry(registry), seed = Number(env.REASON_SEED ?? Date.now() % 1e9), next = random(seed);
    const claims = { hash: snapshot.metadata.hash, signature: snapshot.metadata.signature, signerId: snapshot.metadata.signerId, snapshotId: snapshot.id };
    assert.equal((await verifyDocument(new Uint8Array(snapshot.bytes), claims, signers)).verdict, "verified");
    for (let i = 0; i < 1000; i++) {
        let bytes = new Uint8Array(snapshot.bytes);
        const at = Math.floor(next() * bytes.length), altered = { ...claims };
        switch (Math.floor(next() * 5)) {
        case 0: bytes[at] ^= 1 << Math.floor(next() * 8); break;
        case 1: bytes = Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + 1 + Math.floor(next() * 40))]); break;
        case 2: bytes = Uint8Array.from([...bytes.slice(0, at), 0x20, ...bytes.slice(at)]); break;
        case 3: altered.hash = [...claims.hash].map((c, k) => k === at % 64 ? (c === "0" ? "1" : "0") : c).join(""); break;
        default: { const raw = Buffer.from(claims.signature, "base64"); raw[at % 64] ^= 1 << Math.floor(next() * 8); altered.signature = raw.toString("base64"); }
        }
        const { verdict } = await verifyDocument(bytes, altered, signers);
        assert.equal(verdict, "refused", `seed ${seed}, alteration ${i}`);
    }
});

test("none of a thousand pages that were altered at random is taken by a browser", async () => {
    const { pathname } = new URL(pageOf(snapshot.bytes, snapshot.metadata, "whole.html")), seed = Number(env.REASON_SEED ?? Date.now() % 1e9), next = random(seed);
    writeFileSync(folder + "/frames.html", "<!doctype html><title>frames</title>");
    const { page, close } = await visit(`file://${folder}/frames.html`), verdicts = [];
    /* What becomes of pages whose parts are replaced by others, each in a frame of its own. */
    await page.evaluate((whole) => {
        globalThis.judge = (parts) => Promise.all(parts.map(([part, content]) => new Promise((resolve) => {
            const frame = document.createElement("iframe"), began = performance.now();
            // Read and judged as any, but neither laid out nor painted.
            frame.hidden = true;
            frame.srcdoc = whole.replace(new RegExp(`(id="${part}">)[^<]*`), (_, tag) => tag + content);
            const look = () => {
                const verdict = frame.contentDocument?.querySelector("[data-verdict]")?.getAttribute("data-verdict") ?? (performance.now() - began > 60000 ? "none" : null);
                if (verdict === null)
                    setTimeout(look, 5);
                else {
                    frame.remove();
                    resolve(verdict);
                }
            };
            document.body.append(frame);
            look();
        })));
    }, readFileSync(pathname, "utf8"));
    const judge = (parts) => page.evaluate((given) => globalThis.judge(given), parts), base64 = (bytes) => Buffer.from(bytes).toString("base64");
    assert.deepEqual(await judge([["document", base64(snapshot.bytes)], ["metadata", base64(JSON.stringify(snapshot.metadata))]]), ["verified", "verified"]);
    const altered = () => {
        const bytes = Buffer.from(snapshot.bytes), at = Math.floor(next() * bytes.length), { hash, signature } = snapshot.metadata, raw = Buffer.from(signature, "base64"), text = base64(bytes), place = Math.floor(next() * (text.length - 4));
        switch (Math.floor(next() * 6)) {
        case 0: bytes[at] ^= 1 << Math.floor(next() * 8); return ["document", base64(bytes)];
        case 1: return ["document", base64(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + Math.floor(next() * 40))]))];
        case 2: return ["document", base64(Buffer.concat([bytes.subarray(0, at), Buffer.from([Math.floor(next() * 256)]), bytes.subarray(at)]))];
        // A character of the file itself.
        case 3: return ["document", text.slice(0, place) + (text[place] === "A" ? "B" : "A") + text.slice(place + 1)];
        case 4: return ["metadata", base64(JSON.stringify({ ...snapshot.metadata, hash: [...hash].map((c, k) => k === at % 64 ? (c === "0" ? "1" : "0") : c).join("") }))];
        default: raw[at % 64] ^= 1 << Math.floor(next() * 8); return ["metadata", base64(JSON.stringify({ ...snapshot.metadata, signature: raw.toString("base64") }))];
        }
    };
    while (verdicts.length < 1000)
        verdicts.push(...await judge(Array.from({ length: 20 }, altered)));
    assert.deepEqual([...new Set(verdicts)], ["refused"], `seed ${seed}: ${verdicts.findIndex((verdict) => verdict !== "refused")}`);
    await close();
});

test("whatever byte of a record is altered, that record alone is at fault", async () => {
    const require = createRequire(root + "/gateway/ui/package.json"), { build } = require("esbuild");
    for (const part of ["document", "registry", "canonical"])
        await build({ entryPoints: [`${root}/gateway/ui/src/proof/${part}.ts`], bundle: true, format: "esm", outfile: `${folder}/${part}.mjs` });
    const { verifyDocument } = await import(folder + "/document.mjs"), { readRegistry } = await import(folder + "/registry.mjs"), { canonical } = await import(folder + "/canonical.mjs");
    const signers = await readRegistry(registry), seed = Number(env.REASON_SEED ?? Date.now() % 1e9), next = random(seed), text = snapshot.bytes.toString(), { payload } = JSON.parse(text);
    const records = [...payload.nodes, ...payload.edges, ...payload.annotations];
    let altered = 0;
    for (let i = 0; altered < 300 && i < 5000; i++) {
        const record = records[Math.floor(next() * records.length)], written = canonical(record), at = text.indexOf(written) + Math.floor(next() * written.length), character = "abcdef0123456789-:,"[Math.floor(next() * 19)];
        // An id is what others name: then these are concerned too.
        const inName = [...written.matchAll(/"(?:id|from|to|target)":"[^"]*"/g)].some((m) => at >= text.indexOf(written) + m.index && at < text.indexOf(written) + m.index + m[0].length);
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        let parsed;
        try {
            parsed = JSON.parse(changed);
        } catch {
            continue;
        }
        if (inName || character === text[at] || canonical(parsed) !== changed)
            continue;
        altered++;
        const { verdict, records: checked } = await verifyDocument(new TextEncoder().encode(changed), snapshot.metadata, signers);
        assert.equal(verdict, "refused");
        assert.deepEqual(checked.filter((c) => c.faults.length > 0).map((c) => c.id), [record.id], `seed ${seed}: ${changed.slice(at - 40, at + 40)}`);
    }
    assert.equal(altered, 300);
});

test("a page and reason-verify come to the same verdict on documents that were altered and signed anew", async () => {
    // The real key of the stack: an operator who signs what he likes.
    const key = env.REASON_RUN_DIR + "/keys/signer.pem";
    const require = createRequire(root + "/gateway/ui/package.json"), { build } = require("esbuild");
    for (const part of ["canonical", "document", "registry"])
        await build({ entryPoints: [`${root}/gateway/ui/src/proof/${part}.ts`], bundle: true, format: "esm", outfile: `${folder}/${part}.mjs` });
    const { canonical } = await import(folder + "/canonical.mjs"), { verifyDocument } = await import(folder + "/document.mjs"), { readRegistry } = await import(folder + "/registry.mjs");
    const signers = await readRegistry(registry), signer = createPrivateKey(readFileSync(key)), payload = (change) => (document) => { change(document.payload); return document; };
    const changes = [
        (document) => document,
        payload((p) => { p.nodes.pop(); }), payload((p) => { p.edges.pop(); }), payload((p) => { p.annotations = []; }), payload((p) => { delete p.annotations; }),
        payload((p) => { p.nodes[0].payload = { text: "other" }; }), payload((p) => { p.nodes[0].author = "other"; }), payload((p) => { p.nodes[0].extra = 1; }), payload((p) => { p.nodes[0].redacted = true; }),
        payload((p) => { p.nodes.reverse(); }), payload((p) => { p.nodes.push(p.nodes.at(-1)); }), payload((p) => { p.depth = 1; }), payload((p) => { p.depth = -1; }), payload((p) => { p.direction = "descendants"; }),
        payload((p) => { p.edges[0].toDigest = "0".repeat(64); }), payload((p) => { p.nodes[1].createdAt = "2999-01-01T00:00:00.000000Z"; }), payload((p) => { p.nodes[1].createdAt = "2026-02-31T00:00:00.000000Z"; }),
        payload((p) => { p.pii_included = false; p.nodes[0].redacted = true; }), payload((p) => { p.pii_included = false; p.nodes[0].redacted = true; p.nodes[0].type = "decision"; p.nodes[0].author = "[redacted:email]"; }),
        payload((p) => { p.pii_included = false; p.nodes[0].redacted = true; p.nodes[0].author = "[redacted]"; }), payload((p) => { p.pii_included = false; p.edges[0].redacted = 1; p.edges[0].metadata = { by: "[redacted:email]" }; }),
        payload((p) => { p.nodes[0].erased = {}; }), payload((p) => { p.nodes[0].erased = {}; p.nodes[0].payload = null; delete p.nodes[0].salt; }), payload((p) => { delete p.nodes[0].salt; }),
        payload((p) => { delete p.nodes[0].salt; p.pii_included = false; }), payload((p) => { delete p.nodes[0].payload; }), payload((p) => { delete p.nodes[0].payload; delete p.nodes[0].salt; }), payload((p) => { p.edges[0].payload = "invented"; p.pii_included = false; }),
        (document) => ({ ...document, created_at: earlier(document.created_at, 700) }), (document) => ({ ...document, created_at: document.created_at.replace(/\d{3}Z$/, "Z") }),
        payload((p) => { p.frontier = ["00000000-0000-0000-0000-000000000000"]; }), payload((p) => { p.nodes = {}; }), payload((p) => { delete p.nodes; }),
        (document) => ({ ...document, created_at: "2999-01-01T00:00:00.000000Z" }), (document) => ({ ...document, eventType: "node.created" }), (document) => ({ ...document, more: 1 }),
        (document) => ({ ...document, root_ids: [] }), (document) => ({ ...document, root_ids: ["00000000-0000-0000-0000-000000000000"] }), (document) => ({ ...document, id: "x" }), (document) => ({ ...document, payload: [] }),
    ];
    for (const [i, change] of changes.entries()) {
        const bytes = Buffer.from(canonical(change(JSON.parse(snapshot.bytes)))), hash = createHash("sha256").update(bytes).digest();
        const metadata = { hash: hash.toString("hex"), signature: sign(null, hash, signer).toString("base64"), signerId: snapshot.metadata.signerId };
        writeFileSync(folder + "/document.json", bytes);
        writeFileSync(folder + "/metadata.json", JSON.stringify(metadata));
        let status = 0;
        try {
            execFileSync(root + "/sidecar/verify/reason-verify", ["-q", "-r", env.REASON_SIGNERS, "-m", folder + "/metadata.json", folder + "/document.json"], { stdio: "pipe" });
        } catch (error) {
            status = error.status;
        }
        const { verdict, findings } = await verifyDocument(new Uint8Array(bytes), metadata, signers);
        assert.equal(verdict, ["verified", "refused", "unchecked"][status], `change ${i}: ${JSON.stringify(findings)}`);
    }
});

const earlier = (time, seconds) => new Date(Date.parse(time) - seconds * 1000).toISOString().replace("Z", "000Z");

test("a page names what is marked and is not so, and what no digest proves", async () => {
    const require = createRequire(root + "/gateway/ui/package.json"), { build } = require("esbuild");
    for (const part of ["canonical", "document"])
        await build({ entryPoints: [`${root}/gateway/ui/src/proof/${part}.ts`], bundle: true, format: "esm", outfile: `${folder}/${part}.mjs` });
    const { canonical } = await import(folder + "/canonical.mjs"), { verifyDocument } = await import(folder + "/document.mjs");
    const verdict = async (change) => {
        const document = JSON.parse(snapshot.bytes);
        change(document.payload.nodes[0], document.payload, document);
        const { findings, records } = await verifyDocument(new TextEncoder().encode(canonical(document)), {}, []), { id } = document.payload.nodes[0];
        return { notes: findings.filter((f) => f.mark === "note" && f.what === "nodes").map((f) => f.text), faults: records.find((r) => r.id === id).faults };
    };
    const mark = (node, payload) => { payload.pii_included = false; node.redacted = true; };
    assert.deepEqual((await verdict(mark)).faults, ["it is marked as redacted, and nothing in it is"]);
    const { notes, faults } = await verdict((node, payload) => { mark(node, payload); node.author = "[redacted:email]"; node.type = "decision"; });
    assert.deepEqual(faults, []);
    assert.match(notes[0], /^1 of \d+ redacted: .* do not prove what is shown of them: author, createdAt, .*type/);
    assert.deepEqual((await verdict((node) => { node.erased = {}; delete node.salt; })).faults, ["it is marked as erased, and has a content"]);
    assert.deepEqual((await verdict((node) => { node.erased = {}; delete node.salt; node.payload = null; })).faults, []);
    assert.deepEqual((await verdict((node) => { delete node.salt; })).faults, ["its payload has no salt to prove it, and the document does not say that personal data are left out"]);
    assert.deepEqual((await verdict((node) => { delete node.payload; })).faults, ["it has a salt and no payload that it can belong to"]);
    assert.deepEqual((await verdict((node, payload, document) => { document.created_at = earlier(document.created_at, 700); })).faults, ["it was recorded more than 600 seconds after the document says that it was made"]);
    assert.deepEqual((await verdict((node, payload, document) => { document.created_at = earlier(document.created_at, 500); })).faults, []);
});

test("the page of five thousand nodes opens, verified, in seconds", async () => {
    const many = await large(5000), frozen = await freeze([many.at(-1)], { depth: 10000 }), { page, context, close } = await visit(pageOf(frozen.bytes, frozen.metadata, "large.html"));
    assert.equal(await verdictOf(page), "verified");
    await picture(page);
    const session = await context.newCDPSession(page), took = [], works = [];
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const spent = async () => (await session.send("Performance.getMetrics")).metrics.find((metric) => metric.name === "TaskDuration").value;
    for (let i = 0; i < 3; i++) {
        await page.reload();
        await picture(page);
        // Counted anew for each page.
        works.push(await spent() * 1000);
        took.push(await page.evaluate(() => performance.getEntriesByName("picture")[0].startTime));
    }
    console.log(`# five thousand nodes: picture after ${Math.round(Math.min(...took))} ms, of them ${Math.round(Math.min(...works))} of the page's thread`);
    // The thread's own time does not depend on what else the machine does.
    assert.ok(Math.min(...works) < 3000, `${works}`);
    assert.equal(await page.locator("[data-good=false]").count(), 0);
    await close();
});

test("the page has no serious fault of accessibility, in light and dark, wide and at 390 pixels", async () => {
    const address = pageOf(snapshot.bytes, snapshot.metadata);
    for (const options of [{}, { colorScheme: "dark" }, { viewport: { width: 390, height: 800 } }]) {
        const { page, close } = await visit(address, { bypassCSP: true, ...options });
        await verdictOf(page);
        await picture(page);
        await page.evaluate(axe);
        const found = await page.evaluate(async () => (await globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] })).violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.map((n) => n.target).slice(0, 3)}`));
        assert.deepEqual(found, []);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1));
        await close();
    }
});

test("an erasure takes the page away, and a page that was made before keeps what it proves", async () => {
    const frozen = await freeze([ids.hypothesis]), address = pageOf(frozen.bytes, frozen.metadata, "kept.html");
    sql(`SELECT reason.erase_payload('${ids.errors}', 'asked to')`);
    assert.equal((await request("GET", `/reason/snapshot/${frozen.id}?format=page`)).status, 404);
    const { page, close } = await visit(address);
    assert.equal(await verdictOf(page), "verified");
    await close();
});
