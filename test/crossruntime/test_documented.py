"""The reference code in docs/for-auditors/canonical-json.md does what the page says: it is taken from there and run."""
import json
import re
import shutil
import subprocess

import pytest

from paths import ROOT

PAGE = (ROOT / "docs/for-auditors/canonical-json.md").read_text()
VECTORS = sorted((ROOT / "test/vectors/jcs/input").glob("*.json"))

# more than the vectors hold: every form of a number, and names in an order of their own
HARD = json.loads('[0,-0.0,1,-1.5,10,123456789,1e20,1e21,123456789012345680000,0.000001,1e-7,1.5e-9,5e-324,'
                  '1.7976931348623157e308,1e23,4.35,0.30000000000000004,9007199254740992,-0.000001234567890123456,'
                  '{"\\ufb33":1,"\\ud83d\\ude00":2,"\\u20ac":3,"":4,"a\\u007f\\u0001":5}]')
HARD_FORM = ('[0,0,1,-1.5,10,123456789,100000000000000000000,1e+21,123456789012345680000,0.000001,1e-7,1.5e-9,5e-324,'
             '1.7976931348623157e+308,1e+23,4.35,0.30000000000000004,9007199254740992,-0.000001234567890123456,'
             '{"":4,"a\x7f\\u0001":5,"\u20ac":3,"\U0001f600":2,"\ufb33":1}]')


def code(language):
    blocks = re.findall(r"^```%s\n(.*?)^```$" % language, PAGE, re.M | re.S)
    assert len(blocks) == 1, f"one block of {language} on the page"
    return blocks[0]


def expected(vector):
    return (vector.parents[1] / "output" / vector.name).read_bytes()


def test_the_python_code():
    scope = {}
    exec(code("python"), scope)
    assert len(VECTORS) == 6
    for vector in VECTORS:
        assert scope["canonical"](json.loads(vector.read_bytes())).encode() == expected(vector), vector.name
    assert scope["canonical"](HARD) == HARD_FORM
    with pytest.raises(ValueError):
        scope["canonical"](float("inf"))


@pytest.mark.skipif(not shutil.which("node"), reason="no Node here: its reference code is not run")
def test_the_javascript_code(tmp_path):
    script = tmp_path / "canonical.js"
    script.write_text(code("javascript") + 'const fs = require("fs");\n'
                      'process.stdout.write(canonical(JSON.parse(fs.readFileSync(process.argv[2], "utf8"))));\n')

    def run(path):
        return subprocess.run(["node", script, path], check=True, capture_output=True).stdout

    for vector in VECTORS:
        assert run(vector) == expected(vector), vector.name
    (tmp_path / "hard.json").write_text(json.dumps(HARD))
    assert run(tmp_path / "hard.json") == HARD_FORM.encode()
