"""The JSON Schema of `dsvm.toml`, for editors."""

from __future__ import annotations

from typing import Any

from dsvm.definition.model import Definition


def json_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, with titles, descriptions, defaults and examples."""
    schema = Definition.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dsvm.toml",
        "description": "The definition of a machine.",
        **{key: value for key, value in schema.items() if key not in ("title", "description")},
    }
