"""scripts/bench runs and gives every row. How fast it is here is no matter for a test."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


def bench(*options: str, **variables: str) -> dict[str, Any]:
    done = subprocess.run(
        [ROOT / "scripts/bench", "--quick", "--json", "--rounds", "2", *options],
        env={**os.environ, "NO_SETUP": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result | {"complaint": done.stderr}


def test_every_row_has_numbers(tmp_path: Path) -> None:
    result = bench("--folder", str(tmp_path))
    names = " ".join(row["name"] for row in result["rows"])
    for subject in (
        "ingest",
        "peak memory",
        "log()",
        "log_many, 100 distinct",
        "log_many, 1,000 distinct",
        "parse monit",
        "logstore --help",
    ):
        assert subject in names
    ratios = [row for row in result["rows"] if "median" in row]
    assert len(ratios) == 7 + 2 * 8 + 2  # parsing and masking of eight formats, two starts
    for row in ratios:
        assert 0 < row["low"] <= row["median"] <= row["high"], row
    queries = [row for row in result["rows"] if "growth" in row]
    assert len(queries) == len(result["rows"]) - len(ratios) > 50
    for row in queries:
        assert 0 < row["low_ms"] <= row["large_ms"] <= row["high_ms"], row
    assert list(tmp_path.iterdir()) == []


def test_a_section_is_measured_alone(tmp_path: Path) -> None:
    names = [row["name"] for row in bench("--only", "start", "--folder", str(tmp_path))["rows"]]
    assert [name.split(",")[0] for name in names] == ["logstore --help", "logstore query -n 5"]


def test_a_missing_peer_is_said_and_left_out(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "sh", "dirname", "env", "cut", "sort"):
        where = shutil.which(tool)
        if where is None:
            pytest.skip(f"NO {tool} HERE")
        (tools / tool).symlink_to(where)
    result = bench("--only", "ingest", PATH=str(tools))
    assert "No uniq here" in result["complaint"]
    assert result["rows"][0]["name"] == "ingest, peak memory in MiB"
