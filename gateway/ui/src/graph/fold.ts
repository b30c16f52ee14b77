/**
 * What of a graph is drawn: nodes by themselves, or many as one fold.
 *
 * A fold stands for nodes of one level and type (and author, where asked for). When a graph is larger than can be
 * taken in, the largest groups are folded first until the rest fits; opening one draws its nodes again.
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
    const largest = [...groups].filter(([name, members]) => members.length > 1 && !options.opened.has(name)).sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));
    let count = graph.nodes.size;
    const place = new Map<string, string>(), nodes = new Map<string, Drawn>();
    for (const [name, members] of largest) {
        if (options.by === "none" && count <= options.most)
            break;
        count -= members.length - 1;
        for (const member of members)
            place.set(member.id, name);
        const [first] = members, types = new Set(members.map((m) => m.type)), authors = new Set(members.map((m) => m.author));
        nodes.set(name, {
            id: name, node: null, members: members.map((m) => m.id), hidden: members, level: level.get(first?.id ?? "") ?? 0,
            type: types.size === 1 && first ? first.type : "",
            label: `${members.length} × ${types.size === 1 && first ? first.type : "nodes"}` + (authors.size === 1 && first ? ` by ${first.author}` : ` by ${authors.size} authors`),
        });
    }
    for (const node of graph.nodes.values())
        if (!place.has(node.id))
            nodes.set(node.id, { id: node.id, node, members: [node.id], hidden: [], label: node.note, type: node.type, level: level.get(node.id) ?? 0 });

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
