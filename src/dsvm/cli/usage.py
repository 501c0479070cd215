"""How the help of a command looks: its words as the docs write them, without types of Python."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class Command(TyperCommand):
    """Shows each argument's metavar as it is: typer would write `{[NAME] ENVIRONMENT}...`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`[OPTIONS]` and what follows it in the line `Usage:`."""
        arguments = [each for each in self.get_params(ctx) if isinstance(each, TyperArgument)]
        return ["[OPTIONS]", *(each.display_name_raw for each in arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The lists `Arguments:` and `Options:`, each a name and its help."""
        shown: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for each in self.get_params(ctx):
            if isinstance(each, TyperArgument):
                shown["Arguments"].append((each.display_name_raw, each.help or ""))
            elif isinstance(each, TyperOption) and (record := each.get_help_record(ctx)):
                shown["Options"].append(record)
        for title, rows in shown.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class Fallback(TyperGroup):
    """A group whose first command is meant where no other is named: `dsvm tools julia`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put that command's name in its place."""
        named = args and args[0] in {*self.commands, *ctx.help_option_names}
        if not named and not ctx.resilient_parsing:
            args = [self._first, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The commands, and what may follow the first one."""
        first = self.commands[self._first]
        below = first.make_context(self._first, [], parent=ctx, resilient_parsing=True)
        more = first.shell_complete(below, incomplete)
        if not incomplete.startswith("-"):
            more += first.params[0].shell_complete(below, incomplete)
        return [*super().shell_complete(ctx, incomplete), *more]

    @property
    def _first(self) -> str:
        return next(iter(self.commands))
