// What @sigstore/verify says of checkpoints and inclusion proofs: a JSON request a line in, a JSON answer a line out.
// Its two modules are asked by their paths, for the package gives them to nobody but itself.
const { createPublicKey } = require('node:crypto');
const readline = require('node:readline');
const { verifyCheckpoint, LogCheckpoint } = require('@sigstore/verify/dist/tlog/checkpoint.js');
const { verifyMerkleInclusion } = require('@sigstore/verify/dist/tlog/merkle.js');

const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');

// A log as this package knows one, of its vkey.
function asLog(vkey) {
  const [name, id, ...rest] = vkey.split('+');
  const key = Buffer.from(rest.join('+'), 'base64').subarray(1);
  return {
    logID: Buffer.from(id, 'hex'),
    baseURL: name,
    publicKey: createPublicKey({ key: Buffer.concat([ED25519_SPKI, key]), format: 'der', type: 'spki' }),
  };
}

const requests = {
  note: ({ note, log }) => verifyCheckpoint({ inclusionProof: { checkpoint: { envelope: note } } }, [asLog(log)]),
  inclusion: ({ index, size, leaf, root, hashes }) => {
    const text = `none\n${size}\n${root}\n`;
    const entry = {
      canonicalizedBody: Buffer.from(leaf, 'base64'),
      inclusionProof: { logIndex: String(index), hashes: hashes.map((hash) => Buffer.from(hash, 'base64')) },
    };
    verifyMerkleInclusion(entry, LogCheckpoint.fromString(text));
  },
};

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const asked = JSON.parse(line);
  let said = '';
  try {
    requests[asked.do](asked);
  } catch (error) {
    said = error.message || 'refused without a word';
  }
  process.stdout.write(JSON.stringify({ sigstore: said }) + '\n');
});
