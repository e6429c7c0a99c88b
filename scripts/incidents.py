"""Whether one `logstore query` shows the evidence of each fault that was injected into the development logs.

Who asks knows when about and where about something broke, and not what: a range that begins with the second
of the injection and ends 15 s later, a level, at most a part of the source, and never a pattern. Level,
source and how new were chosen for each fault, knowing the logs; what to expect in the rows was written down
from them. Beside it stands how many lines `grep -icE 'error|fail|warn'` counts in the same minutes of the
same files.
"""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

DAY: Final = "2026-11-22"
LAST_WRITTEN: Final = datetime(2026, 11, 22, 0, 37, tzinfo=UTC)
"""The time that the copies of the logs get: it gives their stamps the year."""

SPAN: Final = timedelta(seconds=15)
MOST_ROWS: Final = 20
NEW: Final = "-p notice --new"
GREP: Final = re.compile("error|fail|warn", re.IGNORECASE)

_STAMP: Final = re.compile(rf"(?:\[{DAY}T|Nov 22 |\d+:\w 22 Nov 2026 )(\d\d:\d\d:\d\d)")
_CUT: Final = re.compile(r"^(\d+ of [\d,]+) rows; -n all", re.MULTILINE)
_COLUMNS: Final = re.compile(r" {2,}")


class Fault(NamedTuple):
    """What was done, when, what to ask, and what must be among the rows."""

    name: str
    at: str
    done: str
    ask: str
    evidence: str
    silent: str = ""  # why nothing can be shown: then no row and no line of these seconds may say `evidence`

    @property
    def until(self) -> str:
        """The end of the range."""
        return (datetime.fromisoformat(f"{DAY} {self.at}") + SPAN).strftime("%H:%M:%S")

    @property
    def arguments(self) -> list[str]:
        """What `logstore query` gets."""
        asked = [*self.ask.split(), "--sort", "first", "-n", str(MOST_ROWS)]
        return ["-S", f"{DAY} {self.at}", "-U", self.until, *asked]


RUN_A: Final = (
    Fault("A1", "00:25:43", "kill nginx", NEW, r"monitor operation for p_web on alfa2: not running"),
    Fault("A2", "00:27:03", "delete address", NEW, r"monitor operation for p_vip on alfa2: not running"),
    Fault(
        "A3", "00:28:03", "remove state file", NEW, r"monitor operation for p_dummy1 on alfa1: not running"
    ),
    Fault("A4", "00:28:53", "crm_resource --fail", NEW, r"asyncmon operation for p_dummy2 on alfa2: error"),
    Fault("A5", "00:29:43", "standby", "-s alfa2 -p info --new", r"alfa2 is in standby mode"),
    Fault(
        "A5b", "00:30:23", "un-standby", "-s alfa2 -p info --new", r"aborted by deletion of .*nodes-2-standby"
    ),
    Fault("A6.1", "00:31:05", "kill worker", NEW, r"monitor operation for p_worker on alfa1: error"),
    Fault("A6.2", "00:31:17", "kill worker", NEW, r"Setting fail-count-p_worker\S+\[alfa1\]: 1 -> 2 "),
    Fault("A6.3", "00:31:29", "kill worker", NEW, r"p_worker cannot run on alfa1 due to reaching migration"),
    Fault("A7", "00:32:13", "eth0 down", "-p warning --new", r"10\.77\.1\.1' .*Network is unreachable"),
    Fault(
        "A7 ends", "00:32:20", "eth0 up by IPaddr2", "-s corosync -p info --new-within 1m", r"link: 0 is up"
    ),
    Fault(
        "A7b",
        "00:32:33",
        "eth0 up",
        "--new",
        r"link: 0|eth0|unreachable|state is now|membership|no active links",
        silent="no line: it was up already (A7 ends)",
    ),
    Fault("A8", "00:33:43", "kill attrd", NEW, r"pacemaker-attrd\[\d+\] terminated with signal 9"),
)
MONIT: Final = (
    # Monit had started redis 138 s before, with the same words: within T, so this is a repeat and not new.
    Fault("Ma1", "00:26:52", "kill redis", "-p warning", r"'redis' process is not running"),
    Fault("Ma2", "00:28:32", "remove flag", NEW, r"'flag' file doesn't exist"),
    Fault("Ma2b", "00:29:07", "flag is back", "-p info --new", r"'flag' file exists"),
    Fault("Ma3", "00:30:22", "check turns bad", NEW, r"'pyprog' status failed \(1\)"),
    Fault("Ma3b", "00:30:52", "check is good", "-p info --new", r"'pyprog' status succeeded \(0\)"),
    Fault("Ma4", "00:32:02", "stop redis", NEW, r"'redis' failed protocol test"),
    Fault("Ma4b", "00:32:42", "continue redis", NEW, r"User requested shutdown"),
    # Monit had started nginx, too, with the same words, but nine minutes before.
    Fault("Ma5", "00:33:52", "kill nginx", "-p notice --new-within 1m", r"'nginx' process is not running"),
)
SITES: Final = {"pcmk-": RUN_A, "monit-a": MONIT}
"""What the names of a site's files begin with, and what was done to it; a site is a store."""


class Answer(NamedTuple):
    """What a query printed about a fault."""

    rows: list[str]
    of: str
    problem: str

    def shown(self, fault: Fault) -> str | None:
        """The first row that is evidence."""
        return next((row for row in self.rows if re.search(fault.evidence, row)), None)


class Site:
    """The log files of one machine or cluster, and the store they go into."""

    def __init__(self, files: Sequence[Path], folder: Path) -> None:
        self.lines = [line for file in files for line in _stamped(file)]
        self.folder = folder
        for file in files:
            shutil.copyfile(file, folder / file.name)
            os.utime(folder / file.name, (LAST_WRITTEN.timestamp(),) * 2)
        done = self.logstore("ingest", *(file.name for file in files))
        if done.returncode:
            sys.exit(done.stderr.rstrip())

    def logstore(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the real program on the store."""
        return subprocess.run(
            [Path(sys.executable).parent / "logstore", "--db", "log.db", *arguments],
            cwd=self.folder,
            env={**os.environ, "TZ": "UTC", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def ask(self, fault: Fault) -> Answer:
        """Return the rows about a fault, and what is wrong with them if something is."""
        done = self.logstore("query", *fault.arguments)
        if done.returncode > 1:
            return Answer([], "-", done.stderr.rstrip())
        rows = done.stdout.splitlines()[1:]
        cut = _CUT.search(done.stderr)
        answer = Answer(rows, cut[1] if cut else str(len(rows)), "")
        logged = any(
            fault.at <= at < fault.until and re.search(fault.evidence, line) for at, line in self.lines
        )
        shown = answer.shown(fault) is not None
        if fault.silent:
            return answer._replace(problem="NOT SILENT" if shown or logged else "")
        if not shown or len(rows) > MOST_ROWS:
            return answer._replace(problem="NOT SHOWN")
        return answer if logged else answer._replace(problem="NOT LOGGED THEN")

    def grep(self, fault: Fault) -> int:
        """Count what grep would print of the whole minutes that a range touches."""
        last = (datetime.fromisoformat(f"{DAY} {fault.until}") - timedelta(seconds=1)).strftime("%H:%M")
        return sum(fault.at[:5] <= at[:5] <= last and bool(GREP.search(line)) for at, line in self.lines)


def main(arguments: Sequence[str]) -> int:
    """Print the table. Returns 1 if a fault is not shown, 2 if the arguments are wrong."""
    if not arguments:
        print("usage: scripts/incidents FOLDER [FAULT...]", file=sys.stderr)
        return 2
    given, *names = arguments
    unknown = {*names} - {fault.name for faults in SITES.values() for fault in faults}
    if unknown:
        print(f"no such fault: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    wrong = shown = silent = most = 0
    print("| fault | what was done | `logstore query` | rows | evidence among them | grep |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for prefix, faults in SITES.items():
            wanted = [fault for fault in faults if not names or fault.name in names]
            files = sorted(file for file in Path(given).glob(f"{prefix}*") if ".log" in file.suffixes)
            if not wanted or not files:
                wrong += len(wanted)
                print(
                    "".join(f"{fault.name}: no {prefix}* there\n" for fault in wanted),
                    end="",
                    file=sys.stderr,
                )
                continue
            site = Site(files, Path(tempfile.mkdtemp(dir=scratch)))
            for fault in wanted:
                answer = site.ask(fault)
                print(_line(fault, answer, site.grep(fault)), flush=True)
                most = max(most, len(answer.rows))
                wrong += bool(answer.problem)
                shown += not answer.problem and not fault.silent
                silent += not answer.problem and bool(fault.silent)
    print(f"\n{shown} shown, in at most {most} rows each; {silent} left no line in the logs; {wrong} wrong")
    return 1 if wrong else 0


def _stamped(file: Path) -> Iterator[tuple[str, str]]:
    """Give each line of a file with its time of day; a line without a stamp has that of the line above."""
    data = file.read_bytes()
    text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode(errors="replace")
    at = ""
    for line in text.split("\n")[:-1]:
        stamp = _STAMP.match(line)
        at = stamp[1] if stamp else at
        yield at, line


def _line(fault: Fault, answer: Answer, grep: int) -> str:
    """Return the line of one fault; `|` is escaped, as the table is Markdown."""
    row = answer.shown(fault)
    said = " ".join(_COLUMNS.split(row)[1:]) if row else fault.silent
    command = shlex.join(fault.arguments)
    cells = (
        fault.name,
        fault.done,
        f"`{command}`",
        answer.of,
        f"{answer.problem} {said}".strip()[:100].strip(),
        f"{grep:,}",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
