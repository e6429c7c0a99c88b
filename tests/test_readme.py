"""README is true: everything it shows is run, and everything there is, is in it."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_readme_shows_is_what_is_printed() -> None:
    """Every console session and every Python example prints what README says."""
    done = run(sys.executable, str(ROOT / "scripts" / "readme.py"))

    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_every_command_is_in_readme() -> None:
    """No command of the program is missing from README."""
    shown = run(str(Path(sys.executable).parent / "logstore"), "--help").stdout
    commands = re.findall(r"^  ([a-z]+) ", shown.split("Commands:")[1], flags=re.MULTILINE)

    assert len(commands) >= 8
    assert [name for name in commands if f"logstore {name}" not in README] == []


def test_every_path_that_readme_names_is_there() -> None:
    """A link or a script named in README leads to a file."""
    named = set(re.findall(r"\]\(([\w./]+)\)|`(scripts/\w+)`", README))

    assert named
    assert [path for pair in named for path in pair if path and not (ROOT / path).exists()] == []
