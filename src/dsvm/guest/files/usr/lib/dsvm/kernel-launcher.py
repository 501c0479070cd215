"""Runs ipykernel in an environment that a user made, also when ipykernel is not in it.

Started by that environment's own Python, of any version from 3.8 on. What is lent is appended to
sys.path, so that everything the environment has itself comes first.
"""

import sys

# The folder of this file is no place to import from.
del sys.path[0]

import importlib  # noqa: E402
import importlib.util  # noqa: E402
from pathlib import Path  # noqa: E402


def lend() -> None:
    """Append the site-packages of a machine's environment for this Python that has ipykernel."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    places = [
        packages
        for packages in Path("/opt/dsvm/envs").glob(f"*/lib/{version}/site-packages")
        if (packages / "ipykernel").is_dir()
    ]
    if not places:
        sys.exit(
            f"{sys.prefix} has no ipykernel and no environment of this machine has one for "
            f"{version}. Type: {sys.executable} -m pip install ipykernel"
        )
    places.sort(key=lambda packages: ("/envs/jupyter/" not in str(packages), str(packages)))
    sys.path.append(str(places[0]))


if importlib.util.find_spec("ipykernel") is None:
    lend()

importlib.import_module("ipykernel.kernelapp").launch_new_instance()
