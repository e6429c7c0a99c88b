"""A real terminal for the tests: a program runs in tmux, is sent keys, and its screen is looked at."""

import os
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_DEADLINE_S = 30.0
_PAUSE_S = 0.05


class Terminal:
    """A shell in a terminal of its own; `run` starts a program in it, and `leave` says how it ended.

    Its tmux server has a socket of its own, and only that server is ended.
    """

    def __init__(
        self, folder: Path, env: Mapping[str, str], *, columns: int = 100, rows: int = 24, term: str = ""
    ) -> None:
        program = shutil.which("tmux")
        if program is None:
            pytest.skip("NO tmux HERE, so nothing proves what a real terminal shows: apt-get install tmux")
        self._tmux = [program, "-L", f"logstore-{uuid.uuid4().hex[:12]}", "-f", "/dev/null"]
        shell = ["env", "-i", *(f"{name}={value}" for name, value in env.items())]
        shell += [f"TERM={term or 'tmux-256color'}", "PS1=$ ", "bash", "--norc", "--noprofile"]
        self._ask("new-session", "-d", "-x", f"{columns}", "-y", f"{rows}", "-c", f"{folder}", *shell)
        self._ask("set-option", "-g", "status", "off")
        self._ask("resize-window", "-x", f"{columns}", "-y", f"{rows}")
        self.until(lambda screen: screen[:1] == ["$"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)

    def run(self, command: Sequence[str | bytes | Path]) -> None:
        """Start a program on a screen that is empty."""
        self.type(f"clear; {shlex.join(map(os.fsdecode, command))}")

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self._ask("send-keys", "-l", line)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names of them: `C-c`, `Enter`."""
        self._ask("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        """Make the window of another size."""
        self._ask("resize-window", "-x", f"{columns}", "-y", f"{rows}")

    def screen(self, *, history: bool = False, colours: bool = False) -> list[str]:
        """Return the lines that are shown, without blanks at their ends and empty lines below."""
        options = [*(["-S", "-"] if history else []), *(["-e"] if colours else [])]
        text = self._ask("capture-pane", "-p", *options)
        return [line.rstrip() for line in text.rstrip("\n ").split("\n")]

    def until(self, holds: Callable[[list[str]], object]) -> list[str]:
        """Look at the screen until something holds of it, and return it. Fails after half a minute."""
        deadline_s = time.monotonic() + _DEADLINE_S
        while True:
            found = self.screen()
            if holds(found):
                return found
            assert time.monotonic() < deadline_s, "\n".join(["the screen never came to it:", *found])
            time.sleep(_PAUSE_S)

    def code(self) -> int:
        """Return how the last program ended."""
        mark = uuid.uuid4().hex[:8]
        self.type(f"echo {mark}=$?")
        found = self.until(lambda screen: any(line.startswith(f"{mark}=") for line in screen))
        return int(next(line for line in found if line.startswith(f"{mark}=")).partition("=")[2])

    @property
    def shows_cursor(self) -> bool:
        """Whether the cursor is visible."""
        return self._ask("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def _ask(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout
