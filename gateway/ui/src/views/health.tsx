/** Health, in plain words: what works, who signs, how far each chain and its log are. */
import { get, getText, objects, Refused, text } from "../api.ts";
import { readCheckpoint } from "../proof/note.ts";
import { base64 } from "../proof/bytes.ts";
import { isObject, type JsonObject } from "../proof/canonical.ts";
import { useLoaded } from "../state.ts";
import { count, cut, when } from "../text.ts";
import { Failure, Pair, Waiting } from "./parts.tsx";

/** What a route answers, also when it says that something is wrong. */
async function told(path: string, signal: AbortSignal): Promise<JsonObject | Error> {
    try {
        return await get(path, {}, signal);
    } catch (error) {
        return error instanceof Error ? error : new Error(String(error));
    }
}

interface Told { words: string; root: string }

async function checkpointOf(division: string, signal: AbortSignal): Promise<Told> {
    try {
        const checkpoint = readCheckpoint(await getText(`/reason/log/${encodeURIComponent(division)}/checkpoint`, {}, signal));
        const witnesses = checkpoint.signatures.filter((signature) => signature.name !== checkpoint.origin).length;
        return { words: `covers ${count(Number(checkpoint.size), "event")}, ${witnesses === 0 ? "seen by no witness yet" : `seen by ${count(witnesses, "witness", "witnesses")}`}`, root: base64(checkpoint.root) };
    } catch (error) {
        return { words: error instanceof Refused && error.status === 404 ? "none yet" : error instanceof Error ? error.message : "none", root: "" };
    }
}

async function load(signal: AbortSignal) {
    const [ready, signers, divisions] = await Promise.all([told("/ready", signal), told("/reason/signers", signal), told("/reason/divisions", signal)]);
    const names = divisions instanceof Error ? [] : objects(divisions["divisions"]);
    const checkpoints = await Promise.all(names.map((division) => checkpointOf(text(division["division"]), signal)));
    return { ready, signers, divisions, names, checkpoints };
}

const WORDS: Record<string, string> = { up: "answers", down: "is away", failing: "fails", "not active": "is not active" };
/* Where outside the database the sidecar that seals remembers what it signed. */
const MEMORIES: Record<string, string> = { "none": "nowhere outside the database", "file": "in a file of the sidecar", "store": "in the object store", "file and store": "in a file of the sidecar and in the object store" };
const PURPOSES: Record<string, string> = { events: "events and snapshots", checkpoints: "checkpoints of logs", witness: "what it witnessed" };
const words = (value: unknown): string => typeof value === "string" ? WORDS[value] ?? value : "says nothing";

export function Health() {
    const { value, error } = useLoaded("health", load);
    if (error)
        return <Failure error={error} />;
    if (!value)
        return <Waiting what="Asking" />;
    const { ready, signers, names, checkpoints } = value, lag = !(ready instanceof Error) && typeof ready["auditLagSeconds"] === "number" ? ready["auditLagSeconds"] : null;
    return (
        <>
            <h1>Health</h1>
            {ready instanceof Error ? <Failure error={ready} /> : <>
                <p role="status" class={ready["ok"] === true ? "added" : "bad"}><strong>{ready["ok"] === true ? "All is well: what is written is sealed, signed and stored." : "Something is wrong."}</strong></p>
                <dl>
                    <Pair name="Database">{words(ready["db"])}</Pair>
                    <Pair name="Signer">{words(ready["signer"])}</Pair>
                    <Pair name="Object store">{words(ready["objectStore"])}</Pair>
                    <Pair name="Oldest event not signed">{lag === null ? "unknown" : lag === 0 ? "none waits" : `waits for ${lag.toFixed(1)} seconds`}</Pair>
                    <Pair name="Chains that have halted">{ready["haltedChains"] === 0 ? "none" : String(ready["haltedChains"] ?? "unknown")}</Pair>
                    <Pair name="Safe mode">{ready["safeMode"] === false ? "no" : <strong class="bad">yes: events that are known elsewhere are missing here, and nothing is written until an administrator has looked</strong>}</Pair>
                    <Pair name="Memory of what was signed">{MEMORIES[text(ready["memory"])] ?? "unknown"}</Pair>
                    <Pair name="Time">{when(text(ready["time"]))}</Pair>
                </dl>
            </>}
            <h2>Divisions and their logs</h2>
            <table>
                <thead><tr><th scope="col">Division</th><th scope="col">Signed events</th><th scope="col">Log</th><th scope="col">Last checkpoint</th></tr></thead>
                <tbody>{names.map((division, i) => {
                    const name = text(division["division"]), log = isObject(division["log"]) ? division["log"] : {};
                    return <tr key={name}><th scope="row">{cut(name, 100)}</th><td>{typeof log["size"] === "number" ? log["size"] : ""}</td><td>{cut(text(log["origin"]), 200)}</td><td>{cut(checkpoints[i]?.words ?? "", 300)}{checkpoints[i]?.root && <><br /><code class="wide">{checkpoints[i].root}</code></>}</td></tr>;
                })}</tbody>
            </table>
            <h2>Signers</h2>
            {signers instanceof Error ? <Failure error={signers} /> : <table>
                <thead><tr><th scope="col">Signer</th><th scope="col">Signs</th><th scope="col">Status</th><th scope="col">From</th><th scope="col">To</th></tr></thead>
                <tbody>{objects(signers["signers"]).map((s) => <tr key={text(s["signerId"])}><th scope="row">{cut(text(s["signerId"]), 100)}</th><td>{PURPOSES[text(s["purpose"])] ?? ""}</td><td>{text(s["status"])}</td><td>{when(text(s["validFrom"]))}</td><td>{when(text(s["validTo"])) || "open"}</td></tr>)}</tbody>
            </table>}
        </>
    );
}
