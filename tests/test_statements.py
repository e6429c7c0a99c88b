"""Every file of sql/ has a name, one caller, an opening comment, and SQLite understands it."""

import ast
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import apsw
import apsw.ext
import pytest

from logstore import statements

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "logstore").rglob("*.py"))
FILES = sorted((ROOT / "sql").glob("*.sql"))
STEPS = sorted((ROOT / "sql").glob("upgrades/*.sql"))
CONSTANTS = {name for name, value in vars(statements).items() if isinstance(value, str) and name.isupper()}
each_file = pytest.mark.parametrize("file", [*FILES, *STEPS], ids=lambda file: file.stem)
each_statement = pytest.mark.parametrize(
    "file", [file for file in FILES if file.stem != "schema"], ids=lambda file: file.stem
)


def opening_comment(file: Path) -> str:
    comment = re.match(r"(--.*\n)*", file.read_text(encoding="utf-8"))
    return comment[0] if comment else ""


def uses(module: Path) -> Iterator[str]:
    """Each place of a module that uses a statement: `SWEEP`, imported, or `statements.SWEEP`."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                yield name
            case ast.Attribute(value=ast.Name(id="statements"), attr=name):
                yield name


@pytest.fixture(scope="module")
def fresh() -> Iterator[apsw.Connection]:
    """An empty store, with the functions that logstore lends to its own connections."""
    connection = apsw.Connection("")  # a temporary file
    connection.execute(statements.SCHEMA)
    connection.execute(statements.STAGE)
    source = "".join(module.read_text(encoding="utf-8") for module in MODULES)
    for name in re.findall(r'\.define\(\s*"(\w+)"', source):
        connection.create_scalar_function(name, lambda *_: None)
    yield connection
    connection.close()


def prepared(connection: apsw.Connection, text: str | None) -> Iterator[apsw.ext.QueryDetails]:
    """Prepare each statement of a text, and run none."""
    while text and text.strip():
        details = apsw.ext.query_info(connection, text, explain=True)
        yield details
        text = details.query_remaining


def test_each_file_has_a_constant_of_its_name_and_each_constant_a_file() -> None:
    texts = {file.stem.upper(): file.read_text(encoding="utf-8") for file in FILES}
    assert texts == {name: getattr(statements, name) for name in CONSTANTS}


def test_each_upgrade_is_a_file_and_each_file_an_upgrade() -> None:
    texts = [file.read_text(encoding="utf-8") for file in STEPS]
    assert sorted(texts) == sorted(statements.UPGRADES.values())


def test_each_constant_is_used_in_exactly_one_place() -> None:
    places = Counter(name for module in MODULES for name in uses(module))
    assert not {name: places[name] for name in CONSTANTS if places[name] != 1}


@each_file
def test_a_file_opens_with_what_it_is_for(file: Path) -> None:
    assert re.match(r"-- [A-Z]", opening_comment(file)), "say why it exists, in a sentence"


@each_statement
def test_a_statement_prepares_and_its_comment_names_its_parameters(
    fresh: apsw.Connection, file: Path
) -> None:
    parts = list(prepared(fresh, file.read_text(encoding="utf-8")))
    assert parts, "the file holds no statement"
    taken = {name for part in parts for name in part.bindings_names}
    assert taken == set(re.findall(r"(?<!\w):([a-z]\w*)", opening_comment(file)))


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="NO sqlite3 SHELL HERE: install sqlite3")
def test_the_stock_shell_makes_the_same_store(fresh: apsw.Connection, tmp_path: Path) -> None:
    objects = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
    shell = ["sqlite3", "-bail", "-cmd", ".mode json", str(tmp_path / "by_hand.db")]
    done = subprocess.run(
        shell, input=f"{statements.SCHEMA}\n{objects};", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = [dict(zip(("type", "name", "sql"), row, strict=True)) for row in fresh.execute(objects)]
    assert json.loads(done.stdout) == rows


def test_the_filter_is_the_same_wherever_it_stands() -> None:
    """SQLite has no view with parameters: what a filter means stands in several files, in the same words."""

    def found(text: str, begin: str, end: str) -> str:
        return " ".join(re.sub(r"--.*", "", text[text.index(begin) : text.index(end) + len(end)]).split())

    every = [file.read_text(encoding="utf-8") for file in FILES if ":every_content OR" in file.read_text()]
    queries = [text for text in every if "wanted AS" in text]
    episodes = [text for text in every if "wanted AS" not in text]

    assert (len(queries), len(episodes)) == (3, 3)
    assert len({found(text, "WHERE last_us >=", ":since_us < :until_us") for text in every}) == 1
    assert len({found(text, "WITH wanted AS", "touched AS") for text in queries}) == 1
    ends = ("AND (:every_content", "(message, first_text, last_text))")
    assert len({found(text, *ends) for text in episodes}) == 1
