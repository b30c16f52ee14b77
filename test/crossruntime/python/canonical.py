"""A JSON text a line in; SHA-256 and canonical form a line out (PyPI: rfc8785)."""
import hashlib
import json
import sys

import rfc8785


def integer(text):
    """rfc8785 refuses integers beyond 2^53 that are not written as floats."""
    return int(text) if abs(int(text)) < 2 ** 53 else float(text)


for line in sys.stdin.buffer:
    form = rfc8785.dumps(json.loads(line, parse_int=integer))
    sys.stdout.buffer.write(hashlib.sha256(form).hexdigest().encode() + b" " + form + b"\n")
