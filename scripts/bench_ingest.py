"""What `logstore ingest` costs beside programs that read the same file: time, memory, masks."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from bench_common import (
    LOGSTORE,
    Row,
    Sizes,
    check_total,
    figure_row,
    found,
    has,
    in_turn,
    ratio_row,
    seconds_of,
    timed_process,
)
from bench_input import numbers, write_lines, write_pacemaker

PATIENCE_S: Final = 600
WORD: Final = "p_web_000077"
SHELL_PEERS: Final = {
    "cut | sort | uniq -c": (("cut", "sort", "uniq"), 'cut -c17- "$1" | LC_ALL=C sort | uniq -c'),
    "mawk, counting": (("mawk",), "mawk '{ c[substr($0, 17)]++ } END { for (t in c) print c[t], t }' \"$1\""),
    "grep -c of a word": (("grep",), f'LC_ALL=C grep -c {WORD} "$1" | cat'),
    "rg -c of a word": (("rg",), f'rg -c {WORD} "$1" | cat'),
}
GOALS: Final = {"cut | sort | uniq -c": "<= 1.2"}
RSYSLOG: Final = """
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imfile")
template(name="line" type="string" string="%msg%\\n")
input(type="imfile" file="{lines}" tag="bench")
action(type="omfile" file="{folder}/copy" template="line")
"""


def ingest_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure `logstore ingest` beside its peers; all as processes, on the same file.

    The kernel counts the memory of the parent at the fork as the child's: measure this first, while small.
    """
    lines = folder / "syslog"
    write_lines(lines, numbers(sizes.lines, sizes.few))
    memory: list[float] = []
    runs: dict[str, Callable[[], float]] = {
        "ours": partial(ingest, folder, lines, sizes.lines, memory=memory),
        **peers(folder, lines),
    }
    results = in_turn(rounds, runs, "ingest,")
    lines.unlink()
    for name in list(runs)[1:]:
        what = f"ingest, {sizes.lines:,} lines, to {name}"
        yield ratio_row(what, GOALS.get(name, ""), results, "s", peer=name)
    yield figure_row("ingest, peak memory in MiB", "< 150", memory, "MiB")
    yield long_row(folder, sizes, median(memory))
    yield from masks_rows(folder, rounds, sizes)


def long_row(folder: Path, sizes: Sizes, short_mib: float) -> Row:
    """Measure once whether a long file takes more memory than a short one."""
    lines, memory = folder / "syslog", list[float]()
    write_lines(lines, numbers(sizes.long_lines, sizes.few))
    in_turn(1, {"ours": partial(ingest, folder, lines, sizes.long_lines, memory=memory)}, "a long file,")
    lines.unlink()
    name = f"ingest, peak memory, {sizes.long_lines:,} to {sizes.lines:,} lines"
    return ratio_row(name, "<= 1.1", [{"ours": memory[0], "peer": short_mib}], "MiB")


def masks_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure masks on a Pacemaker log: with counters that rise, as they do, and with texts as they were."""
    for kind, goal in (("counters rise", "<= 2.0"), ("same texts", "")):
        lines = folder / "pacemaker.log"
        write_pacemaker(lines, sizes.cluster_lines, rising=bool(goal))
        runs = {
            "ours": partial(ingest, folder, lines, sizes.cluster_lines, "cluster"),
            "peer": partial(ingest, folder, lines, sizes.cluster_lines),
        }
        results = in_turn(rounds, runs, "masks,")
        yield ratio_row(f"ingest --masks cluster, {kind}, to --masks none", goal, results, "s")
        lines.unlink()


def ingest(
    folder: Path, lines: Path, expected: int, masks: str = "none", *, memory: list[float] | None = None
) -> float:
    """Run `logstore ingest` on a new store; note its peak memory in MiB. Returns seconds."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(fresh) / "log.db"
        command = [*LOGSTORE, "--db", str(path), "ingest", "--masks", masks, str(lines)]
        seconds, peak = timed_process(command)
        check_total(path, expected)
    if memory is not None:
        memory.append(peak)
    return seconds


# -- the peers -------------------------------------------------------------------------------------


def peers(folder: Path, lines: Path) -> dict[str, Callable[[], float]]:
    """Return what reads the same file, of what is installed here; what is not is said."""
    runs: dict[str, Callable[[], float]] = {}
    for name, (tools, script) in SHELL_PEERS.items():
        if has(tools, f"ingest is measured without {name}"):
            runs[name] = partial(seconds_of, ["sh", "-c", script, "sh", str(lines)])
    if has(["rsyslogd"], "ingest is measured without rsyslogd"):
        runs["rsyslogd, file to file"] = partial(rsyslogd, folder, lines)
    return runs


def rsyslogd(folder: Path, lines: Path) -> float:
    """Let rsyslogd copy a file line by line. Returns the seconds until the copy is whole."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        config = Path(fresh) / "rsyslog.conf"
        config.write_text(RSYSLOG.format(folder=fresh, lines=lines))
        command = [str(found("rsyslogd")), "-n", "-f", str(config), "-i", f"{fresh}/pid"]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_size(Path(fresh) / "copy", lines.stat().st_size, process)
            return time.perf_counter() - start
        finally:
            process.terminate()
            process.wait()


def wait_for_size(path: Path, size: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has written a file. Stops if it never does."""
    end = time.monotonic() + PATIENCE_S
    while not path.exists() or path.stat().st_size < size:
        if process.poll() is not None or time.monotonic() > end:
            sys.exit(f"rsyslogd did not copy the whole file ({process.returncode=})")
        time.sleep(0.005)
