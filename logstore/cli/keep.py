"""`snapshot`, `upgrade`: what keeps a store in order and gives it away; `lnav`, for who reads it there."""

from typing import Annotated

import typer

from logstore.cli.completion import complete_sources


def register(app: typer.Typer) -> None:
    """Add the commands of this room."""
    app.command()(snapshot)
    app.command()(lnav)
    app.command()(upgrade)


def snapshot(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new file; FILE.json says what is in it.")],
    since: Annotated[str | None, typer.Option("-S", "--since", metavar="TIME", help="From here on.")] = None,
    until: Annotated[str | None, typer.Option("-U", "--until", metavar="TIME", help="Before this.")] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "-s", "--source", metavar="GLOB", help="HOST/PROGRAM or a part.", autocompletion=complete_sources
        ),
    ] = None,
    redact: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="Leave out: ips, hosts, secrets; one or more, with commas."),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A host that only messages name, for --redact hosts; or more."),
    ] = None,
) -> None:
    """Put a part of the store into one read-only file: for a vendor, for a post-mortem.

    Every episode that overlaps the range goes into it, whole; no setting of the machine, path or rule
    does. The store may be written to meanwhile. An existing FILE is never replaced. On stdout: the line
    that `sha256sum -c` takes. Exit code 1: nothing matches, no file was written.

    With --redact, hosts become host-1, host-2 .., addresses ip-1, ip-2 .., the same in every snapshot of
    a store. Times, counts, ids and process ids stay. Known
    are the hosts that sources begin with: name others by --host.

    \b
    logstore snapshot incident.db -S '2026-11-22 00:20' -U 00:30
    logstore snapshot vendor.db -S 2d -s '*/pacemaker*' --redact ips,hosts,secrets --host node3
    logstore --db incident.db query -p warning
    """
    from logstore.cli import snapshot as work
    from logstore.cli.places import to_read

    if not work.snapshot(
        to_read(context.obj.db),
        file,
        since=since,
        until=until,
        source=source,
        redact=redact,
        hosts=host or (),
    ):
        raise typer.Exit(1)


def lnav() -> None:
    """Print the format by which the log viewer lnav reads `query -o jsonl`: levels, times, a SQL table.

    \b
    logstore lnav > logstore.json && lnav -i logstore.json
    logstore query -S 1h -o jsonl | lnav
    """
    from importlib.resources import files

    print(files("logstore").joinpath("lnav", "logstore.json").read_text(encoding="utf-8"), end="")


def upgrade(context: typer.Context) -> None:
    """Bring a store that an older version wrote to the present file format.

    \b
    logstore --db old.db upgrade
    """
    from logstore.cli.places import to_read
    from logstore.database import VERSION, open_file_version
    from logstore.store import LogStore

    path = to_read(context.obj.db)
    before = open_file_version(path)
    with LogStore(path, upgrade=True):
        print(
            f"{path}: format {before}" + (", up to date" if before >= VERSION else f" upgraded to {VERSION}")
        )
