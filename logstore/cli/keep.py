"""`config`, `upgrade`: what keeps a store in order."""

import re
from typing import Annotated

import typer

from logstore.errors import InvalidSetting


def register(app: typer.Typer) -> None:
    """Add the commands of this room."""
    config = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
    config.callback()(show_settings)
    config.command(name="get")(get)
    config.command(name="set")(set_)
    app.add_typer(config, name="config")
    app.command()(upgrade)


def show_settings(context: typer.Context) -> None:
    """Show the settings that live in the store; `set` changes one.

    \b
    logstore config
    logstore config set window 150s
    """
    if context.invoked_subcommand is None:
        for name, value in _values(context).items():
            print(f"{name} = {value}")


def get(
    context: typer.Context, name: Annotated[str, typer.Argument(help="window, max_span or max_open.")]
) -> None:
    """Print one setting.

    \b
    logstore config get window
    """
    _check_known(name)
    print(_values(context)[name])


def set_(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="window, max_span or max_open.")],
    value: Annotated[str, typer.Argument(help="A duration such as 150s, or a number; max_span 0 is off.")],
) -> None:
    """Change one setting; it holds for every record from now on.

    \b
    logstore config set window 150s
    logstore config set max_span 10m
    """
    from logstore.cli.places import to_read
    from logstore.store import LogStore

    _check_known(name)
    field = "max_open" if name == "max_open" else f"{name}_ms"
    with LogStore(to_read(context.obj.db)) as store:
        store.configure(store.settings._replace(**{field: _number(name, value)}))


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


def _values(context: typer.Context) -> dict[str, str]:
    from logstore.cli.places import to_read
    from logstore.search.times import seconds
    from logstore.store import LogStore

    with LogStore(to_read(context.obj.db), readonly=True) as store:
        settings = store.settings
    return {
        "window": seconds(settings.window_ms),
        "max_span": seconds(settings.max_span_ms) if settings.max_span_ms else "0",
        "max_open": str(settings.max_open),
    }


def _check_known(name: str) -> None:
    if name not in ("window", "max_span", "max_open"):
        raise InvalidSetting(f"there is no setting {name!r}; there are window, max_span and max_open")


def _number(name: str, value: str) -> int:
    from logstore.search.times import parse_duration

    if name == "max_open":
        if not re.fullmatch(r"[0-9]{1,18}", value):
            raise InvalidSetting(f"max_open is a whole number from 1, not {value!r}")
        return int(value)
    whole, rest = divmod(0 if value == "0" else parse_duration(value), 1000)
    if rest:
        raise InvalidSetting(f"{name} is whole milliseconds, not {value!r}")
    return whole
