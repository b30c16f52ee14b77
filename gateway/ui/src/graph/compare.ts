/** What differs between two sides, by the service's word (GET /reason/diff), in one graph: that of the second, and what only the first has. */
import { isObject, type JsonObject } from "../proof/canonical.ts";
import { withCircles } from "./circles.ts";
import { edgeOf, nodeOf, type Graph } from "./model.ts";

export type Change = "added" | "removed" | "changed" | "same";

export interface Comparison { graph: Graph; nodes: Map<string, Change>; edges: Map<string, Change>; counts: Record<Change, number>; /** ids of nodes that were corrected on one side alone */ corrected: Set<string>; /** what the first side gave edges for a weight that have another one on the second */ weights: Map<string, number>; /** how many nodes and edges only the second side has */ added: { nodes: number; edges: number } }

/** All entries of all pages of an answer. */
export interface Differences { entries: { change: Change; entry: JsonObject }[]; counts: JsonObject }

const text = (value: unknown): string => typeof value === "string" ? value : "";
const number = (value: unknown): number => typeof value === "number" ? value : 0;

/** Entries tell of a record what a list needs; so much is known of what the second side lacks. */
function nodeOfEntry(entry: JsonObject): ReturnType<typeof nodeOf> {
    const metadata = typeof entry["confidence"] === "number" ? { confidence: entry["confidence"] } : {};
    return nodeOf({ ...entry, id: text(entry["nodeId"]), metadata, payload: text(entry["note"]) || null });
}

export function comparisonOf(after: Graph, { entries, counts }: Differences): Comparison {
    const nodes = new Map(after.nodes), edges = new Map(after.edges), corrected = new Set<string>(), weights = new Map<string, number>();
    const nodeChanges = new Map<string, Change>([...nodes.keys()].map((id) => [id, "same"])), edgeChanges = new Map<string, Change>([...edges.keys()].map((id) => [id, "same"]));
    for (const { change, entry } of entries) {
        const id = text(entry["nodeId"]) || text(entry["edgeId"]);
        if (entry["kind"] === "node") {
            nodeChanges.set(id, change);
            if (change === "removed")
                nodes.set(id, nodeOfEntry(entry));
            if (isObject(entry["changes"]) && entry["changes"]["corrected"] !== undefined)
                corrected.add(id);
        } else {
            edgeChanges.set(id, change);
            const weight = isObject(entry["changes"]) ? entry["changes"]["weight"] : undefined;
            if (isObject(weight) && typeof weight["a"] === "number" && weight["a"] !== weight["b"])
                weights.set(id, weight["a"]);
            if (change === "removed")
                edges.set(id, edgeOf({ ...entry, id }));
        }
    }
    const addedOf = (kind: string): number => entries.filter(({ change, entry }) => change === "added" && entry["kind"] === kind).length;
    return {
        weights, added: { nodes: addedOf("node"), edges: addedOf("edge") }, graph: withCircles({ nodes, edges }), nodes: nodeChanges, edges: edgeChanges, corrected,
        counts: { added: number(counts["added"]), removed: number(counts["removed"]), changed: number(counts["changed"]), same: number(counts["sameNodes"]) + number(counts["sameEdges"]) },
    };
}
