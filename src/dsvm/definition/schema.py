"""The JSON Schema of `dsvm.toml`, for editors."""

from __future__ import annotations

from typing import Any

from dsvm.definition.model import Definition


def json_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, with titles, descriptions, defaults and examples."""
    schema = _without_null(Definition.model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "dsvm.toml",
        "description": "The definition of a machine.",
    }


def _without_null(schema: Any) -> Any:
    """TOML knows no null: a key that may be left out is not one that may be null."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _without_null(value) for key, value in schema.items()}
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema |= kinds[0]
    return schema
