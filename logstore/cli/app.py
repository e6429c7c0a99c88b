"""The command line: what every command shares, and the one place where an error becomes an exit code."""

import os
import sys
from typing import Annotated, NamedTuple, NoReturn

import typer

from logstore.cli import config, keep, read, write
from logstore.errors import LogStoreError, StoreBusy

app = typer.Typer(
    name="logstore",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


class Shared(NamedTuple):
    """The options before the command."""

    db: str | None
    group: str | None


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"logstore {version('logstore')}")
        raise typer.Exit


@app.callback()
def logstore(
    context: typer.Context,
    db: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="The store. Else LOGSTORE_DB, the system's, or your own."),
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="NAME", help="Let this group read a store that is created now.")
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Keep logs that repeat for ever: each distinct log once, with its count, first and last time.

    \b
    logstore ingest /var/log/pacemaker/pacemaker.log
    logstore query -S 1h -p warning
    logstore --db cluster.db show c57
    """
    if db and len(db) > 1:
        raise typer.BadParameter("one store at a time: give --db once", param_hint="--db")
    if db == [""]:
        raise typer.BadParameter("a path is needed", param_hint="--db")
    context.obj = Shared(db[0] if db else None, group)


for module in (write, read, config, keep):
    module.register(app)


def main() -> None:
    """Run the command line. Exit codes: 2 usage or input, 5 busy; 1, 3 and 4 are the commands' own."""
    _open_closed_streams()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except LogStoreError as error:
        _fail(str(error), 5 if isinstance(error, StoreBusy) else 2)
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # or Python tries again at its end
        _fail(f"cannot write the output: {error.strerror}", 2)


def _open_closed_streams() -> None:
    """Give a program that was started without one of its streams an empty one."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115


def _fail(message: str, code: int) -> NoReturn:
    from logstore.cli.text import note

    note(f"logstore: {message}")
    sys.exit(code)
