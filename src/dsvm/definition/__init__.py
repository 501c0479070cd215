"""`dsvm.toml` as checked data: find it, read it, write a first one, change it.

    path = find(Path.cwd())
    definition = read(path)      # or dsvm.catalog.compose.compose(path): checks the names, too

All mistakes are reported at once as an `ErrorGroup`, each with its line and the remedy.
"""

from dsvm.definition.first import template
from dsvm.definition.model import Definition
from dsvm.definition.read import FILE_NAME, Draft, draft, find, read, read_name
from dsvm.definition.schema import json_schema
from dsvm.definition.sizes import (
    ByteSize,
    Host,
    default_size,
    format_bytes,
    parse_bytes,
    size_of,
    this_host,
)

__all__ = [
    "FILE_NAME",
    "ByteSize",
    "Definition",
    "Draft",
    "Host",
    "default_size",
    "draft",
    "find",
    "format_bytes",
    "json_schema",
    "parse_bytes",
    "read",
    "read_name",
    "size_of",
    "template",
    "this_host",
]
