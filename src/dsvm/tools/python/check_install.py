"""The owner installs a package of their own into `base`, uses and removes it, offline."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

NAME = "dsvm_check_own"
WHEEL = Path(f"{NAME}-1.0-py3-none-any.whl").absolute()
INFO = f"{NAME}-1.0.dist-info"
FILES = {
    f"{NAME}.py": "answer = 42\n",
    f"{INFO}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
with zipfile.ZipFile(WHEEL, "w") as wheel:
    for name, text in FILES.items():
        wheel.writestr(name, text)
    wheel.writestr(f"{INFO}/RECORD", "".join(f"{name},,\n" for name in [*FILES, f"{INFO}/RECORD"]))


def pip(*words: str) -> None:
    argv = [sys.executable, "-m", "pip", *words, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"pip {words[0]} failed: {done.stderr.strip()[-600:]}")


# pip falls back to the user's own folder when it may not write; that would hide what is asked here.
pip("install", "--no-index", "--no-deps", "--no-user", str(WHEEL))
try:
    show = f"import {NAME}; print({NAME}.__file__, {NAME}.answer)"
    told = subprocess.run(
        [sys.executable, "-c", show], capture_output=True, text=True
    ).stdout.split()
finally:
    pip("uninstall", "--yes", NAME)
if told[1:] != ["42"] or not told[0].startswith(sys.prefix):
    sys.exit(f"the installed package answers {told}")
gone = subprocess.run([sys.executable, "-c", f"import {NAME}"], capture_output=True)
if gone.returncode == 0:
    sys.exit("the package is still there after its removal")
print(json.dumps({"installed_into": sys.prefix}))
