/** Where nothing was found in a division: whether it is one that the client sees. */
import { get, objects, text } from "../api.ts";
import { useLoaded } from "../state.ts";
import { cut } from "../text.ts";

const MOST_LISTED = 10000;

/** Says so if it is none of those: unknown and hidden alike, for the service does not tell them apart. */
export function DivisionUnknown({ division }: { division: string }) {
    const { value } = useLoaded(division, async (signal) => {
        const listed = await get("/reason/divisions", { limit: MOST_LISTED }, signal);
        return { isListed: listed["truncated"] === true || objects(listed["divisions"]).some((one) => text(one["division"]) === division), seen: objects(listed["divisions"]).map((one) => text(one["division"])) };
    });
    if (!value || value.isListed)
        return null;
    return <p role="status">The division “{cut(division, 63)}” is unknown, or this certificate may not see it. It sees {value.seen.length === 0 ? "none" : value.seen.slice(0, 10).map((name) => cut(name, 63)).join(", ")}{value.seen.length > 10 && ` and ${value.seen.length - 10} more`}.</p>;
}
