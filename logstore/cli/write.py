"""`log`, `ingest`, `sweep`: what puts logs in and moves them along."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logstore.cli.completion import complete_rule_sets

if TYPE_CHECKING:
    from logstore.store import LogStore


def register(app: typer.Typer) -> None:
    """Add the commands of this room."""
    app.command()(log)
    app.command()(ingest)
    app.command()(sweep)


def log(
    context: typer.Context,
    message: Annotated[list[str], typer.Argument(help="The words of the message.", show_default=False)],
    level: Annotated[str, typer.Option("-p", "--level", help="A level's name, or 0 to 7.")] = "info",
    source: Annotated[
        str | None,
        typer.Option("-s", "--source", metavar="HOST/PROGRAM", help="Default: this host and user."),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--time", metavar="TIME", help="When it happened. Default: now.")
    ] = None,
) -> None:
    """Store one record, like `logger`; durable when the command returns.

    \b
    logstore log -p warning -s node1/backup "disk 81 % full"
    """
    from socket import gethostname

    from logstore.search.times import SystemZone, parse_time

    timestamp_us = None if at is None else parse_time(at, now_us=_now_us(), tz=SystemZone())
    source = f"{gethostname()}/{_user()}" if source is None else source
    with _store(context) as store:
        store.log(
            " ".join(message),
            level=int(level) if level.isdecimal() and len(level) == 1 else level,
            source=source,
            timestamp_us=timestamp_us,
        )


def ingest(
    context: typer.Context,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]... | -", help="Files, packed or not; - is stdin.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", metavar="NAME", help="A format, or auto.")] = "auto",
    pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="A format of your own: groups time, level, host, program, pid, message. "
            "Saved under the name that --format gives (custom).",
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="The host, where the lines name none.")] = None,
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help="The zone of stamps without one.")] = None,
    masks: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Identity rules: auto (by the format), none, or a set's name.",
            autocompletion=complete_rule_sets,
        ),
    ] = "auto",
    redact: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Scrub secrets by this set, e.g. secrets, or none.",
            autocompletion=complete_rule_sets,
        ),
    ] = None,
    process: Annotated[
        str | None,
        typer.Option(metavar="PACKAGE.FUNCTION", help="Your function: Record -> Record, None or several."),
    ] = None,
    window: Annotated[
        str | None, typer.Option(metavar="T", help="For a new store: the window, e.g. 150s.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how it would be read and folded; write nothing.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on as files grow, rotate and appear; also globs.")
    ] = False,
    journal: Annotated[
        bool, typer.Option("--journal", help="Read journald; FILEs are arguments of journalctl, after --.")
    ] = False,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS", help="Take syslog: udp, tcp (loopback:514), udp://HOST:PORT, unix://PATH."
        ),
    ] = None,
) -> None:
    """Store the records of logs, each line exactly once, however often and however far it is read.

    \b
    logstore ingest /var/log/pacemaker/pacemaker.log* /var/log/cluster/corosync.log
    logstore ingest --dry-run app.log
    logstore ingest --follow '/var/log/*.log'
    logstore ingest --journal --follow -- --unit=pacemaker
    logstore ingest --listen udp://127.0.0.1:5514 --listen unix:///run/logstore.sock
    logstore ingest --format app --pattern '(?P<time>\\S+ \\S+) (?P<level>\\w+) ' app.log
    """
    from logstore.cli.inputs import Chosen, ingest_chosen

    chosen = Chosen(
        files=files or [],
        format=format_,
        pattern=pattern,
        host=host,
        zone=tz,
        masks=masks,
        redact=redact,
        process=process,
        dry_run=dry_run,
        follow=follow,
        journal=journal,
        listen=listen or [],
    )
    if not ingest_chosen(chosen, context.obj.db, lambda: _store(context, window=window)):
        raise typer.Exit(2)


def sweep(
    context: typer.Context,
    every: Annotated[str | None, typer.Option(metavar="D", help="Sweep again and again, e.g. 30s.")] = None,
) -> None:
    """Move what has been quiet for longer than the window into the archive.

    \b
    logstore sweep
    logstore sweep --every 30s
    """
    from logstore.cli.text import counted
    from logstore.search.times import parse_duration

    pause_us = None if every is None else parse_duration(every)
    if pause_us == 0:
        raise typer.BadParameter("a pause is longer than 0s", param_hint="--every")
    with _store(context, must_exist=True) as store:
        while True:
            moved = store.sweep()
            print(f"{counted(moved, 'episode')} moved into the archive", flush=True)
            if pause_us is None:
                return
            time.sleep(pause_us / 1_000_000)


def _store(context: typer.Context, *, window: str | None = None, must_exist: bool = False) -> "LogStore":
    from logstore.cli.places import to_read, to_write
    from logstore.search.times import parse_duration
    from logstore.store import LogStore

    path = to_read(context.obj.db) if must_exist else to_write(context.obj.db)
    options: dict[str, Any] = {} if window is None else {"window": parse_duration(window) / 1_000_000}
    return LogStore(path, group=context.obj.group, **options)


def _user() -> str:
    from getpass import getuser

    try:
        return getuser()
    except (KeyError, OSError):
        return "unknown"


def _now_us() -> int:
    return time.time_ns() // 1000
