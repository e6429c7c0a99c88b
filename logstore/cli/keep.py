"""`upgrade`: what keeps a store in order."""

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of this room."""
    app.command()(upgrade)


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
