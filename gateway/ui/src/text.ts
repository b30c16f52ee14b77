/** Texts for people. Whatever a record holds is shown as text, and can neither turn the line around nor hide. */

// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Without characters that control the line: each becomes the sign that stands for them. */
export function plain(text: string): string {
    return text.replace(UNSEEN, (character) => character === "\n" || character === "\t" ? " " : "\ufffd");
}

/** For blocks of text, which keep their lines. */
export function plainLines(text: string): string {
    return text.split("\n").map(plain).join("\n");
}

export function cut(text: string, most: number): string {
    const shown = plain(text);
    return shown.length > most ? shown.slice(0, most - 1) + "…" : shown;
}

/** A time as people read it, to the second and in UTC. */
export function when(time: string | null): string {
    return time === null || time === "" ? "" : plain(time).replace("T", " ").replace(/(\.\d+)?Z$/, " UTC");
}

/** The same with its fraction, where moments within a second are told apart. */
export function moment(time: string): string {
    return plain(time).replace("T", " ").replace(/Z$/, " UTC");
}

/* Where the day of a time ends, its minute, and its second. */
const DAY = 10, MINUTE = 16, SECOND = 19;

/** From one time to a later one, short enough for a card: what both have in common is said once. */
export function span(from: string, to: string): string {
    const [first, last] = [from, to].map((time) => plain(time).slice(0, SECOND).replace("T", " ")) as [string, string];
    const isShared = (length: number): boolean => first.slice(0, length) === last.slice(0, length);
    if (isShared(SECOND))
        return `${first} UTC`;
    return isShared(MINUTE) ? `${first} to ${last.slice(MINUTE)} UTC` : isShared(DAY) ? `${first.slice(0, MINUTE)} to ${last.slice(DAY + 1, MINUTE)} UTC` : `${first.slice(0, DAY)} to ${last.slice(0, DAY)}`;
}

const MOST_DIGITS = 3;

/** A weight, confidence or strength as people read it; the exact one stands in the record. */
export const figure = (number: number): string => String(Number(number.toPrecision(MOST_DIGITS)));

export function count(number: number, one: string, many = one + "s"): string {
    return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

export function short(id: string): string {
    return plain(id).slice(0, 8) + "…" + plain(id).slice(-4);
}
