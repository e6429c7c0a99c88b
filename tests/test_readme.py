"""README is true: everything it shows is run, and everything there is, is in it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_readme_shows_is_what_is_printed() -> None:
    """Every console session and every Python example prints what README says."""
    done = run(sys.executable, str(ROOT / "scripts" / "readme.py"))

    assert (done.returncode, done.stderr) == (0, ""), done.stdout


PREPARE = """
export TZ=UTC LOGSTORE_DB=log.db
touch -d '2026-11-22 00:33:00 UTC' tests/data/*.log
cp tests/data/monit-a.log app.log
printf 'def calmer(record):\\n    return record\\n' > rules.py
logstore ingest tests/data/pcmk-alfa2.*.log
"""
HERE = (  # what a line of README names, and what stands for it here
    ("'/var/log/*.log'", "'tests/data/*.log'"),
    ("/var/log/*.log", "tests/data/*.log"),
    ("/var/log/pacemaker/pacemaker.log", "tests/data/pcmk-alfa2.pacemaker.log"),
    ("e812", "e612"),
    ("page-someone", "true"),
    ("| lnav", "> all.jsonl"),
    ("udp://127.0.0.1:5514", "udp://127.0.0.1:0"),
    ("/run/logstore.sock", "$PWD/logstore.sock"),
)
FOREVER = ("logstore follow", "--follow", "--listen")


def plain_lines() -> list[str]:
    """The commands of README's blocks that are not sessions."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("logstore ")]


@pytest.mark.parametrize("line", plain_lines())
def test_every_plain_line_of_readme_does_something(line: str, tmp_path: Path) -> None:
    """It is understood, and ends as it should: found or done, not found, or told to end."""
    if "--journal" in line and not shutil.which("journalctl"):
        pytest.skip("NO journalctl HERE: install systemd")
    shutil.copytree(ROOT / "tests" / "data", tmp_path / "tests" / "data")
    command = line
    for there, here in HERE:
        command = command.replace(there, here)
    if any(each in line for each in FOREVER):
        command = f"timeout --signal=INT --preserve-status 2 {command}"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", f"{PREPARE}\nset +e\n{command}"],
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in ((0, 130) if any(each in line for each in FOREVER) else (0, 1, 3)), done.stderr
    assert "Traceback" not in done.stderr
    assert "--help`" not in done.stderr


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
