"""Lock -> layers -> image: everything by key out of the store, what is missing made in parallel."""

from dsvm.build.build import build, build_layers

__all__ = ["build", "build_layers"]
