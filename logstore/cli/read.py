"""`query`, `show`, `stats`: what reads and never writes."""

import signal
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from logstore.database import Connection

Output = Literal["table", "json", "jsonl", "csv"]
Sort = Literal["last", "first", "count"]
StateName = Literal["open", "closed", "all"]


def register(app: typer.Typer) -> None:
    """Add the commands of this room."""
    app.command()(query)
    app.command()(show)
    app.command()(stats)
    app.command()(masks)


def query(
    context: typer.Context,
    pattern: Annotated[
        str | None, typer.Argument(help="Part of the message; all lower case: any case.")
    ] = None,
    since: Annotated[str | None, typer.Option("-S", "--since", metavar="TIME", help="From here on.")] = None,
    until: Annotated[str | None, typer.Option("-U", "--until", metavar="TIME", help="Before this.")] = None,
    level: Annotated[str | None, typer.Option("-p", "--level", help="This severity and worse.")] = None,
    source: Annotated[
        str | None, typer.Option("-s", "--source", metavar="GLOB", help="HOST/PROGRAM or a part.")
    ] = None,
    regex: Annotated[bool, typer.Option("-E", "--regex", help="PATTERN is a regular expression.")] = False,
    invert: Annotated[bool, typer.Option("-v", "--invert", help="What PATTERN does not match.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Match first and last raw texts too.")] = False,
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
    output: Annotated[Output, typer.Option("-o", "--output", help="How to print.")] = "table",
    sql: Annotated[
        str | None, typer.Option("--sql", metavar="SELECT", help="Run this instead; it only reads.")
    ] = None,
) -> None:
    """Show contents, or episodes, with their counts inside a range of time. Newest at the bottom.

    Exit code 0: something matched; 1: nothing did; 3: nothing did, but the store does not reach back so far.

    \b
    logstore query -S 1h -p warning
    logstore query -S '2026-11-22 00:25' -U 00:26 -s alfa2 --sort first
    logstore query 'not running' --episodes -o jsonl
    logstore query --sql 'SELECT source, sum(count) FROM log GROUP BY 1 ORDER BY 2 DESC'
    """
    from logstore.cli import query as work

    _die_quietly()
    with _reader(context) as reader:
        if sql is not None:
            if pattern or since or until or level or source or limit or count or episodes or parts:
                raise typer.BadParameter("stands alone, but for -o", param_hint="--sql")
            work.print_sql(reader, sql, output)
            return
        asked = work.Asked(
            pattern=pattern,
            since=since,
            until=until,
            level=level,
            source=source,
            regex=regex,
            invert=invert,
            raw=raw,
            state=state,
            episodes=episodes or parts,
            parts=parts,
            sort=sort,
            reverse=reverse,
            limit=limit,
            count=count,
            ago=ago,
            ids=ids,
            output=output,
        )
        code = work.answer(reader, asked)
    sys.stdout.flush()
    raise typer.Exit(code)


def show(
    context: typer.Context,
    number: Annotated[
        str, typer.Argument(metavar="ID", help="c57 a content, e812 an episode, 57 a content.")
    ],
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=1, max=1_000_000, help="How many episodes at most.")
    ] = 20,
) -> None:
    """Show the life of one content, or one episode: times, counts, gaps, first and last raw text.

    \b
    logstore show c57
    logstore show e812
    """
    from logstore.cli import show as work

    _die_quietly()
    with _reader(context) as reader:
        work.show(reader, number, limit)


def stats(
    context: typer.Context,
    output: Annotated[
        Literal["table", "json"], typer.Option("-o", "--output", help="How to print.")
    ] = "table",
) -> None:
    """Show what the store holds: records, contents, episodes, size, settings.

    \b
    logstore stats
    logstore stats -o json
    """
    from logstore.cli import show as work

    _die_quietly()
    with _reader(context) as reader:
        work.show_stats(reader, output)


def masks(
    context: typer.Context,
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A log, packed or not; - is stdin.")
    ] = None,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="LINE", help="Show how this one line is read instead.")
    ] = None,
    name: Annotated[
        str, typer.Option("--masks", metavar="NAME", help="The set to look at; auto takes the format's.")
    ] = "auto",
    format_: Annotated[str, typer.Option("--format", metavar="NAME", help="A format, or auto.")] = "auto",
    host: Annotated[str | None, typer.Option(help="The host, where the lines name none.")] = None,
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help="The zone of stamps without one.")] = None,
) -> None:
    """Show what identity rules would gain on a log and what they would hide; nothing is stored.

    \b
    logstore masks /var/log/pacemaker/pacemaker.log
    logstore masks --explain 'Nov 22 00:25:43 node1 sshd[77]: session 12 closed'
    """
    from logstore.cli import masks as work

    _die_quietly()
    if (file is None) == (explain is None):
        raise typer.BadParameter("give a FILE, or --explain LINE")
    if explain is not None:
        work.explain(explain, context.obj.db, name=name, format_=format_, zone_=tz, host=host)
    elif file is not None:
        work.weigh(file, context.obj.db, name=name, format_=format_, zone_=tz, host=host)


def _reader(context: typer.Context) -> "Connection":
    from logstore.cli.places import to_read
    from logstore.database import open_reader

    reader = open_reader(to_read(context.obj.db), busy_timeout=30.0)
    reader.hold_snapshot()
    return reader


def _die_quietly() -> None:
    """End without a word when the reader of a pipe has seen enough, as every filter does."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
