"""The command line: what every command shares, and the one place where an error becomes an exit code."""

import gc
import io
import os
import signal
import sys
import warnings
from typing import Annotated, NamedTuple, NoReturn

import typer

from logstore.cli import config, follow, keep, read, search, write
from logstore.errors import LogStoreError, StoreBusy

app = typer.Typer(
    name="logstore",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


class Shared(NamedTuple):
    """The options before the command."""

    db: str | None
    group: str | None
    dbs: tuple[str, ...] = ()


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
        typer.Option(
            metavar="PATH",
            help="The store. Else LOGSTORE_DB, the system's, or your own. For query: one or more.",
        ),
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
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(2)
    if db and len(db) > 1 and context.invoked_subcommand != "query":
        raise typer.BadParameter("one store at a time, but for query: give --db once", param_hint="--db")
    if db and "" in db:
        raise typer.BadParameter("a path is needed", param_hint="--db")
    context.obj = Shared(db[0] if db else None, group, tuple(db or ()))


for module in (write, search, read, follow, config, keep):
    module.register(app)


def main() -> None:
    """Run the command line. Exit codes: 2 usage or input, 5 busy; 1, 3 and 4 are the commands' own."""
    _open_closed_streams()
    _print_anything()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # left ignored, no child could be waited for
    warnings.showwarning = _warn  # type: ignore[assignment]  # it is called with more than it needs
    try:
        try:
            code = app(standalone_mode=False)
        finally:
            sys.stdout.flush()
            gc.freeze()  # the system takes back what is left, faster
        sys.exit(code)
    except typer.TyperException as error:
        _refuse(error)
    except typer.Abort:
        sys.exit(1)
    except LogStoreError as error:
        _fail(str(error), 5 if isinstance(error, StoreBusy) else 2)
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # or Python tries again at its end
        _fail(f"cannot write the output: {error.strerror}", 2)


def _warn(message: Warning | str, *_: object) -> None:
    from logstore.cli.text import note

    note(f"logstore: {message}")


def _open_closed_streams() -> None:
    """Give a program that was started without one of its streams an empty one."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115


def _print_anything() -> None:
    """Let what the encoding of stdout does not know be written out, not be an error."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _refuse(error: typer.TyperException) -> NoReturn:
    """Say in one line what is wrong with a command line, and where its help is."""
    said = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    context: typer.Context | None = getattr(error, "ctx", None)
    if context is not None:
        said += f"{'' if said.endswith('?') else ';'} see `{context.command_path} --help`"
    _fail(said, error.exit_code)


def _fail(message: str, code: int) -> NoReturn:
    from logstore.cli.text import note

    note(f"logstore: {message}")
    sys.exit(code)
