/* Makes the pictures of the documentation: run.py --pictures */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { call, edge, node, picture, request, root, story, visit } from "./lib.mjs";

const out = root + "/docs/pictures", { env } = process;
mkdirSync(out, { recursive: true });

test("pictures", async () => {
    const ids = await story();
    await edge(await node("correction", "ops", { text: "the error rate was 0.2 percent: a wrong unit" }), ids.errors, "corrects");
    const { page, close } = await visit(`#/why/${ids.decision}?path=selected&select=${ids.score}`);
    await picture(page);
    await page.waitForTimeout(800);
    await page.screenshot({ path: out + "/why.png" });
    await close();

    const { snapshotId } = await call("POST", "/reason/snapshot", { rootNodeIds: [ids.decision], description: "why release 2026.48 was rolled back" });
    const folder = mkdtempSync(tmpdir() + "/reason-pictures-");
    writeFileSync(folder + "/snapshot.json", (await request("GET", `/reason/snapshot/${snapshotId}?format=canonical`)).bytes);
    writeFileSync(folder + "/snapshot.json.meta.json", (await request("GET", `/reason/snapshot/${snapshotId}`)).bytes);
    execFileSync(root + "/sidecar/verify/reason-verify", ["-q", "-r", env.REASON_SIGNERS, "--page", folder + "/page.html", folder + "/snapshot.json"]);
    const opened = await visit(`file://${folder}/page.html`);
    await picture(opened.page);
    await opened.page.waitForTimeout(300);
    await opened.page.screenshot({ path: out + "/page.png" });
    await opened.close();
});
