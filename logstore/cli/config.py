"""`config`: the settings that live in the store, its sets of rules and its line formats."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from logstore.errors import InputUnreadable, InvalidSetting

if TYPE_CHECKING:
    from logstore.settings import Settings
    from logstore.store import LogStore

_NAMES: Final = ("window", "max_span", "max_open", "masks", "redact")
_HELP: Final = f"One of {', '.join(_NAMES)}."


def register(app: typer.Typer) -> None:
    """Add the commands of this room."""
    config = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
    config.callback()(show_settings)
    config.command(name="get")(get)
    config.command(name="set")(set_)
    config.command(name="sets")(sets)
    config.command(name="add")(add)
    config.command(name="formats")(formats)
    app.add_typer(config, name="config")


def show_settings(context: typer.Context) -> None:
    """Show the settings that live in the store; `set` changes one.

    \b
    logstore config
    logstore config set masks cluster
    logstore config sets cluster
    """
    if context.invoked_subcommand is None:
        for name, value in _values(context).items():
            print(f"{name} = {value}")


def get(context: typer.Context, name: Annotated[str, typer.Argument(help=_HELP)]) -> None:
    """Print one setting.

    \b
    logstore config get window
    """
    _check_known(name)
    print(_values(context)[name])


def set_(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=_HELP)],
    value: Annotated[
        str, typer.Argument(help="A duration such as 150s, a number, or a set's name; max_span 0 is off.")
    ],
) -> None:
    """Change one setting; it holds for every record from now on.

    \b
    logstore config set window 150s
    logstore config set masks cluster
    logstore config set redact secrets
    """
    _check_known(name)
    with _store(context) as store:
        store.configure(_changed(store.settings, name, value))


def sets(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Print this set, as `add` reads it.")] = None,
) -> None:
    """List the sets of rules of the store and the shipped ones, or print one.

    \b
    logstore config sets
    logstore config sets cluster > mine.toml
    """
    from logstore.cli.places import found_or_none
    from logstore.cli.text import escaped, write_table
    from logstore.masks import PRESET_NAMES, dump_set, preset
    from logstore.store import LogStore

    path = found_or_none(context.obj.db)
    stored = {}
    if path is not None:
        with LogStore(path, readonly=True) as store:
            stored = store.rule_sets()
    known = {shipped: found for shipped in PRESET_NAMES if (found := preset(shipped))} | stored
    if name is None:
        lines = [
            (
                escaped(each.name),
                each.kind,
                str(len(each.rules)),
                "stored" if each.name in stored else "shipped",
            )
            for each in sorted(known.values(), key=lambda each: (each.kind, each.name))
        ]
        write_table(("SET", "KIND", "RULES", "WHERE"), lines)
    elif name in known:
        print(dump_set(known[name]), end="")
    else:
        raise InvalidSetting(f"no set is named {name!r}; there are {', '.join(sorted(known))}")


def add(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="TOML, as `sets NAME` prints it.")],
) -> None:
    """Add sets of rules to the store, or replace them; they hold for records to come.

    \b
    logstore config sets cluster > mine.toml   # change its name and its rules, then
    logstore config add mine.toml
    logstore config set masks mine
    """
    from logstore.cli.text import counted, escaped
    from logstore.masks import parse_sets

    found = [rules for file in files for rules in parse_sets(_text(file), file)]
    with _store(context) as store:
        for rules in found:
            store.save_rules(rules)
            print(escaped(f"{rules.name}: {counted(len(rules.rules), 'rule')} ({rules.kind})"))


def formats(context: typer.Context) -> None:
    """List the line formats of your own that `ingest --pattern` has saved.

    \b
    logstore config formats
    """
    from logstore.cli.places import to_read
    from logstore.cli.text import escaped
    from logstore.store import LogStore

    with LogStore(to_read(context.obj.db), readonly=True) as store:
        for name, pattern in store.line_formats().items():
            print(escaped(f"{name}: {pattern}"))


def _store(context: typer.Context) -> "LogStore":
    from logstore.cli.places import to_read
    from logstore.store import LogStore

    return LogStore(to_read(context.obj.db))


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
        "masks": settings.masks,
        "redact": settings.redact,
    }


def _check_known(name: str) -> None:
    if name not in _NAMES:
        raise InvalidSetting(f"there is no setting {name!r}; there are {', '.join(_NAMES)}")


def _changed(settings: "Settings", name: str, value: str) -> "Settings":
    match name:
        case "window":
            return settings._replace(window_ms=_duration_ms(name, value))
        case "max_span":
            return settings._replace(max_span_ms=_duration_ms(name, value))
        case "max_open":
            if not re.fullmatch(r"[0-9]{1,18}", value):
                raise InvalidSetting(f"max_open is a whole number from 1, not {value!r}")
            return settings._replace(max_open=int(value))
        case "masks":
            return settings._replace(masks=value)
        case _:
            return settings._replace(redact=value)


def _duration_ms(name: str, value: str) -> int:
    from logstore.search.times import parse_duration

    whole, rest = divmod(0 if value == "0" else parse_duration(value), 1000)
    if rest:
        raise InvalidSetting(f"{name} is whole milliseconds, not {value!r}")
    return whole


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputUnreadable(
            f"{file}: cannot be read ({why}); name a TOML file with sets of rules"
        ) from error
