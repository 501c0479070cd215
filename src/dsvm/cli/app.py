"""The commands, put together. Each imports what it needs when it is called, so help is instant."""

from __future__ import annotations

from typing import Annotated

import typer

from dsvm.cli.usage import Fallback

EPILOG = "Exit codes: 0 done, 1 an error, 2 wrong usage, 3 some check failed, 130 interrupted."

app = typer.Typer(
    name="dsvm",
    help="The data science virtual machine: built, booted and proven.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
environments = typer.Typer(
    help="The environments of a machine.", no_args_is_help=True, rich_markup_mode=None
)
images = typer.Typer(
    help="The image that a definition describes.", no_args_is_help=True, rich_markup_mode=None
)

catalog = typer.Typer(
    help="The tools there are: find one, read its page, write and test your own.",
    cls=Fallback,
    rich_markup_mode=None,
)
prices = typer.Typer(
    help="What machines can have, here and at clouds, and what an hour costs.",
    cls=Fallback,
    rich_markup_mode=None,
)

models_group = typer.Typer(
    help="Trained models of others: find one, add it to the machine, ask it.",
    cls=Fallback,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from dsvm import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """All of it is in the options."""


def run(args: list[str]) -> int:
    """Parse and call; returns the command's exit code."""
    code = app(_kept(args), prog_name="dsvm", standalone_mode=False)
    return code if isinstance(code, int) else 0


def _kept(args: list[str]) -> list[str]:
    """The parser swallows the first `--`; `dsvm run` has to see where its command begins."""
    command = next((word for word in args if not word.startswith("-")), None)
    if command != "run" or "--" not in args:
        return args
    at = args.index("--")
    return [*args[:at], "--", *args[at:]]


from dsvm.cli import (  # noqa: E402
    advise,
    bill,
    environment,
    host,
    image,
    inside,
    learn,
    lifecycle,
    models,
    move,
    pack,
    project,
    prove,
    runs,
    sizes,
    snapshot,
    tools,
)

project.register(app)
tools.register(catalog)
app.add_typer(catalog, name="tools")
lifecycle.register(app)
move.register(app)
inside.register(app)
runs.register(app)
snapshot.register(app)
pack.register(app)
prove.register(app)
learn.register(app)
sizes.register(prices)
app.add_typer(prices, name="sizes")
models.register(models_group)
app.add_typer(models_group, name="models")
advise.register(app)
bill.register(app)
environment.register(environments)
app.add_typer(environments, name="env")
image.register(images)
app.add_typer(images, name="image")
host.register(app)
