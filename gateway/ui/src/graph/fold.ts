/**
 * What of a graph is drawn: nodes by themselves, or many as one fold.
 *
 * A fold stands for nodes of one level and type (and author, where asked for). When a graph is larger than can be
 * taken in, the largest groups are folded first until the rest fits; opening one draws its nodes again. One of very
 * many opens to parts, in the order in which they were recorded, each of them a fold: thousands at once are a thicket.
 */
import { type Graph, type GraphEdge, type GraphNode } from "./model.ts";
import { stated } from "./parallel.ts";

export interface Drawn {
    /** the node's id, or that of the fold */
    id: string;
    node: GraphNode | null;
    /** ids of the nodes it stands for */
    members: string[];
    /** of a fold, those nodes */
    hidden: GraphNode[];
    /** of a part of a fold: when the first and the last of them were recorded */
    between: [string, string] | null;
    /** it is a fold of so many that it opens to parts */
    opensToParts: boolean;
    label: string;
    type: string;
    level: number;
}

export interface DrawnEdge { id: string; from: string; to: string; type: string; weight: number; members: GraphEdge[]; /** one of several members between the same two nodes that counts, the newest; null where they lead to and from folds */ counts: GraphEdge | null }

export interface Folded { nodes: Map<string, Drawn>; edges: DrawnEdge[] }

export type FoldBy = "none" | "level" | "type" | "author";

export interface FoldOptions {
    by: FoldBy;
    /** folds that were opened by hand, and those that were closed */
    opened: ReadonlySet<string>;
    /** never folded: the start, what is selected, a path */
    kept: ReadonlySet<string>;
    /** edges that are drawn by themselves, whatever lies beside them */
    apart?: ReadonlySet<string> | undefined;
    /** so many are drawn at most before groups are folded by themselves */
    most: number;
}

function groupOf(node: GraphNode, level: number, by: FoldBy): string {
    switch (by) {
    case "level": return `level ${level}`;
    case "author": return `level ${level} ${node.type} ${node.author}`;
    default: return `level ${level} ${node.type}`;
    }
}

/* A fold of more nodes opens to parts; as many parts as leave about so many in each, but not more. */
const MOST_OPENED = 100, PART = 50, MOST_PARTS = 24;

interface Group { name: string; members: GraphNode[]; isPart: boolean }

const isEarlier = (a: GraphNode, b: GraphNode): number => a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.id < b.id ? -1 : 1;

/** What is left of a group when it, and parts of it, are opened. */
function parted(group: Group, opened: ReadonlySet<string>): Group[] {
    const { name, members } = group;
    if (!opened.has(name) || members.length <= MOST_OPENED)
        return [group];
    const sorted = [...members].sort(isEarlier), parts = Math.min(MOST_PARTS, Math.ceil(members.length / PART)), at = (part: number): number => Math.round(part * members.length / parts);
    return Array.from({ length: parts }, (_, i) => ({ name: `${name} part ${i + 1} of ${parts}`, members: sorted.slice(at(i), at(i + 1)), isPart: true })).flatMap((part) => parted(part, opened));
}

export function fold(graph: Graph, level: ReadonlyMap<string, number>, options: FoldOptions): Folded {
    const groups = new Map<string, GraphNode[]>();
    for (const node of graph.nodes.values()) {
        if (options.kept.has(node.id))
            continue;
        const group = groupOf(node, level.get(node.id) ?? 0, options.by);
        const members = groups.get(group);
        if (members)
            members.push(node);
        else
            groups.set(group, [node]);
    }
    const largest = [...groups].flatMap(([name, members]) => parted({ name, members, isPart: false }, options.opened))
        .filter(({ name, members }) => members.length > 1 && !options.opened.has(name)).sort((a, b) => b.members.length - a.members.length || (a.name < b.name ? -1 : 1));
    let count = graph.nodes.size;
    const place = new Map<string, string>(), nodes = new Map<string, Drawn>();
    for (const { name, members, isPart } of largest) {
        if (options.by === "none" && count <= options.most && !isPart)
            continue;
        count -= members.length - 1;
        for (const member of members)
            place.set(member.id, name);
        const [first] = members, last = members.at(-1), types = new Set(members.map((m) => m.type)), authors = new Set(members.map((m) => m.author));
        nodes.set(name, {
            id: name, node: null, members: members.map((m) => m.id), hidden: members, level: level.get(first?.id ?? "") ?? 0,
            between: isPart && first && last ? [first.createdAt, last.createdAt] : null, opensToParts: members.length > MOST_OPENED,
            type: types.size === 1 && first ? first.type : "",
            label: `${members.length} × ${types.size === 1 && first ? first.type : "nodes"}` + (authors.size === 1 && first ? ` by ${first.author}` : ` by ${authors.size} authors`),
        });
    }
    for (const node of graph.nodes.values())
        if (!place.has(node.id))
            nodes.set(node.id, { id: node.id, node, members: [node.id], hidden: [], between: null, opensToParts: false, label: node.note, type: node.type, level: level.get(node.id) ?? 0 });

    const edges = new Map<string, DrawnEdge>();
    for (const { edge, earlier } of stated(graph.edges.values(), options.apart)) {
        const from = place.get(edge.from) ?? edge.from, to = place.get(edge.to) ?? edge.to;
        if (from === to && (place.has(edge.from) || place.has(edge.to)))
            continue;
        const key = `${from}\n${to}\n${edge.type}\n${options.apart?.has(edge.id) ? edge.id : ""}`, drawn = edges.get(key);
        if (drawn) {
            drawn.members.push(edge, ...earlier);
            drawn.counts = null;
            drawn.weight = Math.max(drawn.weight, edge.weight);
        } else
            edges.set(key, { id: edge.id, from, to, type: edge.type, weight: edge.weight, members: [edge, ...earlier], counts: edge });
    }
    return { nodes, edges: [...edges.values()] };
}
