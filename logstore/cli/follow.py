"""`follow`: the live tail of a store."""

import signal
from typing import Annotated, Literal

import typer

from logstore.cli.completion import complete_levels, complete_sources


def register(app: typer.Typer) -> None:
    """Add the command of this room."""
    app.command()(follow)


def follow(
    context: typer.Context,
    pattern: Annotated[
        str | None, typer.Argument(help="Part of the message; all lower case: any case.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("-S", "--since", metavar="TIME", help="Begin with what is new since then.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(
            "-n", "--last", min=0, max=1_000_000, help="Begin with the last few; 10 on a terminal, else 0."
        ),
    ] = None,
    level: Annotated[
        str | None,
        typer.Option("-p", "--level", help="This severity and worse.", autocompletion=complete_levels),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "-s", "--source", metavar="GLOB", help="HOST/PROGRAM or a part.", autocompletion=complete_sources
        ),
    ] = None,
    regex: Annotated[bool, typer.Option("-E", "--regex", help="PATTERN is a regular expression.")] = False,
    invert: Annotated[bool, typer.Option("-v", "--invert", help="What PATTERN does not match.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Match first and last raw texts too.")] = False,
    output: Annotated[
        Literal["table", "jsonl"], typer.Option("-o", "--output", help="How to print.")
    ] = "table",
    utc: Annotated[bool, typer.Option("--utc", help="Times in UTC.")] = False,
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help="Times in this zone.")] = None,
    until_match: Annotated[
        int | None, typer.Option("--until-match", metavar="N", min=1, help="End after N lines.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="DURATION", help="End after this long.")
    ] = None,
) -> None:
    """Show each log when it is new, once; on a terminal its line goes on counting the repeats.

    Waits for a store that is not there yet, and goes on when it is moved or replaced. What -n shows
    without -S is context: it is no match. Exit code 0: enough matched; 1: it did not until the timeout;
    130: Ctrl-C.

    \b
    logstore follow
    logstore follow -p warning -s alfa2
    logstore follow 'not running' -S 1h -o jsonl
    logstore follow --until-match 1 --timeout 5m -E 'p_web start.* status 0'
    """
    from logstore.cli import tail as work
    from logstore.cli.reading import zone_of

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end without a word when the reader has seen enough
    asked = work.Asked(
        pattern=pattern,
        since=since,
        last=last,
        level=level,
        source=source,
        regex=regex,
        invert=invert,
        raw=raw,
        output=output,
        tz=zone_of(tz, utc=utc),
        until_match=until_match,
        timeout=timeout,
    )
    raise typer.Exit(work.follow(asked, context.obj.db))
