// A JSON text a line in; SHA-256 and canonical form a line out (npm: canonicalize).
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import canonicalize from "canonicalize";

const out = [];
for (const line of readFileSync(0, "utf8").split("\n")) {
  if (!line) continue;
  const text = canonicalize(JSON.parse(line));
  out.push(createHash("sha256").update(text).digest("hex") + " " + text + "\n");
}
process.stdout.write(out.join(""));
