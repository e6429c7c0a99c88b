"""scripts/demo runs from one end to the other, again and again, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from logstore import Episode, LogStore

ROOT = Path(__file__).parent.parent
MANAGER = (sys.executable, str(ROOT / "scripts/cluster_manager.py"))


def demo() -> str:
    done = subprocess.run(
        [ROOT / "scripts/demo"],
        env={**os.environ, "NO_SETUP": "1", "DEMO_SECONDS": "2"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def output_of(command: str, text: str) -> str:
    """What the demo shows under a command that begins like this, the first time."""
    return re.split(r"\n\n[#$] ", text.partition(f"\n$ {command}")[2])[0]


def started(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"started process (\d+)", text)]


def assert_gone(numbers: list[int]) -> None:
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def episodes(db: Path) -> list[Episode]:
    with LogStore(db, readonly=True) as store:
        return list(store.episodes())


@pytest.mark.parametrize("time", ["first", "second"])
def test_the_demo_runs_twice_and_shows_the_main_job(time: str) -> None:
    text = demo()
    assert "1,776 lines -> 1,776 records" in output_of("logstore ingest", text)
    assert text.count("nothing new") == 2
    assert "monitor of p_web on alfa2" in output_of("logstore query -S", text)
    assert "first text" in output_of("logstore show c", text)
    assert "monitor of p_vip on alfa2" in output_of("logstore query -p warning --sort first", text)
    loudest = output_of("logstore query --sort count -n 5", text).splitlines()
    assert len([line for line in loudest if line.startswith("2026-11-22")]) == 5

    checks, starts = re.findall(r"(\d+) checks and (\d+) starts logged", text)[0]
    contents = len(output_of("logstore query --sort count\n", text).splitlines()) - 1
    assert re.search(rf"records +{int(checks) + int(starts):,} in {contents} contents", text)
    assert re.search(r"\n\d+ episodes moved into the archive", text)
    assert re.search(
        r"x\d+ +ERROR .*/p_web +service does not answer", output_of("logstore query -p error", text)
    )
    assert "archive is append-only" in text or "NO sqlite3 SHELL HERE" in text
    assert_gone(started(text))


def test_the_cluster_manager_logs_each_check_and_ends_what_it_started(tmp_path: Path) -> None:
    db = tmp_path / "cluster.db"
    options = ("--seconds", "2", "--interval", "0.1")
    done = subprocess.run([*MANAGER, db, *options], capture_output=True, text=True, check=True, timeout=60)

    checks, starts = map(int, re.findall(r"(\d+) checks and (\d+) starts logged", done.stdout)[0])
    kept = episodes(db)
    assert sum(episode.count for episode in kept if episode.level_name != "notice") == checks
    assert sum(episode.count for episode in kept if episode.level_name == "notice") == starts
    (failure,) = {(e.source.split("/")[1], e.message) for e in kept if e.level_name == "error"}
    assert failure == ("p_web", "service does not answer: Connection refused")
    assert len(started(done.stdout)) == 3
    assert_gone(started(done.stdout))


def test_a_signal_ends_the_cluster_manager_and_what_it_started(tmp_path: Path) -> None:
    command = [*MANAGER, str(tmp_path / "cluster.db"), "--seconds", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as manager:
        assert manager.stdout is not None
        text = "".join(manager.stdout.readline() for _ in range(3))
        manager.send_signal(signal.SIGTERM)
        manager.communicate(timeout=30)
    assert len(started(text)) == 2
    assert_gone(started(text))
