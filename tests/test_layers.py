"""A module imports only from a lower layer, in full; each outside library has one door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "logstore"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")

# A room is a module of logstore/, or a folder of it: inside a folder modules may import each other.
LAYERS = (
    {"errors"},  # on the ground alone: record.py and everyone else raises them
    {"record", "settings", "statements"},
    {"identity", "fold", "columns", "database", "backlog", "checkpoint", "masks", "numbers"},
    {"batch", "filters", "sweep", "upgrade", "writer"},
    {"episodes", "intake", "rulebook"},
    {"home"},
    {"store"},
    {"handler", "sweeper", "sources", "search", "fleet"},
    {"keeping"},  # a snapshot knows what search knows
    {"cli"},
    {"__main__"},
)
LAYER = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
DOORS = {"apsw": "database", "typer": "cli", "click": "cli", "rich": "cli", "sqlite3": None}


def room(module: Path) -> str:
    return module.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(text: str) -> Iterator[str]:
    """The full name of each module that a text imports; a relative name keeps its dots."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "logstore":  # a module of ours, or a name that the package passes on
                yield from (f"logstore.{alias.name}" for alias in node.names)
            else:
                yield "." * node.level + (node.module or "")


def fault(home: str, name: str) -> str | None:
    """What is wrong with an import of `name` in the room `home`, None if nothing is."""
    library, _, rest = name.partition(".")
    if library != "logstore":
        wrong = not library or DOORS.get(library, home) != home
        return f"{name} has another door than {home}" if wrong else None
    target = rest.partition(".")[0]
    if target not in LAYER:
        return f"{name}: say from logstore.<module> import .., and give the module a layer here"
    if target != home and LAYER[target] >= LAYER[home]:
        return f"{home} must not import {name}: it is no lower layer"
    return None


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_from_below(module: Path) -> None:
    home = room(module)
    assert home in LAYER, "a module without a layer: give it one here and in README"
    faults = [fault(home, name) for name in imports(module.read_text(encoding="utf-8"))]
    assert not [found for found in faults if found]


@pytest.mark.parametrize(
    ("home", "line"),
    [
        ("fold", "from logstore.store import LogStore"),
        ("fold", "from logstore.identity import digest"),
        ("fold", "from .record import Record"),
        ("fold", "from logstore import LogStore"),
        ("fold", "import logstore"),
        ("fold", "from logstore.nowhere import thing"),
        ("store", "import apsw"),
        ("database", "import sqlite3"),
        ("cli", "from rich.table import Table; import apsw.ext"),
    ],
)
def test_a_wrong_import_is_found(home: str, line: str) -> None:
    assert any(fault(home, name) for name in imports(line))


def test_no_test_and_no_script_opens_a_second_sqlite() -> None:
    """But for the one that shows what it does to a store."""
    files = {*ROOT.glob("tests/**/*.py"), *ROOT.glob("scripts/**/*.py")} - {ROOT / "tests/faults/locks.py"}
    assert not [file for file in files if "sqlite3" in imports(file.read_text(encoding="utf-8"))]
