//! A JSON text a line in; SHA-256 and canonical form a line out (crate: serde_json_canonicalizer).
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, BufWriter, Write};

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let value: serde_json::Value = serde_json::from_str(&line?)?;
        let form = serde_json_canonicalizer::to_vec(&value)?;
        for byte in Sha256::digest(&form) {
            write!(out, "{byte:02x}")?;
        }
        out.write_all(b" ")?;
        out.write_all(&form)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
