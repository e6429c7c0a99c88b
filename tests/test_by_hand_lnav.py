"""The log viewer lnav reads `query -o jsonl` by the format that `logstore lnav` prints."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli import Cli

from logstore import LogStore, Record
from logstore.record import LEVELS

BEGIN_US = 1_795_306_800_000_000  # 2026-11-22 00:20:00 UTC
LNAV_LEVELS = ("fatal", "fatal", "critical", "error", "warning", "notice", "info", "debug")


@pytest.fixture
def lnav() -> str:
    program = shutil.which("lnav")
    if program is None:
        pytest.skip("NO lnav HERE, so nothing proves that it reads our JSON: apt-get install lnav")
    return program


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A store with a record of each level, one of them three times."""
    found = Cli(tmp_path)
    with LogStore(found.db) as store:
        for number, level in enumerate(LEVELS):
            store.log(
                f"as {level}", level=level, source="alfa1/x", timestamp_us=BEGIN_US + number * 1_000_000
            )
        store.log_many(Record("beat", "info", "alfa2/y", BEGIN_US + n * 60_500_000) for n in range(3))
    return found


def looked_at(cli: Cli, lnav: str, *commands: str) -> str:
    """Run lnav without a screen on what `query -o jsonl` prints."""
    formats = cli.folder / "lnav/formats/logstore"
    formats.mkdir(parents=True)
    (formats / "logstore.json").write_text(cli.ok("lnav").out)
    (cli.folder / "log.jsonl").write_text(cli.ok("query", "-o", "jsonl").out)
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(
        [lnav, "-n", "-I", cli.folder / "lnav", *words, "log.jsonl"],
        cwd=cli.folder,
        env={**cli.env, "TERM": "dumb", "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_lnav_knows_the_levels_the_times_and_the_rows(cli: Cli, lnav: str) -> None:
    """Its SQL table `logstore_log` has a row a content, under the names of `-o jsonl`."""
    asked = (
        ";SELECT log_level, log_time, first_seen, count, count_exact, state, source, id, content_id, "
        "typeof(gap_max_ms + 0) AS gap, last_text, log_body FROM logstore_log ORDER BY content_id"
    )
    found: list[dict[str, Any]] = json.loads(looked_at(cli, lnav, asked, ":write-json-to -"))
    assert [row["log_level"] for row in found] == [*LNAV_LEVELS, "info"]
    assert [row["log_body"] for row in found] == [*(f"as {level}" for level in LEVELS), "beat"]
    assert [row["log_time"][:19] for row in found[:2]] == ["2026-11-22 00:20:00", "2026-11-22 00:20:01"]
    beat = found[-1]
    assert (beat.pop("log_time")[:19], beat.pop("first_seen")) == (
        "2026-11-22 00:22:01",
        "2026-11-22T00:20:00.000000Z",
    )
    assert beat == {
        "log_level": "info",
        "count": 3,
        "count_exact": 1,
        "state": "open",
        "source": "alfa2/y",
        "id": 9,
        "content_id": 9,
        "gap": "integer",  # its JSON says "60500", as other rows of the column are null
        "last_text": "beat",
        "log_body": "beat",
    }


def test_lnav_shows_one_line_a_content(cli: Cli, lnav: str) -> None:
    """Time, level, source, message and count; the rest only when asked for."""
    lines = looked_at(cli, lnav).splitlines()
    assert len(lines) == len(LEVELS) + 1
    assert lines[0].split() == ["2026-11-22T00:20:00.000", "emergency", "alfa1/x", "as", "emergency", "x1"]
    assert lines[-1].split() == ["2026-11-22T00:22:01.000", "info", "alfa2/y", "beat", "x3"]


def test_the_format_has_every_key_of_the_json(cli: Cli) -> None:
    """A new key of `-o jsonl` is given its kind here."""
    known = json.loads(cli.ok("lnav").out)["logstore_log"]
    (row, *_) = cli.jsonl()
    assert {*known["value"], known["timestamp-field"], known["level-field"]} >= row.keys()
