/** Bytes as texts, and texts as bytes. */

export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function utf8(text: string): Bytes {
    return encoder.encode(text);
}

/** Throws a TypeError where the bytes are not UTF-8. */
export function textOf(bytes: Bytes): string {
    return decoder.decode(bytes);
}

export function hex(bytes: Bytes): string {
    let text = "";
    for (const byte of bytes)
        text += byte.toString(16).padStart(2, "0");
    return text;
}

/** null where it is not hex in lower case, of `length` bytes if that is given. */
export function bytesOfHex(text: unknown, length?: number): Bytes | null {
    if (typeof text !== "string" || text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text) || (length !== undefined && text.length !== 2 * length))
        return null;
    const bytes = new Uint8Array(text.length / 2);
    for (let i = 0; i < bytes.length; i++)
        bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
    return bytes;
}

export function base64(bytes: Bytes): string {
    let text = "";
    for (let i = 0; i < bytes.length; i += 0x8000)
        text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
    return btoa(text);
}

/** null where it is not base64 with its padding (RFC 4648, section 4), of `length` bytes if that is given. */
export function bytesOfBase64(text: unknown, length?: number): Bytes | null {
    if (typeof text !== "string" || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
        return null;
    let raw: string;
    try {
        raw = atob(text);
    } catch {
        return null;
    }
    if (length !== undefined && raw.length !== length)
        return null;
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++)
        bytes[i] = raw.charCodeAt(i);
    // What a decoder would pass over, such as bits beyond the last byte, is no second way to write the same bytes.
    return base64(bytes) === text ? bytes : null;
}

export function concat(...parts: Bytes[]): Bytes {
    const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of parts) {
        whole.set(part, at);
        at += part.length;
    }
    return whole;
}

export function equal(a: Bytes, b: Bytes): boolean {
    return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export async function sha256(...parts: Bytes[]): Promise<Bytes> {
    const [first] = parts;
    return new Uint8Array(await crypto.subtle.digest("SHA-256", parts.length === 1 && first ? first : concat(...parts)));
}
