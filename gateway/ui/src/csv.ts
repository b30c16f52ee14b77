/** Reads comma-separated values, RFC 4180, as the service writes them. */

/** Rows by the names in the first. */
export function rowsOfCsv(text: string): Record<string, string>[] {
    const rows: string[][] = [[]], next = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n|\n|$)/gy;
    for (let found = next.exec(text); found && next.lastIndex <= text.length; found = next.exec(text)) {
        const [, field = "", end = ""] = found;
        rows.at(-1)?.push(field.startsWith("\"") ? field.slice(1, -1).replaceAll("\"\"", "\"") : field);
        if (end === "" || next.lastIndex === text.length)
            break;
        if (end !== ",")
            rows.push([]);
    }
    const [names = [], ...values] = rows;
    return values.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? ""])));
}
