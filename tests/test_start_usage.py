"""A command line that is wrong: one plain line, whatever the terminal is, and exit code 2."""

from pathlib import Path

import pytest
from cli import HOSTILE, Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


WRONG: dict[tuple[str | bytes, ...], tuple[str, ...]] = {
    ("quary",): ("'quary'", "Did you mean 'query'?", "`logstore --help`"),
    ("frobnicate",): ("'frobnicate'", "`logstore --help`"),
    ("query", "--sinc", "1h"): ("--sinc", "--since", "`logstore query --help`"),
    ("query", "-Z"): ("-Z", "`logstore query --help`"),
    ("query", "-o", "xml"): ("'xml'", "'jsonl'", "`logstore query --help`"),
    ("query", "-S"): ("-S", "requires an argument"),
    ("show",): ("ID", "`logstore show --help`"),
    ("show", "c1", "-n", "ten"): ("--limit", "`logstore show --help`"),
    ("config", "gett", "window"): ("'gett'", "'get'", "`logstore config --help`"),
    ("config", "set", "window"): ("value", "`logstore config set --help`"),
    ("--no-such", "query"): ("--no-such", "`logstore --help`"),
}


@pytest.mark.parametrize("columns", ["20", "80"])
def test_a_wrong_command_line_is_one_plain_line(cli: Cli, columns: str) -> None:
    cli.env["COLUMNS"] = columns
    for command, done in cli.each(WRONG):
        assert done.is_refusal("logstore: ", *WRONG[command]), (command, done)
        assert done.err.count("\n") == 1, command
        assert "Value error" not in done.err
        assert HOSTILE.isdisjoint(done.err.rstrip("\n"))


def test_what_a_user_typed_comes_back_escaped(cli: Cli) -> None:
    for command, done in cli.each([("\x1b[31mx",), ("query", "--\x1b]0;x\x07"), ("query", "-o", "\u202ex")]):
        assert done.is_refusal(), (command, done)
        assert HOSTILE.isdisjoint(done.err.rstrip("\n"))


def test_without_a_command_the_help_is_the_answer(cli: Cli) -> None:
    done = cli(db=None)
    assert (done.code, done.out) == (2, "")
    assert done.err == cli("--help", db=None).out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_of_few_letters_gets_the_others_written_out(cli: Cli, encoding: str) -> None:
    cli.have("é 日")
    done = cli("query", PYTHONIOENCODING=encoding)
    assert done.code == 0
    assert "\\u65e5" in done.out
