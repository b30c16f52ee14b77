/** Health, in plain words: what works, who signs, how far each chain and its log are. */
import { useState } from "preact/hooks";
import { get, getReady, getText, objects, Refused, text, within } from "../api.ts";
import { readCheckpoint } from "../proof/note.ts";
import { base64 } from "../proof/bytes.ts";
import { isObject, type JsonObject } from "../proof/canonical.ts";
import { link, useLoaded, type Place } from "../state.ts";
import { count, cut, moment, when } from "../text.ts";
import { Failure, Pair, Waiting } from "./parts.tsx";

/** What is answered, or why it is not: a part that fails hides no other. */
async function told<T>(answer: Promise<T>): Promise<T | Error> {
    return answer.catch((error: unknown) => error instanceof Error ? error : new Error(String(error)));
}

/* So many divisions are shown at a time. */
const DIVISIONS = 50;

interface Told { words: string; root: string }

async function checkpointOf(division: string, signal: AbortSignal): Promise<Told> {
    try {
        const checkpoint = readCheckpoint(await getText(within(division, `/reason/log/${encodeURIComponent(division)}/checkpoint`), {}, signal));
        const witnesses = checkpoint.signatures.filter((signature) => signature.name !== checkpoint.origin).length;
        return { words: `covers ${count(Number(checkpoint.size), "event")}, ${witnesses === 0 ? "seen by no witness yet" : `seen by ${count(witnesses, "witness", "witnesses")}`}`, root: base64(checkpoint.root) };
    } catch (error) {
        return { words: error instanceof Refused && error.status === 404 ? "none yet" : error instanceof Error ? error.message : "none", root: "" };
    }
}

async function load(cursor: string, signal: AbortSignal) {
    const [ready, signers, divisions] = await Promise.all([told(getReady(signal)), told(get("/reason/signers", {}, signal)), told(get("/reason/divisions", { limit: DIVISIONS, cursor }, signal))]);
    const names = divisions instanceof Error ? [] : objects(divisions["divisions"]), checkpoints: Told[] = [];
    for (let i = 0; i < names.length; i += 4)
        checkpoints.push(...await Promise.all(names.slice(i, i + 4).map((division) => checkpointOf(text(division["division"]), signal))));
    return { ready, signers, divisions, names, checkpoints };
}

const WORDS: Record<string, string> = { up: "answers", down: "is away", failing: "fails", "not active": "is not active" };
/* Where outside the database the sidecar that seals remembers what it signed. */
const MEMORIES: Record<string, string> = { "none": "nowhere outside the database", "file": "in a file of the sidecar", "store": "in the object store", "file and store": "in a file of the sidecar and in the object store" };
const PURPOSES: Record<string, string> = { events: "events and snapshots", checkpoints: "checkpoints of logs", witness: "what it witnessed" };
const words = (value: unknown): string => typeof value === "string" ? WORDS[value] ?? value : "says nothing";

/* After so long without a report a sidecar counts as away: reason.leader_report(). */
const SILENCE_S = 15;
/* So long an event may wait for its signature before the service calls itself unready. */
const MOST_LAG_S = 60;

/** What is wrong and what it means for those who write, in sentences; none: all is well. */
function troublesOf(ready: JsonObject): string[] {
    const troubles: string[] = [], { signer, objectStore, auditLagSeconds, haltedChains, safeMode } = ready;
    if (safeMode !== false)
        troubles.push("Safe mode: events that are known elsewhere are missing here, and nothing is written until an administrator has looked.");
    if (signer === "down")
        troubles.push("No sidecar that signs has reported lately. What is written is kept, and is sealed and signed once one runs again.");
    else if (signer !== "up")
        troubles.push("The sidecar signs by a key that is not active in the registry. What is written is kept and not signed.");
    if (objectStore === "down")
        troubles.push("No sidecar that stores snapshots has reported lately. Snapshots stay pending.");
    else if (objectStore !== "up")
        troubles.push("The object store refuses snapshots, which stay pending.");
    if (typeof auditLagSeconds === "number" && auditLagSeconds >= MOST_LAG_S)
        troubles.push(`The oldest event that is not signed waits for ${Math.round(auditLagSeconds)} seconds; up to ${MOST_LAG_S} are usual.`);
    if (typeof haltedChains === "number" && haltedChains > 0)
        troubles.push(`${count(haltedChains, "chain")} halted: what is written in ${haltedChains === 1 ? "that division" : "those divisions"} is not sealed until an administrator has looked. The others go on.`);
    if (troubles.length === 0 && ready["ok"] !== true)
        troubles.push("The service says that it is not ready.");
    return troubles;
}

/** How long ago, as people say it. */
function ageOf(seconds: unknown): string {
    if (typeof seconds !== "number")
        return "none that the database knows of";
    const minutes = Math.floor(seconds / 60);
    return `${minutes > 0 ? count(minutes, "minute") : seconds < 1 ? "less than a second" : count(Math.floor(seconds), "second")} ago${seconds > SILENCE_S ? `: it reports every few seconds while it runs, and counts as away after ${SILENCE_S}` : ""}`;
}

function Readiness({ ready }: { ready: JsonObject }) {
    const troubles = troublesOf(ready), lag = ready["auditLagSeconds"];
    return (
        <>
            <div role="status">
                {troubles.length === 0 ? <><p class="added"><strong>All is well as of {moment(text(ready["time"]))}: what is written is sealed, signed and stored.</strong></p><p class="faint">This is not looked at again by itself. A sidecar that stops is noticed within {SILENCE_S} seconds, by its report that fails to come.</p></>
                    : <><p class="bad"><strong>Something is wrong.</strong></p><ul>{troubles.map((trouble) => <li key={trouble} class="bad">{trouble}</li>)}</ul></>}
            </div>
            <dl>
                <Pair name="Database">{words(ready["db"])}</Pair>
                <Pair name="Signer">{words(ready["signer"])}</Pair>
                <Pair name="Object store">{words(ready["objectStore"])}</Pair>
                <Pair name="Oldest event not signed">{typeof lag !== "number" ? "unknown" : lag === 0 ? "none waits" : `waits for ${lag.toFixed(1)} seconds`}</Pair>
                <Pair name="Chains that have halted">{ready["haltedChains"] === 0 ? "none" : String(ready["haltedChains"] ?? "unknown")}</Pair>
                <Pair name="Safe mode">{ready["safeMode"] === false ? "no" : "yes"}</Pair>
                <Pair name="Memory of what was signed">{MEMORIES[text(ready["memory"])] ?? "unknown"}</Pair>
                <Pair name="Sidecar's last sign of life">{ageOf(ready["sidecarReportSeconds"])}</Pair>
                <Pair name="Time">{when(text(ready["time"]))}</Pair>
            </dl>
        </>
    );
}

/** The head of a chain, where it is told, and how many of its events no checkpoint covers yet. */
function Head({ head, size }: { head: JsonObject | null; size: number }) {
    if (!head || typeof head["seq"] !== "number")
        return <span class="faint">for auditors and administrators</span>;
    const waiting = head["seq"] + 1 - size;
    return <>{count(head["seq"] + 1, "event")}, the last {when(text(head["createdAt"]))}{waiting > 0 && <>; {count(waiting, "event")} not in a checkpoint yet</>}<br /><code class="wide">{text(head["hash"])}</code></>;
}

export function Health({ place }: { place: Place }) {
    const cursor = place.parameters.get("cursor") ?? "", [asked, setAsked] = useState(0), { value, error, loading } = useLoaded(`${cursor} ${asked}`, (signal) => load(cursor, signal));
    if (error)
        return <Failure error={error} />;
    if (!value)
        return <Waiting what="Asking" />;
    const { ready, signers, divisions, names, checkpoints } = value, next = divisions instanceof Error ? "" : text(divisions["nextCursor"]);
    return (
        <div aria-busy={loading}>
            <h1>Health</h1>
            {ready instanceof Error ? <Failure error={ready} lasting /> : <Readiness ready={ready} />}
            <p><button type="button" onClick={() => { setAsked(asked + 1); }}>Look again</button></p>
            <h2>Divisions and their logs</h2>
            {divisions instanceof Error ? <Failure error={divisions} lasting /> : <table class="stacked" tabIndex={0} aria-label="Divisions and their logs">
                <thead><tr><th scope="col">Division</th><th scope="col">Head of its chain</th><th scope="col">Log</th><th scope="col">Last checkpoint</th></tr></thead>
                <tbody>{names.map((division, i) => {
                    const name = text(division["division"]), log = isObject(division["log"]) ? division["log"] : {}, size = typeof log["size"] === "number" ? log["size"] : 0;
                    return <tr key={name}><th scope="row">{cut(name, 100)}</th><td data-label="head of its chain"><Head head={isObject(division["head"]) ? division["head"] : null} size={size} /></td><td data-label="log" class="word">{cut(text(log["origin"]), 200)}</td><td data-label="last checkpoint">{cut(checkpoints[i]?.words ?? "", 300)}{checkpoints[i]?.root && <><br /><code class="wide">{checkpoints[i].root}</code></>}</td></tr>;
                })}</tbody>
            </table>}
            {!(divisions instanceof Error) && divisions["incomplete"] === true && <p role="status" class="bad">A database that may hold more divisions does not answer: they are missing here.</p>}
            {next && <p><a class="button" href={link("health", "", { cursor: next })}>Further divisions</a></p>}
            <h2>Signers</h2>
            {signers instanceof Error ? <Failure error={signers} lasting /> : <table class="stacked" tabIndex={0} aria-label="Signers">
                <thead><tr><th scope="col">Signer</th><th scope="col">Signs</th><th scope="col">Status</th><th scope="col">From</th><th scope="col">To</th></tr></thead>
                <tbody>{objects(signers["signers"]).map((s) => <tr key={text(s["signerId"])}><th scope="row">{cut(text(s["signerId"]), 100)}</th><td data-label="signs">{PURPOSES[text(s["purpose"])] ?? ""}</td><td data-label="status">{text(s["status"])}</td><td data-label="from">{when(text(s["validFrom"]))}</td><td data-label="to">{when(text(s["validTo"])) || "open"}</td></tr>)}</tbody>
            </table>}
        </div>
    );
}
