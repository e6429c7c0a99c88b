"""An analyst reads a snapshot with pandas, through the SQLite that Python brings along."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from cli import Cli

from logstore import LogStore, Record

# In a process of its own: two SQLites in one process would drop each other's file locks.
READ = """
import json, sqlite3, sys
import pandas as pd

connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro&immutable=1", uri=True)
log = pd.read_sql_query("SELECT * FROM log", connection, parse_dates=["first_seen", "last_seen"])
episode = pd.read_sql_query("SELECT * FROM episode WHERE level <= ?", connection, params=(4,))
episode["first_seen"] = pd.to_datetime(episode["first_us"], unit="us", utc=True)
connection.close()
print(json.dumps({
    "counts": log.set_index("message")["count"].to_dict(),
    "span_s": (log["last_seen"] - log["first_seen"]).dt.total_seconds().max(),
    "bad": episode.groupby("source")["count"].sum().to_dict(),
    "begun": episode["first_seen"].min().isoformat(),
}))
"""


def test_pandas_reads_a_snapshot_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    """Counts, real times and a parameter, from the two views."""
    cli, begin_us = Cli(tmp_path), 1_795_306_800_000_000
    with LogStore(cli.db) as store:
        store.log_many(
            Record("vip is up", "info", "alfa1/IPaddr2", begin_us + n * 60_000_000) for n in range(5)
        )
        store.log("disk failed", level="crit", source="alfa1/kernel", timestamp_us=begin_us + 539_001)
    cli.ok("snapshot", "part.db")
    file = tmp_path / "part.db"
    before = hashlib.sha256(file.read_bytes()).hexdigest()

    done = subprocess.run(
        [sys.executable, "-c", READ, str(file)], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "counts": {"vip is up": 5, "disk failed": 1},
        "span_s": 240.0,
        "bad": {"alfa1/kernel": 1},
        "begun": "2026-11-22T00:20:00.539001+00:00",
    }
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    assert not [name for name in tmp_path.iterdir() if name.name.startswith("part.db-")]
