"""What is in an image, as an SPDX 2.3 document: https://spdx.github.io/spdx-spec/v2.3/.

contents.py NAME VERSION ROOT LOCK OUT

Debian's packages are named by debsbom, from dpkg's status in ROOT. To these come what was built from these sources, which is
what no package of Debian owns, and what npm's packages the explorer's bundle holds, by its LOCK file, if the image has one.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

name, version, root, lock, out = sys.argv[1:]
root = pathlib.Path(root)
stamp = subprocess.run(["date", "-u", "-d", f"@{os.environ['SOURCE_DATE_EPOCH']}", "+%Y-%m-%dT%H:%M:%SZ"],
                       stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

with tempfile.TemporaryDirectory() as scratch:
    subprocess.run([pathlib.Path(sys.executable).parent / "debsbom", "generate", "-t", "spdx", "-r", root, "-o", f"{scratch}/image", "--with-licenses",
                    "--distro-name", f"reasoning-graph-{name}", "--distro-version", version, "--timestamp", stamp,
                    "--spdx-namespace", f"https://reasoning-graph.example/spdx/{name}-{version}-{os.environ['SOURCE_DATE_EPOCH']}"],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    document = json.loads(pathlib.Path(f"{scratch}/image.spdx.json").read_text())

described = [line["relatedSpdxElement"] for line in document["relationships"] if line["relationshipType"] == "DESCRIBES"][0]


def add(identifier, package, contained_in):
    document["packages"].append({"SPDXID": identifier, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
                                 "copyrightText": "NOASSERTION", "licenseConcluded": "NOASSERTION", **package})
    document["relationships"].append({"spdxElementId": contained_in, "relationshipType": "CONTAINS", "relatedSpdxElement": identifier})


ours = f"SPDXRef-reasoning-graph-{name}-sources"
add(ours, {"name": f"reasoning-graph-{name}-sources", "versionInfo": version, "licenseDeclared": "PostgreSQL",
           "primaryPackagePurpose": "APPLICATION", "supplier": "Organization: Reasoning Graph contributors"}, described)
if (root / "usr/share/reasoning-graph/ui/index.html").exists():
    for place, package in sorted(json.loads(pathlib.Path(lock).read_text())["packages"].items()):
        if place and not package.get("dev"):
            bundled = place.rpartition("node_modules/")[2]
            add("SPDXRef-npm-" + "".join(c if c.isalnum() else "-" for c in f"{bundled}-{package['version']}"),
                {"name": bundled, "versionInfo": package["version"], "licenseDeclared": package.get("license", "NOASSERTION"),
                 "primaryPackagePurpose": "LIBRARY",
                 "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                   "referenceLocator": f"pkg:npm/{bundled.replace('@', '%40')}@{package['version']}"}]}, ours)
document["packages"].sort(key=lambda package: package["SPDXID"])
document["relationships"].sort(key=lambda line: (line["spdxElementId"], line["relationshipType"], line["relatedSpdxElement"]))
pathlib.Path(out).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
