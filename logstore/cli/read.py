"""`show`, `stats`, `masks`: what reads and never writes."""

import signal
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from logstore.cli.completion import complete_rule_sets

if TYPE_CHECKING:
    from logstore.database import Connection


def register(app: typer.Typer) -> None:
    """Add the commands of this room."""
    app.command()(show)
    app.command()(stats)
    app.command()(masks)


def show(
    context: typer.Context,
    number: Annotated[
        str, typer.Argument(metavar="ID", help="c57 a content, e812 an episode, 57 a content.")
    ],
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=1, max=1_000_000, help="How many episodes at most.")
    ] = 20,
    near: Annotated[
        bool, typer.Option("--near", help="What else began near the beginning of the (newest) episode.")
    ] = False,
    radius: Annotated[str | None, typer.Option(metavar="DURATION", help="How near: 30s unless said.")] = None,
    output: Annotated[
        Literal["table", "json"], typer.Option("-o", "--output", help="How to print.")
    ] = "table",
    utc: Annotated[bool, typer.Option("--utc", help="Times in UTC.")] = False,
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help="Times in this zone.")] = None,
) -> None:
    """Show the life of one content, or one episode: times, counts, gaps, first and last raw text.

    MISSED counts beats that did not come, about: inside an episode, by its largest gap, and before it. The
    beat is the mean gap without the largest one. It is known of an episode of 4 records and more whose beat
    is at most twice its smallest gap; a - stands where nothing repeats so regularly.

    \b
    logstore show c57
    logstore show e812 --near
    logstore show c57 --near --radius 2m
    logstore show c57 -o json --utc
    """
    from logstore.cli import show as work
    from logstore.cli.reading import zone_of

    _die_quietly()
    how = work.How(limit, near, radius, output, zone_of(tz, utc=utc))
    with _reader(context) as reader:
        work.show(reader, number, how)


def stats(
    context: typer.Context,
    output: Annotated[
        Literal["table", "json"], typer.Option("-o", "--output", help="How to print.")
    ] = "table",
    check: Annotated[
        bool, typer.Option("--check", help="See that every page can be read and that the counts agree.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="With --check: every index, reference and content hash, too.")
    ] = False,
) -> None:
    """Show what the store holds: records, contents, episodes, size, settings, room on its disk.

    With --check the exit code is 4 if the store is damaged.

    \b
    logstore stats
    logstore stats -o json
    logstore stats --check --full
    """
    from logstore.cli import show as work

    _die_quietly()
    if full and not check:
        raise typer.BadParameter("it goes with --check", param_hint="--full")
    with _reader(context) as reader:
        if check and not work.is_whole(reader, full=full):
            raise typer.Exit(4)
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
        str,
        typer.Option(
            "--masks",
            metavar="NAME",
            help="The set to look at; auto takes the format's.",
            autocompletion=complete_rule_sets,
        ),
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
