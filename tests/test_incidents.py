"""scripts/incidents: one query shows each injected fault, and a fault whose line is gone is not shown."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CAPTURE = ROOT / "tests" / "data"
LINK = "Nov 22 00:32:{} [24] alfa2 corosync info    [KNET  ] rx: host: 1 link: 0 is up\n"


def incidents(*arguments: str | Path, ends: int) -> str:
    done = subprocess.run(
        [ROOT / "scripts/incidents", *arguments],
        env={**os.environ, "NO_SETUP": "1", "TZ": "Asia/Kolkata"},  # whatever the zone of who runs it
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == ends, done
    return done.stdout + done.stderr


def rows(table: str) -> dict[str, list[str]]:
    """The cells of each fault, by its name."""
    lines = [
        line.strip("| ").replace("\\|", "/").split(" | ") for line in table.splitlines() if line[:1] == "|"
    ]
    return {name: cells for name, *cells in lines[2:]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The committed capture: faults A1 and A2, as node alfa2 saw them."""
    for file in CAPTURE.glob("pcmk-alfa2.*.log"):
        shutil.copy(file, tmp_path)
    return tmp_path


def without(folder: Path, words: str) -> None:
    """Take the lines out that say this."""
    log = folder / "pcmk-alfa2.pacemaker.log"
    kept = [line for line in log.read_text().splitlines(keepends=True) if words not in line]
    log.write_text("".join(kept))


def test_one_query_shows_each_fault_of_the_capture(folder: Path) -> None:
    printed = incidents(folder, "A1", "A2", ends=0)
    table = rows(printed)
    assert list(table) == ["A1", "A2"]
    for name, resource in (("A1", "p_web"), ("A2", "p_vip")):
        done, command, count, evidence, grep = table[name]
        assert "-p notice --new --sort first -n 20" in command
        assert 1 <= int(count) <= 20 < int(grep)
        assert f"Result of monitor operation for {resource} on alfa2: not running" in evidence
        assert done not in command  # who asks does not know what was done
    assert "2 shown, in at most 11 rows each; 0 left no line in the logs; 0 wrong" in printed


def test_the_lines_beside_it_are_those_that_grep_prints(folder: Path) -> None:
    logs = " ".join(map(str, folder.glob("*.log")))
    grep = f"cat {logs} | grep '^Nov 22 00:25:' | grep -icE 'error|fail|warn'"
    expected = subprocess.run(["bash", "-c", grep], capture_output=True, text=True, check=True).stdout.strip()

    assert rows(incidents(folder, "A1", ends=0))["A1"][-1] == expected


def test_a_fault_whose_line_is_not_in_the_log_is_not_shown(folder: Path) -> None:
    without(folder, "monitor operation for p_web on alfa2: not running")
    table = rows(incidents(folder, "A1", "A2", ends=1))

    assert table["A1"][3] == "NOT SHOWN"
    assert "p_vip on alfa2: not running" in table["A2"][3]


def test_a_fault_that_left_nothing_in_the_log_must_have_left_nothing(tmp_path: Path) -> None:
    log = tmp_path / "pcmk-alfa2.corosync.log"
    log.write_text(LINK.format("22"))
    assert rows(incidents(tmp_path, "A7b", ends=0))["A7b"][2:4] == [
        "0",
        "no line: it was up already (A7 ends)",
    ]
    log.write_text(LINK.format("22") + LINK.format("34"))  # a repeat, so no new row, but a line
    assert rows(incidents(tmp_path, "A7b", ends=1))["A7b"][3].startswith("NOT SILENT")


def test_faults_without_their_logs_count_as_not_shown(folder: Path) -> None:
    assert "Ma5: no monit-a* there" in incidents(folder, "A1", "Ma5", ends=1)


def test_wrong_arguments_are_refused() -> None:
    assert "usage: scripts/incidents FOLDER" in incidents(ends=2)
    assert "no such fault: A99" in incidents(CAPTURE, "A1", "A99", ends=2)
