/** RFC 3339 times in microseconds since 1970, as the service and its verifier compare them. */

const FORM = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/;

/** null where it is no time that exists: there is no 31 February. */
export function microseconds(text: unknown): bigint | null {
    const match = typeof text === "string" ? FORM.exec(text) : null;
    if (!match)
        return null;
    const [, year, month, day, hour, minute, second, fraction = "", zone = "Z"] = match;
    const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
    if (Number.isNaN(ms) || new Date(ms).getUTCDate() !== Number(day))
        return null;
    const offset = zone === "Z" ? 0 : (zone.startsWith("-") ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4)));
    return BigInt(ms - offset * 60000) * 1000n + BigInt(fraction.padEnd(6, "0"));
}

/** As people read it, to the second and in UTC. */
export function timeText(time: bigint): string {
    return new Date(Number(time / 1000n)).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}

/** Clocks may differ by so much. */
export const TOLERANCE = 1000000n;

export function latestPresent(): bigint {
    return BigInt(Date.now()) * 1000n + TOLERANCE;
}
