"""The pager in a real terminal: what is long is paged from its newest line, what is short is not."""

from pathlib import Path

import pytest
from cli import PROGRAM, Cli
from terminal import Terminal

from logstore import LogStore, Record

BEGIN_US = 1_795_306_800_000_000  # 2026-11-22 00:20:00 UTC


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A store of 45 contents, a second apart: more than a screen, less than a terminal's limit."""
    found = Cli(tmp_path)
    with LogStore(found.db, clock_us=lambda: BEGIN_US) as store:
        store.log_many(
            [Record(f"event {n} of 45", "info", "alfa2/crmd", BEGIN_US + n * 1_000_000) for n in range(45)]
        )
    return found


def query(cli: Cli, *arguments: str) -> list[str | bytes | Path]:
    return [PROGRAM, "--db", str(cli.db), "query", *arguments]


def test_a_long_answer_is_paged_from_its_newest_line(cli: Cli) -> None:
    """less opens at the end; `g` goes to the heading, `q` gives the shell back and the exit code is kept."""
    with Terminal(cli.folder, cli.env, columns=100, rows=20) as terminal:
        terminal.run(query(cli))
        last = terminal.until(lambda screen: any("event 44 of 45" in line for line in screen))
        assert not any("LAST SEEN" in line for line in last)
        terminal.press("g")
        first = terminal.until(lambda screen: "LAST SEEN" in screen[0])
        assert "event 0 of 45" in first[1]
        terminal.type("/event 30")
        terminal.until(lambda screen: any("event 30 of 45" in line for line in screen))
        terminal.press("q")
        terminal.until(lambda screen: screen[-1] == "$")
        assert terminal.code() == 0


def test_a_short_answer_needs_no_key(cli: Cli) -> None:
    """It stands there, and the shell is back."""
    with Terminal(cli.folder, cli.env, columns=100, rows=20) as terminal:
        terminal.run(query(cli, "event 44"))
        screen = terminal.until(lambda screen: screen[-1] == "$" and len(screen) > 1)
        assert any("event 44 of 45" in line for line in screen)


def test_nothing_found_is_said_after_the_pager_and_keeps_its_code(cli: Cli) -> None:
    """Exit 1 reaches the shell."""
    with Terminal(cli.folder, cli.env, columns=100, rows=20) as terminal:
        terminal.run(query(cli, "nowhere"))
        terminal.until(lambda screen: any("nothing found" in line for line in screen))
        assert terminal.code() == 1


def test_a_terminal_of_twenty_columns_loses_nothing(cli: Cli) -> None:
    """Lines wrap there, and are whole."""
    with Terminal(cli.folder, cli.env, columns=20, rows=24) as terminal:
        terminal.run(query(cli, "event 44"))
        terminal.until(lambda screen: screen[-1] == "$" and len(screen) > 1)
        assert "event 44 of 45" in "".join(line.ljust(20) for line in terminal.screen())
        assert terminal.code() == 0


@pytest.mark.parametrize("option", ["--no-pager", "-q"])
def test_without_a_pager_all_of_it_goes_by(cli: Cli, option: str) -> None:
    with Terminal(cli.folder, cli.env, columns=100, rows=20) as terminal:
        terminal.run(query(cli, option))
        terminal.until(lambda screen: screen[-1] == "$")
        assert any("event 0 of 45" in line for line in terminal.screen(history=True)) is (option != "-q")
        assert terminal.code() == 0
