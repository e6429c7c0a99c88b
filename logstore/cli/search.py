"""`query`: its options."""

import signal
import sys
from contextlib import nullcontext
from typing import Annotated, Final, Literal

import typer

from logstore.cli.completion import complete_levels, complete_saved, complete_sources

Output = Literal["table", "json", "jsonl", "csv"]
Sort = Literal["last", "first", "count"]
StateName = Literal["open", "closed", "all"]

_ALONE: Final = {
    "sql": ("output", "explain", "pager"),
    "saved": (
        "output",
        "pattern",
        "since",
        "until",
        "level",
        "source",
        "limit",
        "quiet",
        "utc",
        "tz",
        "explain",
        "color",
        "pager",
    ),
}
"""Options that ask something else than the rest, and what they take beside them."""


def register(app: typer.Typer) -> None:
    """Add the command of this room."""
    app.command()(query)


def query(
    context: typer.Context,
    pattern: Annotated[
        str | None, typer.Argument(help="Part of the message; all lower case: any case.")
    ] = None,
    since: Annotated[str | None, typer.Option("-S", "--since", metavar="TIME", help="From here on.")] = None,
    until: Annotated[str | None, typer.Option("-U", "--until", metavar="TIME", help="Before this.")] = None,
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
    fts: Annotated[
        str | None, typer.Option("--fts", metavar="WORDS", help="Full text: 'timeout AND \"10.0.0.1\"'.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="First ever seen inside the range.")] = False,
    new_within: Annotated[
        str | None, typer.Option("--new-within", metavar="D", help="Not seen in the D before the range.")
    ] = None,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option("--diff", metavar="FROM..UNTIL FROM..UNTIL", help="New, gone, 3x more, 3x less."),
    ] = None,
    hist: Annotated[bool, typer.Option("--hist", help="How many, over time, by level.")] = False,
    step: Annotated[
        str | None, typer.Option("--step", metavar="D", help="Length of a bar's time; as --hist.")
    ] = None,
    around: Annotated[
        str | None, typer.Option("-C", "--around", metavar="ID|TIME", help="What was near the begin of this.")
    ] = None,
    radius: Annotated[
        str | None, typer.Option("--radius", metavar="D", help="How near, for --around; else 30s.")
    ] = None,
    state: Annotated[StateName, typer.Option(help="Open episodes, closed ones, or all.")] = "all",
    episodes: Annotated[bool, typer.Option("--episodes", help="One line an episode, not a content.")] = False,
    parts: Annotated[bool, typer.Option("--parts", help="One line each part of a long episode.")] = False,
    sort: Annotated[Sort, typer.Option(help="By last time, first time or count.")] = "last",
    reverse: Annotated[bool, typer.Option("-r", "--reverse", help="Turn the order round.")] = False,
    limit: Annotated[
        str | None, typer.Option("-n", "--limit", metavar="N|all", help="50 on a terminal.")
    ] = None,
    count: Annotated[bool, typer.Option("-c", "--count", help="Only print how many rows there are.")] = False,
    ago: Annotated[bool, typer.Option("--ago", help="Times as how long ago.")] = False,
    ids: Annotated[bool, typer.Option("--ids", help="Show the ids that `logstore show` takes.")] = False,
    utc: Annotated[bool, typer.Option("--utc", help="Times in UTC, given and printed.")] = False,
    tz: Annotated[
        str | None, typer.Option("--tz", metavar="ZONE", help="Times in this zone, given and printed.")
    ] = None,
    fields: Annotated[
        str | None, typer.Option("--fields", metavar="A,B", help="Only these; named as in -o jsonl.")
    ] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="How to print.")] = "table",
    color: Annotated[
        Literal["auto", "always", "never"], typer.Option(help="Colours for levels; NO_COLOR is kept.")
    ] = "auto",
    pager: Annotated[bool, typer.Option(help="Page on a terminal: LOGSTORE_PAGER, PAGER, less.")] = True,
    wide: Annotated[
        bool, typer.Option("--wide", help="Do not cut messages at the terminal's width.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing, only exit 0, 1 or 3.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the SQL that ran, its plan and its time instead.")
    ] = False,
    sql: Annotated[
        str | None, typer.Option("--sql", metavar="SELECT", help="Run this instead; it only reads.")
    ] = None,
    saved: Annotated[
        str | None,
        typer.Option(
            "--saved",
            metavar="NAME",
            help="Ask a saved question; list names them.",
            autocompletion=complete_saved,
        ),
    ] = None,
) -> None:
    """Show contents, or episodes, with their counts inside a range of time. Newest at the bottom.

    Exit code 0: something matched; 1: nothing did; 3: nothing did, but the store does not reach back so far.

    \b
    logstore query -S 1h -p warning
    logstore query -S '2026-11-22 00:25' -U 00:26 -s alfa2 --new --sort first
    logstore query --step 1m -S '2026-11-22 00:25' -U 00:35 -p warning
    logstore query --diff '2026-11-22 00:24..00:25' 00:25..00:26
    logstore query 'not running' --episodes -o jsonl
    logstore query --sql 'SELECT source, sum(count) FROM log GROUP BY 1 ORDER BY 2 DESC'
    """
    from logstore.cli import query as work
    from logstore.cli.asked import Asked
    from logstore.cli.explaining import explained
    from logstore.cli.reading import readers, zone_of
    from logstore.cli.terminal import paged
    from logstore.cli.words import matcher_of

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for alone, takes in _ALONE.items():
        if context.params[alone] is not None:
            _refuse_others(context, {alone, *takes})
    if quiet and explain:
        raise typer.BadParameter("does not go with -q", param_hint="--explain")
    asked = Asked(**{name: context.params[name] for name in Asked.__slots__})
    code, zone = 0, zone_of(tz, utc=utc)
    matcher = matcher_of(pattern, regex=regex, invert=invert) if saved is None else None
    if saved == "list":  # needs no store
        _refuse_others(context, {"saved", "output", "color", "pager"})
        work.list_saved(output)
        return
    if sql is not None:
        work.be_patient()
    with (
        readers(context.obj.dbs) as stores,
        paged(wanted=pager and not quiet, at_end=sort == "last" and not reverse and not sql),
        explained(stores) if explain else nullcontext(),
    ):
        if sql is not None:
            work.run_sql(stores, sql, output)
        elif saved is not None:
            code = work.run_saved(stores, saved, asked, zone)
        else:
            code = work.answer(stores, asked, matcher, zone)
    sys.stdout.flush()
    raise typer.Exit(code)


def _refuse_others(context: typer.Context, taken: set[str]) -> None:
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name not in taken and source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(
                f"does not go with {option.opts[0]}", param_hint=f"--{min(taken & _ALONE.keys())}"
            )
