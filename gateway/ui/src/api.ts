/** The service's HTTP API, as docs/for-clients/http-api.md has it. */
import { isObject, type Json, type JsonObject } from "./proof/canonical.ts";
import { type Change, type Differences } from "./graph/compare.ts";
import { edgeOf, emptyGraph, nodeOf, type Graph } from "./graph/model.ts";

export class Refused extends Error {
    constructor(readonly status: number, message: string, readonly code: string, readonly details: JsonObject) {
        super(message);
    }
}

export type Parameters = Record<string, string | number | undefined>;

/** The parameters of an address, those that have a value. */
export function query(parameters: Parameters): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters))
        if (value !== undefined && value !== "")
            search.set(name, String(value));
    const text = search.toString();
    return text === "" ? "" : "?" + text;
}

const WAIT_MS = 60000;

async function send(path: string, init: RequestInit, signal: AbortSignal | undefined, taken?: number): Promise<Response> {
    const timeout = AbortSignal.timeout(WAIT_MS);
    let response: Response;
    try {
        response = await fetch(path, { ...init, cache: "no-store", credentials: "same-origin", redirect: "error", signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
    } catch (error) {
        if (signal?.aborted)
            throw error;
        throw new Refused(0, timeout.aborted ? "the service did not answer within a minute" : "the service cannot be reached", "", {});
    }
    if (response.ok || response.status === taken)
        return response;
    const text = await response.text();
    try {
        const body = JSON.parse(text) as Json;
        if (isObject(body) && typeof body["error"] === "string")
            throw new Refused(response.status, body["error"], String(body["code"] ?? ""), isObject(body["details"]) ? body["details"] : {});
    } catch (error) {
        if (error instanceof Refused)
            throw error;
    }
    throw new Refused(response.status, `the service answered with status ${response.status}`, "", {});
}

async function json(response: Response): Promise<JsonObject> {
    const value = await response.json() as Json;
    if (!isObject(value))
        throw new Refused(response.status, "the service's answer is not what was asked for", "", {});
    return value;
}

export async function get(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<JsonObject> {
    return json(await send(path + query(parameters), { headers: { Accept: "application/json" } }, signal));
}

/** What /ready says: what is wrong too, which it answers with 503. */
export async function getReady(signal?: AbortSignal): Promise<JsonObject> {
    const ready = await json(await send("/ready", { headers: { Accept: "application/json" } }, signal, 503));
    if (typeof ready["error"] === "string")
        throw new Refused(503, ready["error"], String(ready["code"] ?? ""), {});
    return ready;
}

export async function getBytes(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await (await send(path + query(parameters), {}, signal)).arrayBuffer());
}

export async function getText(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<string> {
    return (await send(path + query(parameters), {}, signal)).text();
}

export async function postText(path: string, body: Json, signal?: AbortSignal): Promise<string> {
    return (await send(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }, signal)).text();
}

/** A route for one division: where divisions live in several databases, the path leads to the right one, and a body never does. */
export const within = (division: string, path: string): string => division === "" ? path : `/d/${encodeURIComponent(division)}${path}`;

/** A page of an export, and what leads to the next. */
export async function getExport(id: string, parameters: Parameters, signal?: AbortSignal): Promise<{ body: string; nextCursor: string | null }> {
    const answer = await send(`/reason/export/${encodeURIComponent(id)}` + query(parameters), {}, signal);
    return { body: await answer.text(), nextCursor: answer.headers.get("X-Next-Cursor") };
}

export async function post(path: string, body: Json, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<JsonObject> {
    return json(await send(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } }, signal));
}

export const objects = (value: Json | undefined): JsonObject[] => Array.isArray(value) ? value.filter(isObject) : [];
export const strings = (value: Json | undefined): string[] => Array.isArray(value) ? value.filter((v) => typeof v === "string") : [];
export const text = (value: Json | undefined): string => typeof value === "string" ? value : "";

export interface TraceOptions { direction: "ancestors" | "descendants"; depth: number; asOf: string; division: string; /** nodes of a page */ limit?: number }

export interface TracePage { graph: Graph; frontier: string[]; nextCursor: string | null }

/** One page of a trace, added to the graph that is given. */
export async function tracePage(id: string, options: TraceOptions, cursor: string | null, graph: Graph, signal?: AbortSignal): Promise<TracePage> {
    const answer = await get(`/reason/trace/${encodeURIComponent(id)}`, {
        direction: options.direction, depth: options.depth, limit: options.limit ?? 1000, asOf: options.asOf, division: options.division, cursor: cursor ?? undefined,
    }, signal);
    const frontier = strings(answer["frontier"]);
    for (const step of objects(answer["steps"])) {
        if (!isObject(step["node"]))
            continue;
        const node = nodeOf(step["node"], { cycle: step["cycleDetected"] === true, frontier: frontier.includes(text(step["node"]["id"])) });
        graph.nodes.set(node.id, node);
    }
    for (const record of objects(answer["edges"])) {
        const edge = edgeOf(record);
        graph.edges.set(edge.id, edge);
    }
    return { graph, frontier, nextCursor: text(answer["nextCursor"]) || null };
}

/** A whole trace, up to so many nodes more, added to the graph that is given; nextCursor says that there is more. */
export async function trace(id: string, options: TraceOptions, most: number, signal?: AbortSignal, graph = emptyGraph(), begin: string | null = null): Promise<TracePage> {
    const frontier: string[] = [], before = graph.nodes.size;
    let cursor = begin;
    do {
        const page: TracePage = await tracePage(id, options, cursor, graph, signal);
        frontier.push(...page.frontier);
        cursor = page.nextCursor;
    } while (cursor !== null && graph.nodes.size - before < most);
    return { graph, frontier, nextCursor: cursor };
}

const CHANGES: Change[] = ["added", "removed", "changed"];

/** What differs between two sides, all pages of it. */
export async function differences(parameters: Parameters, signal?: AbortSignal): Promise<Differences> {
    const all: Differences = { entries: [], counts: {} };
    let cursor: string | undefined;
    do {
        const answer = await get("/reason/diff", { ...parameters, limit: 10000, cursor }, signal);
        for (const change of CHANGES)
            all.entries.push(...objects(answer[change]).map((entry) => ({ change, entry })));
        all.counts = isObject(answer["counts"]) ? answer["counts"] : {};
        cursor = text(answer["nextCursor"]) || undefined;
    } while (cursor !== undefined);
    return all;
}
