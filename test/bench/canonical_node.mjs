// npm's canonicalize and SHA-256 over a file of JSON texts, one a line: seconds of the best round, processor time.
//
//   node canonical_node.mjs FILE        (run where node_modules is beside it)
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import canonicalize from "canonicalize";

const values = readFileSync(process.argv[2], "utf8").split("\n").filter((line) => line).map((line) => JSON.parse(line));
let best = Infinity;
let bytes = 0;
for (let round = 0; round < 5; round++) {
  const began = process.cpuUsage();
  bytes = 0;
  for (const value of values) {
    const text = Buffer.from(canonicalize(value), "utf8");
    createHash("sha256").update(text).digest();
    bytes += text.length;
  }
  const { user, system } = process.cpuUsage(began);
  best = Math.min(best, (user + system) / 1e6);
}
console.log(`${best} ${bytes}`);
