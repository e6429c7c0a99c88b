"""scripts/bench runs and gives every row. How fast it is here is no matter for a test."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SECTIONS = {
    "ingest": [
        "ingest, 2,000 lines, to cut | sort | uniq -c",
        "ingest, peak memory in MiB",
        "ingest, peak memory, 4,000 to 2,000 lines",
        "ingest --masks cluster, counters rise, to --masks none",
    ],
    "size": ["size, captured Pacemaker log, to its text"],
    "log": [
        "log(), durable, p50, to an UPSERT",
        "log_many, 100 distinct, batches",
        "log_many, 100 distinct, one call",
        "log_many, 100 distinct, batches, to rows made beforehand",
        "log_many, 1,000 distinct, batches",
        "log(), 6,000 archived, p50, to none",
    ],
    "handler": [
        f"logger.info, {shape}, {kind}"
        for shape in ("defaults", "%(message)s")
        for kind in ("at 10,000/s, p50", "at 10,000/s, mean", "storm, mean")
    ],
    "sweep": ["sweep of 2,000, to a bare move", "log() while another process sweeps, longest in ms"],
    "processes": [
        f"4 processes x 2 threads, {kind}, {what}"
        for kind in ("batches of 50", "single log()")
        for what in ("to one alone", "least to most in 0.2 s")
    ],
    "top": ["query, top 20 by count of 6,000, in ms"],
    "parse": ["parse monit", "mask monit, to parsing"],
    "start": ["logstore --help, to python -c pass", "logstore query -n 5, to python -c pass"],
}
GROWING = [
    "log_many, a record",
    "ingest, a line (without its start)",
    "query of an hour",
    "query, top 20 by count",
    "log() on an archive, p50",
    "sweep on an archive, an episode",
]


def run(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [ROOT / "scripts/bench", "--quick", "--rounds", "1", *options],
        env={**os.environ, "NO_SETUP": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


def bench(*options: str, **variables: str) -> dict[str, Any]:
    done = run("--json", *options, **variables)
    result: dict[str, Any] = json.loads(done.stdout)
    return result | {"complaint": done.stderr}


def test_every_row_has_numbers(tmp_path: Path) -> None:
    result = bench("--folder", str(tmp_path))
    rows = {row["name"]: row for row in result["rows"]}
    assert len(rows) == len(result["rows"]), "a name stands for one row"
    for names in SECTIONS.values():
        assert rows.keys() >= set(names)
    ratios = [row for row in result["rows"] if "median" in row]
    for row in ratios:
        assert 0 <= row["low"] <= row["median"] <= row["high"], row
        assert row["high"] > 0, row
    queries = [row for row in result["rows"] if "growth" in row]
    assert len(queries) > 50
    for row in queries:
        assert 0 < row["low_ms"] <= row["large_ms"] <= row["high_ms"], row
    grown = [row for row in result["rows"] if "relative" in row]
    assert [row["name"] for row in grown] == GROWING
    for row in grown:
        assert row["sizes"] == [1_000, 2_000]
        assert row["relative"][0] == 1
        assert min(row["costs_us"]) > 0
    assert len(ratios) + len(queries) + len(grown) == len(result["rows"])
    assert list(tmp_path.iterdir()) == []


def test_sections_are_measured_alone(tmp_path: Path) -> None:
    result = bench("--rounds", "2", "--only", "start", "--only", "sweep", "--folder", str(tmp_path))
    assert [row["name"] for row in result["rows"]] == SECTIONS["sweep"] + SECTIONS["start"]


def test_growth_is_a_table_and_a_picture(tmp_path: Path) -> None:
    _, heading, *lines = run("--only", "growth", "--long", "--folder", str(tmp_path)).stdout.splitlines()
    assert heading.split()[-3:] == ["1,000", "2,000", "20,000"]
    table, (scale, *bars) = lines[: len(GROWING)], lines[len(GROWING) :]
    for name, line in zip(GROWING, table, strict=True):
        assert line.startswith(name)
        assert line.count("(") == 3 + name.count("(")
    assert "log scale" in scale
    assert len(bars) == 3 * len(GROWING)
    assert all("█" in line for line in bars)


def test_a_missing_peer_is_said_and_left_out(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "sh", "dirname", "env", "cut", "sort"):
        where = shutil.which(tool)
        if where is None:
            pytest.skip(f"NO {tool} HERE")
        (tools / tool).symlink_to(where)
    result = bench("--only", "ingest", "--only", "size", PATH=str(tools))
    names = [row["name"] for row in result["rows"]]
    assert "No uniq here" in result["complaint"]
    assert SECTIONS["ingest"][0] not in names
    assert SECTIONS["ingest"][1] in names
    assert "No zstd here" in result["complaint"]
    assert not [name for name in names if "zstd" in name]
