"""What a person's file needs: its PEP 723 block, else what it imports."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

from dsvm.errors import DsvmError

_BLOCK = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""Source: https://packaging.python.org/en/latest/specifications/inline-script-metadata/."""
OTHER_NAMES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "torch_geometric": "torch-geometric",
    "pytorch_lightning": "pytorch-lightning",
}
DEFINES = "it has to define model(), batch(n) and loss(model, batch)"
NOT_COVERED = {"tensorflow": "TensorFlow", "keras": "Keras", "jax": "JAX", "flax": "JAX"}


def requirements_of(file: Path) -> list[str]:
    """What has to be installed for this file, torch always among it. Raises `DsvmError`."""
    try:
        text = file.read_text("utf-8")
        tree = ast.parse(text, file.name)
    except (OSError, UnicodeDecodeError) as fault:
        raise DsvmError(f"{file} cannot be read", cause=str(fault), remedy=DEFINES) from None
    except (SyntaxError, ValueError) as fault:
        raise DsvmError(
            f"{file.name} is not Python", cause=str(fault), remedy=f"mend it: {DEFINES}"
        ) from None
    imported = _imported(tree)
    if "torch" not in imported and (met := sorted(imported & set(NOT_COVERED))):
        raise DsvmError(
            f"{NOT_COVERED[met[0]]} jobs are not covered",
            cause="only PyTorch can be followed without allocating; a guess would not be honest",
            remedy="measure one as it runs",
        )
    declared = _declared(text, file)
    found = declared if declared is not None else _packages(imported, file.parent)
    has_torch = any(re.split(r"[^A-Za-z0-9_.-]", one)[0].lower() == "torch" for one in found)
    return sorted(found if has_torch else [*found, "torch"])


def _declared(text: str, file: Path) -> list[str] | None:
    match = _BLOCK.search(text)
    if match is None:
        return None
    lines = [line.removeprefix("#").removeprefix(" ") for line in match["content"].splitlines()]
    try:
        listed = tomllib.loads("\n".join(lines)).get("dependencies", [])
    except tomllib.TOMLDecodeError as fault:
        what = f"the `script` block of {file.name} is not TOML"
        raise DsvmError(what, cause=str(fault)) from None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise DsvmError(f"`dependencies` of {file.name} is not a list of strings")
    return listed


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def _packages(imported: set[str], beside: Path) -> list[str]:
    own = {path.stem for path in beside.glob("*.py")} | {
        path.parent.name for path in beside.glob("*/__init__.py")
    }
    outside = imported - set(sys.stdlib_module_names) - own
    return [OTHER_NAMES.get(name, name) for name in outside]
