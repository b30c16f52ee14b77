/** What an edge weighs, in the words of pictures, trees and lists. */
import { type GraphEdge } from "../graph/model.ts";
import { figure } from "../text.ts";

/* So many earlier weights are named; of more, how many there are. */
const MOST_NAMED = 2;

/**
 * " 0.4", after the type of an edge; what it weighed on the other side of a comparison is named before it, what was
 * stated earlier after it. A weight of 1 goes without saying, unless there was another.
 */
export function weighed(edge: GraphEdge, earlier: readonly GraphEdge[], weights?: ReadonlyMap<string, number>): string {
    const before = weights?.get(edge.id), weight = figure(edge.weight);
    if (before !== undefined)
        return ` ${figure(before)} → ${weight}`;
    if (earlier.length === 0)
        return edge.weight === 1 ? "" : ` ${weight}`;
    return ` ${weight} (${earlier.length > MOST_NAMED ? `${earlier.length} weights` : earlier.map((one) => figure(one.weight)).join(", ")} before)`;
}
