"""Which tools a person means by a few words."""

from __future__ import annotations

from collections.abc import Sequence

from dsvm.catalog.load import Catalog, heirs
from dsvm.catalog.model import Tool


def find_tools(catalog: Catalog, words: Sequence[str]) -> list[Tool]:
    """The tools in which every word occurs (all without any), the likeliest first.

    A word is looked for in the name, title, summary, group, and in what the tool replaces, with
    upper and lower case alike.
    """
    wanted = [word.casefold() for word in words]
    tools = [catalog.tools[name] for name in sorted(catalog.tools)]
    found = [tool for tool in tools if all(word in text_of(tool) for word in wanted)]
    phrase = " ".join(wanted)
    meant = {tool.name for tool in heirs(tools, phrase)}

    def rank(tool: Tool) -> tuple[bool, bool, bool]:
        called = all(word in _called(tool) for word in wanted)
        return tool.name not in meant, phrase not in text_of(tool), not called

    return sorted(found, key=rank)


def replaced(tool: Tool, words: Sequence[str]) -> list[str]:
    """What of that which the tool replaces is meant by the words; nothing without any."""
    wanted = [word.casefold() for word in words]
    return [old for old in tool.replaces if words and all(one in old.casefold() for one in wanted)]


def text_of(tool: Tool) -> str:
    """All of the tool that is searched, folded to one case."""
    words = [tool.name, tool.title, tool.summary, tool.group, *tool.replaces, tool.note or ""]
    return "\n".join(words).casefold()


def _called(tool: Tool) -> str:
    return f"{tool.name}\n{tool.title}".casefold()
