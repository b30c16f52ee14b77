/** Canonical JSON (RFC 8785). JavaScript's own numbers and strings are what the RFC is written after. */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject { [name: string]: Json }

export function isObject(value: unknown): value is JsonObject {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function canonical(value: Json): string {
    if (Array.isArray(value))
        return "[" + value.map(canonical).join(",") + "]";
    if (isObject(value))
        return canonicalMembers(value, Object.keys(value).sort());
    return JSON.stringify(value);
}

/** An object of these members alone, in the order given; those that it lacks are passed over. */
export function canonicalMembers(object: JsonObject, names: readonly string[]): string {
    const members: string[] = [];
    for (const name of names) {
        const value = Object.hasOwn(object, name) ? object[name] : undefined;
        if (value !== undefined)
            members.push(JSON.stringify(name) + ":" + canonical(value));
    }
    return "{" + members.join(",") + "}";
}
