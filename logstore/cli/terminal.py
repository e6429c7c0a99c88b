"""What a terminal gets and a pipe does not: a pager for what is long, colours, lines of its width."""

import io
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout, suppress
from typing import TYPE_CHECKING, Final, Literal

from logstore.cli.text import shown_width

if TYPE_CHECKING:
    import subprocess

ColorChoice = Literal["auto", "always", "never"]

# F: what fits on one screen needs no key, R: colours, X: what was read stays there, M: where one is,
# K: Ctrl-C ends it.
_LESS: Final = "FRXMK"
_NO_PAGER: Final[tuple[list[str], ...]] = ([], ["cat"])
_RED, _BOLD_RED, _YELLOW, _DIM = "31", "1;31", "33", "2"
_STYLES: Final = {
    "emergency": _BOLD_RED,
    "alert": _BOLD_RED,
    "critical": _BOLD_RED,
    "error": _RED,
    "warning": _YELLOW,
    "debug": _DIM,
}


@contextmanager
def paged(*, wanted: bool = True, at_end: bool = False) -> Iterator[None]:
    """Let a pager show what is printed inside, if stdout is a terminal; `at_end`: from its last line.

    Leaving the pager early ends the block, and is no error. Remarks on stderr come after the pager.
    """
    if not wanted or not _is_capable():
        yield
        return
    remarks = io.StringIO()
    try:
        with redirect_stderr(remarks), _held() if at_end else _piped():
            yield
    finally:
        sys.stderr.write(remarks.getvalue())


def colour_allowed(choice: ColorChoice = "auto") -> bool:
    """Return whether to colour; `auto`: on a terminal that can, unless NO_COLOR is set."""
    if choice == "auto":
        return _is_capable() and not os.environ.get("NO_COLOR")
    return choice == "always"


def painted(level: str) -> str:
    """Return the name of a level, in any case, in its colour."""
    style = _STYLES.get(level.lower())
    return f"\x1b[{style}m{level}\x1b[0m" if style else level


def terminal_width() -> int | None:
    """Return how many columns a line may take, None if stdout is no terminal."""
    return (shutil.get_terminal_size((0, 0)).columns or None) if on_terminal() else None


def on_terminal() -> bool:
    """Return whether a terminal shows what is printed, through a pager or not."""
    return sys.__stdout__ is not None and sys.__stdout__.isatty()


def _is_capable() -> bool:
    return on_terminal() and os.environ.get("TERM", "") not in {"", "dumb"}


@contextmanager
def _piped(position: str = "") -> Iterator[None]:
    pager = _start(position)
    if pager is None:
        yield
        return
    sigpipe = signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # to print to a pager that was left is an error
    try:
        with suppress(BrokenPipeError), redirect_stdout(pager.stdin):
            yield
    finally:
        sigint = signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # while it is read, Ctrl-C is the pager's affair
        pager.communicate()
        signal.signal(signal.SIGINT, sigint)
        signal.signal(signal.SIGPIPE, sigpipe)


@contextmanager
def _held() -> Iterator[None]:
    """Page from the end what is longer than the screen: `less +G` would fill the screen up above the rest."""
    text = io.StringIO()
    try:
        with redirect_stdout(text):
            yield
    finally:
        with nullcontext() if _fits(text.getvalue()) else _piped("+G"):
            sys.stdout.write(text.getvalue())


def _fits(text: str) -> bool:
    columns, lines = shutil.get_terminal_size()
    return sum(-(-shown_width(line) // columns) or 1 for line in text.splitlines()) < lines


def _start(position: str) -> "subprocess.Popen[str] | None":
    """Start the pager; None if none is wanted, or it cannot be started."""
    import subprocess

    command = os.environ.get("LOGSTORE_PAGER", os.environ.get("PAGER", "less")).split()
    if command in _NO_PAGER:
        return None
    sys.stdout.flush()
    try:
        return subprocess.Popen(  # noqa: S603  # the user's own choice
            command,
            stdin=subprocess.PIPE,
            env={**os.environ, "LESS": f"{os.environ.get('LESS', _LESS)} {position}".rstrip()},
            encoding=sys.stdout.encoding,
            errors=sys.stdout.errors,
        )
    except OSError:
        return None
