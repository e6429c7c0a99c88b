"""Completion in the shell: a real bash, the protocol of Typer, and what is offered."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from cli import PROGRAM, Cli

from logstore import LogStore
from logstore.cli import completion
from logstore.record import LEVELS

BY_NAME = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # else the shell is that around the tests


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def context(db: Path | None = None) -> typer.Context:
    """What Typer gives while it completes: parsed options, and no command was run."""

    root = SimpleNamespace(params={"db": None if db is None else [str(db)]})
    root.find_root = lambda: root
    return cast(typer.Context, root)


def sources(db: Path | None, incomplete: str = "") -> list[str]:
    return completion.complete_sources(context(db), incomplete)


def have(path: Path, *names: str) -> Path:
    with LogStore(path) as store:
        for name in names:
            store.log("x", source=name)
    return path


def in_bash(cli: Cli, *words: str) -> list[str]:
    """What bash would offer for the last word, by the script that `--show-completion` prints."""
    script = f"""
        PATH={PROGRAM.parent}:$PATH
        eval "$(logstore --show-completion bash)"
        complete -p logstore >&2
        COMP_WORDS=(logstore {" ".join(f"'{word}'" for word in words)})
        COMP_CWORD={len(words)}
        _logstore_completion logstore
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=cli.env, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == "complete -o default -F _logstore_completion logstore\n"
    return done.stdout.split()


def test_bash_is_offered_commands_options_and_choices(cli: Cli) -> None:
    assert in_bash(cli, "upg") == ["upgrade"]
    assert {"--since", "--source"} <= set(in_bash(cli, "--db", "x.db", "query", "--s"))
    assert set(in_bash(cli, "query", "--sort", "")) == {"last", "first", "count"}


@pytest.mark.parametrize("line", [("--bogus", ""), ("query", "--bogus", "x", ""), ("frobnicate", "")])
def test_bash_is_told_nothing_of_a_wrong_line(cli: Cli, line: tuple[str, ...]) -> None:
    in_bash(cli, *line)  # nothing on stderr: it would stand in the middle of what is being typed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_shown_for_each_shell(cli: Cli, shell: str) -> None:
    cli.env |= BY_NAME
    shown = cli("--show-completion", shell, db=None)
    assert (shown.code, shown.err) == (0, "")
    assert f"_LOGSTORE_COMPLETE=complete_{shell}" in shown.out


def test_the_script_is_installed_in_the_home(cli: Cli) -> None:
    cli.env |= BY_NAME
    assert cli("--install-completion", "bash", db=None).code == 0
    script = (cli.folder / ".bash_completions" / "logstore.sh").read_text()
    assert "_logstore_completion" in script


def test_sources_are_those_of_the_store_that_begin_so(path: Path) -> None:
    have(path, "node1/sshd", "node1/cron", "node2/sshd", "node1/sshd")
    assert sources(path) == ["node1/cron", "node1/sshd", "node2/sshd"]
    assert sources(path, "node1/s") == ["node1/sshd"]
    assert sources(path, "n%") == []


def test_at_most_200_sources_are_offered(path: Path) -> None:
    have(path, *(f"h{number}/p" for number in range(250)))
    assert len(sources(path)) == 200


def test_a_source_that_a_shell_would_run_or_expand_is_not_offered(path: Path) -> None:
    have(path, "h/$(reboot)", "h/`x`", "h/a b", "h/*", "h/';x", 'h/"', "h/\n", "h/{a,b}", "h/ü-1.2:3@4_5")
    assert sources(path) == ["h/ü-1.2:3@4_5"]


def test_without_a_store_nothing_is_offered_and_none_is_made(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("LOGSTORE_DB", raising=False)
    foreign = tmp_path / "foreign.db"
    foreign.write_bytes(b"x" * 5000)
    for db in (path, foreign, tmp_path, Path("n" * 300), None):
        assert sources(db) == []
        assert "cluster" in completion.complete_rule_sets(context(db), "c")
    assert capfd.readouterr() == ("", "")
    assert [*tmp_path.iterdir()] == [foreign]


def test_completing_leaves_the_store_as_it_is(path: Path) -> None:
    have(path, "h/p")
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert sources(path) == ["h/p"]
    assert completion.complete_rule_sets(context(path), "none") == ["none"]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert {*path.parent.iterdir()} == {path, path.with_name(f"{path.name}-reserve")}


def test_levels_and_sets_and_saved_questions(path: Path) -> None:
    assert completion.complete_levels("") == [*LEVELS]
    assert completion.complete_levels("E") == ["emergency", "error"]
    assert completion.complete_rule_sets(context(path), "") == ["cluster", "network", "none", "secrets"]
    named: list[tuple[str, Any]] = completion.complete_saved("lou")
    assert [name for name, _ in named] == ["loudest"]
