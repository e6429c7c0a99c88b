"""Manners on a terminal: the pager, colours, the width of lines. A real terminal, a real `less`."""

import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import sys
import termios
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from logstore.cli import terminal, text

LESS = pytest.mark.skipif(not shutil.which("less"), reason="NO less HERE: install less")
PROMPT = b"\x1b[7m"
"""In reverse video `less` says that it waits for a key."""


class Shown(NamedTuple):
    """How a program on a terminal ended, and what it wrote there."""

    code: int
    out: str


def on_terminal(
    program: str, *keys: str, columns: int = 80, lines: int = 24, term: str = "xterm", **env: str
) -> Shown:
    """Run Python on a terminal; press the keys when its pager asks for one."""
    with warnings.catch_warnings():  # Python 3.12 warns of a fork beside threads: this one only execs
        warnings.simplefilter("ignore", DeprecationWarning)
        pid, screen = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        imports = "import sys\nfrom logstore.cli.terminal import *\nfrom logstore.cli.text import *\n"
        clean = {"PATH": os.defpath, "LANG": "C.UTF-8", "TERM": term, **env}
        os.execve(sys.executable, [sys.executable, "-c", imports + program], clean)
    said, waiting, deadline = b"", [*keys], time.monotonic() + 30
    while True:
        if not select.select([screen], [], [], 0.3)[0]:
            if waiting and PROMPT in said:
                os.write(screen, waiting.pop(0).encode())
            elif time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            continue
        try:
            more = os.read(screen, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not more:
            break
        said += more
    os.close(screen)
    _, status = os.waitpid(pid, 0)
    return Shown(os.waitstatus_to_exitcode(status), said.decode())


def printing(number: int, how: str = "") -> str:
    return f"""
code = 0
with paged({how}):
    for each in range({number}):
        print("line", each)
    note("a remark")
    code = 3
note("the end")
sys.exit(code)
"""


@LESS
@pytest.mark.parametrize("how", ["", "at_end=True"])
def test_what_fits_on_the_screen_stays_there_and_needs_no_key(how: str) -> None:
    shown = on_terminal(printing(5, how))
    assert shown.code == 3
    assert all(f"line {each}" in shown.out for each in range(5))
    assert shown.out.endswith("a remark\r\nthe end\r\n")
    assert "~" not in shown.out, "less fills the screen up"


@LESS
@pytest.mark.parametrize(("how", "first", "last"), [("", 0, 22), ("at_end=True", 77, 99)])
def test_what_is_longer_is_paged_and_remarks_come_after_the_pager(how: str, first: int, last: int) -> None:
    shown = on_terminal(printing(100, how), "q")
    assert shown.code == 3
    assert f"line {first}\x1b" in shown.out
    assert f"line {last}\x1b" in shown.out
    assert shown.out.count("line ") < 30
    assert shown.out.endswith("a remark\r\nthe end\r\n")


@LESS
def test_leaving_the_pager_before_all_was_printed_is_no_error() -> None:
    shown = on_terminal(printing(200_000), "q")
    assert (shown.code, shown.out.count("line ") < 30) == (0, True)
    assert shown.out.endswith("the end\r\n")
    assert "Traceback" not in shown.out


@LESS
def test_ctrl_c_ends_the_pager_and_the_command_keeps_its_code() -> None:
    shown = on_terminal(printing(100), "\x03")
    assert shown.code == 3
    assert shown.out.endswith("a remark\r\nthe end\r\n")


@LESS
def test_what_the_user_has_set_for_less_is_kept() -> None:
    assert "(END)" in on_terminal(printing(5), "q", LESS="R").out, "without F it waits for a key"


@LESS
def test_an_error_inside_comes_out_when_the_pager_has_ended() -> None:
    program = "with paged():\n    print('first')\n    raise ValueError('second')"
    shown = on_terminal(program)
    assert shown.code == 1
    assert shown.out.index("first") < shown.out.index("ValueError: second")


@pytest.mark.parametrize(
    "env",
    [
        {"PAGER": "no-such-pager -x"},
        {"PAGER": "cat"},
        {"PAGER": ""},
        {"PAGER": "less", "LOGSTORE_PAGER": ""},
        {"PAGER": "/"},
        {"term": "dumb"},
        {"term": ""},
    ],
)
def test_without_a_pager_everything_is_printed_plainly(env: dict[str, str]) -> None:
    shown = on_terminal(printing(100), **env)  # type: ignore[arg-type]
    lines = "".join(f"line {each}\r\n" for each in range(100))
    assert shown == (3, f"{lines}a remark\r\nthe end\r\n")


def test_a_pager_of_ones_own_gets_its_options(tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\necho "pager $*"\nexec cat\n')
    pager.chmod(0o755)
    shown = on_terminal(printing(2), LOGSTORE_PAGER=f"{pager} -a b", PAGER="less")
    assert shown.out == "pager -a b\r\nline 0\r\nline 1\r\na remark\r\nthe end\r\n"


def test_who_wants_no_pager_gets_none() -> None:
    assert "line 99" in on_terminal(printing(100, "wanted=False")).out


def test_a_pipe_gets_no_pager_no_colour_and_no_width(capfd: pytest.CaptureFixture[str]) -> None:
    with terminal.paged():
        print("x")
    assert capfd.readouterr().out == "x\n"
    assert not terminal.colour_allowed()
    assert terminal.terminal_width() is None


COLOURED = "print(colour_allowed('auto'), colour_allowed('always'), colour_allowed('never'))"


@pytest.mark.parametrize(
    ("env", "auto"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"term": "dumb"}, False)],
)
def test_colour_is_for_a_terminal_unless_somebody_says_otherwise(env: dict[str, str], auto: bool) -> None:
    assert on_terminal(COLOURED, **env).out == f"{auto} True False\r\n"  # type: ignore[arg-type]


def test_width_is_that_of_the_terminal_also_behind_a_pager() -> None:
    program = "with paged():\n    print(terminal_width(), colour_allowed())"
    assert "57 True" in on_terminal(program, columns=57, PAGER="tr a a").out


def test_levels_have_colours() -> None:
    assert terminal.painted("CRITICAL") == "\x1b[1;31mCRITICAL\x1b[0m"
    assert terminal.painted("error") == "\x1b[31merror\x1b[0m"
    assert terminal.painted("WARNING") == "\x1b[33mWARNING\x1b[0m"
    assert terminal.painted("debug") == "\x1b[2mdebug\x1b[0m"
    assert [terminal.painted(level) for level in ("notice", "INFO", "?")] == ["notice", "INFO", "?"]


# -- tables ------------------------------------------------------------------------------------------


LEVEL_AND_TEXT = [("ERROR", "é\u0301 " + "wide 日本 " * 9), ("INFO", "日本"), ("WARNING", "short")]


def table(
    capsys: pytest.CaptureFixture[str],
    lines: Sequence[Sequence[str]] = LEVEL_AND_TEXT,
    width: int | None = None,
) -> tuple[bool, list[str]]:
    cut = text.write_table(("LEVEL", "MESSAGE"), lines, paint={0: terminal.painted}, width=width)
    return cut, capsys.readouterr().out.splitlines()


def plain(line: str) -> str:
    return line.replace("\x1b[31m", "").replace("\x1b[33m", "").replace("\x1b[0m", "")


def test_colours_do_not_move_columns(capsys: pytest.CaptureFixture[str]) -> None:
    cut, (heading, error, info, warning) = table(capsys)
    assert not cut
    assert heading == "LEVEL    MESSAGE"
    assert error.startswith("\x1b[31mERROR\x1b[0m    é")
    assert info == "INFO     日本"
    assert warning == "\x1b[33mWARNING\x1b[0m  short"


@pytest.mark.parametrize("width", range(39, 80))
def test_the_last_column_is_cut_to_the_terminal(capsys: pytest.CaptureFixture[str], width: int) -> None:
    cut, (_, error, info, warning) = table(capsys, width=width)
    assert cut
    assert plain(error).endswith("…")
    assert width - 1 <= text.shown_width(plain(error)) <= width, "half of a wide letter is none"
    assert info.endswith("日本")
    assert warning.endswith("short")


@pytest.mark.parametrize("width", [1, 20, 38, 120, None])
def test_nothing_is_cut_on_a_narrow_terminal_or_if_it_fits(
    capsys: pytest.CaptureFixture[str], width: int | None
) -> None:
    assert table(capsys, width=width) == (False, table(capsys)[1])


def test_wide_letters_and_marks_are_counted_as_a_terminal_shows_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    widths = {"": 0, "abc": 3, "日本": 4, "e\u0301": 1, "ｆ": 2, "a\u200db": 2, "é": 1}  # noqa: RUF001
    assert {word: text.shown_width(word) for word in widths} == widths
    text.write_table(("SOURCE", "X"), [("日本", "1"), ("e\u0301", "2")], right=frozenset((0,)))
    assert capsys.readouterr().out == "SOURCE  X\n  日本  1\n     e\u0301  2\n"


def test_a_text_is_cut_between_letters() -> None:
    assert [text.cut("日本語", room) for room in (6, 5, 4, 3, 2, 1)] == [
        "日本語",
        "日本…",
        "日…",
        "日…",
        "…",
        "…",
    ]
    assert text.cut("e\u0301e\u0301e\u0301", 2) == "e\u0301…"
