/** "What was known then": an address says so with RECORDED in place of a time, and every view means the same by it. */
import { trace } from "./api.ts";
import { writtenAt } from "./graph/paths.ts";
import { isId, type Place } from "./state.ts";

/** In place of a time: when the record was there with its reasons. */
export const RECORDED = "recorded";

/* The nearest causes, as many as a view fetches, however deep it goes. */
const MOST_CAUSES = 10000, DEEPEST = 10000;

/** Which record each time of an address is about. */
function recordsOf({ id, parameters }: Place): Record<string, string> {
    const a = parameters.get("a") ?? parameters.get("node") ?? "";
    return { asOf: id, asOfA: a, asOfB: parameters.get("b") ?? a };
}

/** The times of an address that are to be looked up. */
export const unresolved = (place: Place): string[] =>
    Object.entries(recordsOf(place)).filter(([name, id]) => place.parameters.get(name) === RECORDED && isId(id)).map(([name]) => name);

/** These times; the causes of the record are asked for, for whatever a view holds may lack them. */
export async function resolve(place: Place, signal: AbortSignal): Promise<Record<string, string>> {
    const records = recordsOf(place), division = place.parameters.get("division") ?? "";
    const times = unresolved(place).map(async (name): Promise<[string, string]> => {
        const id = records[name] ?? "";
        const { graph } = await trace(id, { direction: "ancestors", depth: DEEPEST, asOf: "", division }, MOST_CAUSES, signal);
        return [name, writtenAt(graph, id) ?? ""];
    });
    return Object.fromEntries(await Promise.all(times));
}
