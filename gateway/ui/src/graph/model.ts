/** A reasoning graph as the explorer holds it, from a trace or from a snapshot's document. */
import { withCircles } from "./circles.ts";
import { isObject, type Json, type JsonObject } from "../proof/canonical.ts";

export interface GraphNode {
    id: string;
    type: string;
    author: string;
    /** when it was recorded */
    createdAt: string;
    /** when it occurred, by its author's word */
    ts: string | null;
    confidence: number | null;
    tags: string[];
    note: string;
    record: JsonObject;
    state: "whole" | "erased" | "redacted";
    quarantined: boolean;
    /** it stands in a circle: an edge leads from it back to an ancestor of its own */
    cycle: boolean;
    /** the walk stopped here */
    frontier: boolean;
}

export interface GraphEdge { id: string; from: string; to: string; type: string; weight: number; createdAt: string; record: JsonObject }

export interface Graph { nodes: Map<string, GraphNode>; edges: Map<string, GraphEdge>; /** those that a snapshot holds, by their node */ annotations?: Map<string, JsonObject[]> }

export const NODE_TYPES = ["observation", "recommendation", "decision", "action", "hypothesis", "policyCheck", "score", "correction", "annotation"] as const;
export const EDGE_TYPES = ["causal", "supports", "contradicts", "derivedFrom", "influencedBy", "corrects"] as const;

const NOTES = ["note", "summary", "title", "text", "reason", "rationale"];

const textOf = (value: Json | undefined): string => typeof value === "string" ? value : "";

const MOST_OF_JSON = 300;

/** What a payload says in a few words: its string, the first member that is named like one, or else its JSON. */
export function noteOf(payload: Json | undefined): string {
    if (payload === undefined || payload === null)
        return "";
    if (typeof payload === "string" && payload.trim() !== "")
        return payload;
    if (isObject(payload))
        for (const name of NOTES)
            if (typeof payload[name] === "string")
                return payload[name];
    return JSON.stringify(payload).slice(0, MOST_OF_JSON);
}

function holdsRedaction(value: Json | undefined, depth = 0): boolean {
    if (typeof value === "string")
        return value.includes("[redacted:");
    if (depth > 64 || typeof value !== "object" || value === null)
        return false;
    return Array.isArray(value) ? value.some((v) => holdsRedaction(v, depth + 1))
        : Object.entries(value).some(([name, v]) => name.includes("[redacted:") || holdsRedaction(v, depth + 1));
}

export function nodeOf(record: JsonObject, more: { cycle?: boolean; frontier?: boolean } = {}): GraphNode {
    const metadata = isObject(record["metadata"]) ? record["metadata"] : {}, payload = record["payload"];
    const confidence = metadata["confidence"], tags = metadata["tags"];
    // A payload may be null, and one that is kept elsewhere is not here at all: neither was erased.
    const gone = payload === undefined && record["payloadHash"] !== undefined && !isObject(record["payloadRef"]);
    return {
        id: textOf(record["id"]), type: textOf(record["type"]), author: textOf(record["author"]), createdAt: textOf(record["createdAt"]),
        ts: textOf(record["ts"]) || null,
        confidence: typeof confidence === "number" ? confidence : null,
        tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [],
        note: noteOf(payload), record,
        state: record["erased"] !== undefined || (gone && record["redacted"] === undefined) ? "erased"
            : record["redacted"] !== undefined || holdsRedaction(record) ? "redacted" : "whole",
        quarantined: record["quarantined"] !== undefined, cycle: more.cycle ?? false, frontier: more.frontier ?? false,
    };
}

export function edgeOf(record: JsonObject): GraphEdge {
    return {
        id: textOf(record["id"]), from: textOf(record["from"]), to: textOf(record["to"]), type: textOf(record["type"]),
        weight: typeof record["weight"] === "number" ? record["weight"] : 1, createdAt: textOf(record["createdAt"]), record,
    };
}

export function emptyGraph(): Graph {
    return { nodes: new Map(), edges: new Map() };
}

/** Edges by the node at one end. */
export function byEnd(edges: Iterable<GraphEdge>, end: "from" | "to"): Map<string, GraphEdge[]> {
    const map = new Map<string, GraphEdge[]>();
    for (const edge of edges) {
        const list = map.get(edge[end]);
        if (list)
            list.push(edge);
        else
            map.set(edge[end], [edge]);
    }
    return map;
}

/** The nodes and edges that a condition keeps; no edge without both its ends. */
export function filtered(graph: Graph, keepNode: (node: GraphNode) => boolean, keepEdge: (edge: GraphEdge) => boolean): Graph {
    const nodes = new Map([...graph.nodes].filter(([, node]) => keepNode(node)));
    return { nodes, edges: new Map([...graph.edges].filter(([, edge]) => nodes.has(edge.from) && nodes.has(edge.to) && keepEdge(edge))) };
}

/** The graph of a snapshot's document. */
export function graphOfDocument(document: JsonObject): Graph {
    const graph = emptyGraph(), payload = isObject(document["payload"]) ? document["payload"] : {};
    const frontier = new Set(Array.isArray(payload["frontier"]) ? payload["frontier"] : []);
    for (const record of Array.isArray(payload["nodes"]) ? payload["nodes"].filter(isObject) : []) {
        const node = nodeOf(record);
        node.frontier = frontier.has(node.id);
        graph.nodes.set(node.id, node);
    }
    for (const record of Array.isArray(payload["edges"]) ? payload["edges"].filter(isObject) : []) {
        const edge = edgeOf(record);
        graph.edges.set(edge.id, edge);
    }
    const annotations = new Map<string, JsonObject[]>();
    for (const record of Array.isArray(payload["annotations"]) ? payload["annotations"].filter(isObject) : []) {
        const target = textOf(record["target"]);
        annotations.set(target, [...annotations.get(target) ?? [], record]);
    }
    graph.annotations = annotations;
    return withCircles(graph);
}

/** Corrections by the node that they correct. */
export function corrections(graph: Graph): Map<string, GraphNode[]> {
    const map = new Map<string, GraphNode[]>();
    for (const edge of graph.edges.values()) {
        const correction = graph.nodes.get(edge.from);
        if (edge.type === "corrects" && correction)
            map.set(edge.to, [...map.get(edge.to) ?? [], correction]);
    }
    return map;
}
