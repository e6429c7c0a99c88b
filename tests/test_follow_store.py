"""`logstore follow`: each first copy once and in order, whatever happens to the store; a line a run."""

import contextlib
import io
import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import apsw
import pytest
from cli import HOSTILE, NO_POWERS, PYTHON, Cli
from conftest import Shell
from hypothesis import given
from hypothesis import strategies as st
from model import NOW_US, Clock
from terminal import Terminal

from logstore import LogStore, LogStoreError, Record, statements
from logstore.cli.screen import Screen
from logstore.cli.tail import Limits, run
from logstore.cli.text import cut, shown_width
from logstore.database import VERSION
from logstore.errors import NotALogStore, StoreUnavailable
from logstore.filters import Filter, regex, substring
from logstore.search import following as module
from logstore.search.following import Beginning, Following
from logstore.search.rows import Row

FIRST_COPIES = "SELECT id FROM episode WHERE continues IS NULL ORDER BY id"
RUNS = """
SELECT run_id, sum(count), min(first_us), max(last_us), max(is_open) FROM (
    SELECT run_id, count, first_us, last_us, 0 AS is_open FROM archive
    UNION ALL SELECT run_id, count, first_us, last_us, 1 FROM queue)
GROUP BY run_id
"""


class Follower:
    """A Following that remembers what it gave and what it said."""

    def __init__(
        self,
        *places: Path,
        chosen: Filter | None = None,
        beginning: Beginning | None = None,
        now_us: int = NOW_US,
    ) -> None:
        self.said: list[str] = []
        self.rows: list[Row] = []
        self.clock = Clock(now_us)
        self.following = Following(
            places, chosen or Filter(), beginning or Beginning(), note=self.said.append, clock_us=self.clock
        )

    def poll(self) -> list[str]:
        """Return the messages of what is new, to the last one."""
        found: list[Row] = []
        while True:
            page = self.following.poll()
            found += page.rows
            if not page.more:
                break
        self.rows += found
        return [row.message for row in found]

    @property
    def ids(self) -> list[int]:
        return [row.id for row in self.rows]

    def news(self) -> str:
        """What was said since the last look."""
        said, self.said[:] = " / ".join(self.said), []
        return said


@pytest.fixture
def follow() -> Iterator[Callable[..., Follower]]:
    """Make followers that are closed in the end."""
    with contextlib.ExitStack() as stack:

        def make(*places: Path, **options: Any) -> Follower:
            follower = Follower(*places, **options)
            stack.callback(follower.following.close)
            return follower

        yield make


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def rows_of(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


# -- each first copy once, in order ------------------------------------------------------------------

MESSAGES = st.sampled_from("abcdef")
STEPS = st.one_of(
    st.tuples(st.just("log"), MESSAGES, st.integers(-20_000, 20_000)),
    st.tuples(st.just("batch"), st.lists(st.tuples(MESSAGES, st.integers(-30_000, 30_000)), max_size=8)),
    st.tuples(st.just("forward"), st.integers(1, 20_000)),
    st.tuples(st.just("sweep")),
    st.tuples(st.just("poll")),
    st.tuples(st.just("renew")),
    st.tuples(st.just("reopen")),
)


@given(steps=st.lists(STEPS, max_size=60), max_open=st.integers(1, 6), page=st.integers(1, 4))
def test_what_is_announced_is_what_was_opened(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any], max_open: int, page: int
) -> None:
    """Writes, sweeps, evictions, new writers and polls at any moment: each first copy once, in order.

    However disordered their times are, runs have the counts of the store.
    """
    path = tmp_path_factory.mktemp("follow") / "log.db"
    clock = Clock(NOW_US)
    options: dict[str, Any] = {"window": 5, "max_span": 12, "max_open": max_open, "clock_us": clock}
    store = LogStore(path, **options)
    follower = Follower(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PAGE", page)
        try:
            follower.poll()
            for step in steps:
                store = take_step(step, store, follower, clock, lambda: LogStore(path, clock_us=clock))
            follower.poll()
            renewed = follower.following.renewed(follower.rows)
        finally:
            store.close()
            follower.following.close()
    assert follower.ids == [id_ for (id_,) in rows_of(path, FIRST_COPIES)]
    assert follower.said == []
    truth = {run_id: rest for run_id, *rest in rows_of(path, RUNS)}
    for row in renewed:
        count, _, last_us, is_open = truth[row.id]
        assert row.state == ("open" if is_open else "closed")
        assert row.count == count
        assert row.last_us <= last_us


def take_step(
    step: Any, store: LogStore, follower: Follower, clock: Clock, reopen: Callable[[], LogStore]
) -> LogStore:
    match step:
        case ("log", message, away_ms):
            store.log(message, timestamp_us=clock() + away_ms * 1000)
        case ("batch", records):
            store.log_many([Record(message, timestamp_us=clock() + ms * 1000) for message, ms in records])
        case ("forward", ms):
            clock.forward(ms=ms)
        case ("sweep",):
            store.sweep()
        case ("poll",):
            follower.poll()
        case ("renew",):
            follower.rows[:] = follower.following.renewed(follower.rows)
        case ("reopen",):
            store.close()
            return reopen()
    return store


@given(st.lists(st.tuples(MESSAGES, st.integers(0, 7_000), st.booleans()), max_size=50))
def test_a_run_counts_what_the_store_counts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool]]
) -> None:
    """In time order, and looked at now and then, each run has the count, times and state of the store."""
    path, clock = tmp_path_factory.mktemp("runs") / "log.db", Clock(NOW_US)
    follower = Follower(path)
    try:
        with LogStore(path, window=5, max_span=12, clock_us=clock) as store:
            follower.poll()
            for message, ms, looks in steps:
                clock.forward(ms=ms)
                store.log(message)
                if looks:
                    follower.poll()
                    follower.rows[:] = follower.following.renewed(follower.rows)
            follower.poll()
            renewed = follower.following.renewed(follower.rows)
    finally:
        follower.following.close()
    found = [(row.id, row.count, row.first_us, row.last_us, row.state == "open") for row in renewed]
    assert found == [(*rest, bool(is_open)) for *rest, is_open in rows_of(path, RUNS)]


def test_a_run_that_was_opened_and_closed_between_two_polls_is_one_line(
    path: Path, clock: Clock, follow: Callable[..., Follower]
) -> None:
    """Its parts are joined: counts summed, state and reason of the last; what `query --episodes` says."""
    follower = follow(path)
    with LogStore(path, clock_us=clock) as store:
        follower.poll()
        store.log_many([Record("up", timestamp_us=NOW_US + i * 60_000_000) for i in range(30)])
        store.log_many([Record("up", timestamp_us=NOW_US + 9_000_000_000)])
        assert follower.poll() == ["up", "up"]
        first, second = follower.rows
        assert (first.count, first.state, first.reason) == (30, "closed", "gap")
        assert (first.first_us, first.last_us) == (NOW_US, NOW_US + 29 * 60_000_000)
        assert (second.count, second.state) == (1, "open")


def test_no_poll_holds_back_a_checkpoint(
    store: LogStore, path: Path, follow: Callable[..., Follower]
) -> None:
    """Between two polls no read transaction is open: all of the write-ahead log can go."""
    store.log("one")
    follower = follow(path, beginning=Beginning(last=5))
    assert follower.poll() == ["one"]
    follower.following.renewed(follower.rows)
    store.log("two")
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall() == [(0, 0, 0)]
    connection.close()
    assert follower.poll() == ["two"]


def test_nothing_is_read_anew_while_nothing_was_committed(
    store: LogStore, path: Path, follow: Callable[..., Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen is brought up to date after a commit, not four times a second."""
    follower = follow(path)
    follower.poll()
    store.log("up")
    follower.poll()
    (row,) = follower.following.renewed(follower.rows)
    monkeypatch.setattr(statements, "FOLLOW_OPEN", "no SQL at all")
    follower.poll()
    assert follower.following.renewed([row]) == [row]
    store.log("up")
    follower.poll()
    with pytest.raises(LogStoreError):
        follower.following.renewed([row])


# -- where it begins, and filters --------------------------------------------------------------------


def test_it_begins_now_or_earlier(
    store: LogStore, path: Path, clock: Clock, follow: Callable[..., Follower]
) -> None:
    """Without a word now; with the last few; with what was first seen since a time, and of that the last."""
    for number in range(6):
        store.log(f"m{number}")
        clock.forward(s=100)
    store.log("m3")
    store.sweep()
    since_us = NOW_US + 150_000_000
    cases = [
        (Beginning(), []),
        (Beginning(last=2), ["m5", "m3"]),
        (Beginning(last=50), ["m0", "m1", "m2", "m3", "m4", "m5", "m3"]),
        (Beginning(since_us, None), ["m2", "m3", "m4", "m5", "m3"]),
        (Beginning(since_us, 3), ["m4", "m5", "m3"]),
        (Beginning(NOW_US * 2, None), []),
    ]
    for beginning, expected in cases:
        follower = follow(path, beginning=beginning)
        assert (follower.poll(), follower.poll()) == (expected, []), beginning
    store.log("new", timestamp_us=1)
    assert follower.poll() == ["new"]


MASKED = "up again (execution time <num>ms)"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Filter.chosen(level="warning"), ["Up B", "down C"]),
        (Filter.chosen(source="n1"), ["up a", "Up B"]),
        (Filter.chosen(source="n?/x"), ["up a", "down C"]),
        (Filter.chosen(matcher=substring("up")), ["up a", "Up B", MASKED]),
        (Filter.chosen(matcher=substring("Up")), ["Up B"]),
        (Filter.chosen(matcher=substring("up", invert=True)), ["down C"]),
        (Filter.chosen(matcher=regex("^d.*C$")), ["down C"]),
        (Filter.chosen(matcher=substring("77")), []),
        (Filter.chosen(matcher=substring("77"), raw=True), [MASKED]),
    ],
)
def test_a_filter_holds_for_what_was_and_for_what_comes(
    path: Path, follow: Callable[..., Follower], chosen: Filter, expected: list[str]
) -> None:
    """On level, source, message and raw texts, as in `query`, before and after the beginning."""
    records = [
        Record("up a", "info", "n1/x"),
        Record("Up B", "warning", "n1/y"),
        Record("down C", "error", "n2/x"),
        Record("up again (execution time 77ms)", "info", "n2/y"),
    ]
    with LogStore(path, masks="cluster") as store:
        store.log_many(records)
        before = follow(path, chosen=chosen, beginning=Beginning(last=10)).poll()
        after = follow(path.with_name("later.db"), chosen=chosen)
        after.poll()
        with LogStore(path.with_name("later.db"), masks="cluster", clock_us=after.clock) as later:
            later.log_many(records)
            found = after.poll()
    assert (before, found) == (expected, expected)


# -- plans -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A store of thousands of archived episodes, and a copy with statistics."""
    plain = tmp_path_factory.mktemp("plans") / "plain.db"
    with LogStore(plain, window=1, max_span=0) as store:
        store.log_many(
            Record(f"m{i % 50}", source=f"n{i % 3}/p", timestamp_us=NOW_US + i * 1_000_000)
            for i in range(8_000)
        )
        store.log_many(Record(f"open {i}", timestamp_us=NOW_US + 10**12) for i in range(300))
    analyzed = plain.with_name("analyzed.db")
    shutil.copyfile(plain, analyzed)
    connection = apsw.Connection(str(analyzed))
    connection.execute("ANALYZE")
    connection.close()
    return {"plain": plain, "analyzed": analyzed}


LATE = {"since_us": NOW_US + 10**12, "after_id": 8_200, "before_id": 8_300}
FOLLOWING = sorted(name for name in vars(statements) if name.startswith("FOLLOW_"))


@pytest.mark.parametrize("name", FOLLOWING)
@pytest.mark.parametrize("kind", ["plain", "analyzed"])
@pytest.mark.parametrize("sqlite", ["ours", "stock"])
def test_no_poll_walks_what_grows(
    large: dict[str, Path], shell: Shell, name: str, kind: str, sqlite: str
) -> None:
    """Archive, contents and totals are searched, never walked; the queue is bounded and may be."""
    sql = getattr(statements, name)
    if sqlite == "stock":
        asked = f"EXPLAIN QUERY PLAN {sql.replace('matches(', 'max(1, ')}"
        done = shell(large[kind], asked, "-readonly")
        assert (done.returncode, done.stderr) == (0, "")
        lines = [line.strip(" |`-") for line in done.stdout.splitlines()]
    else:
        connection = apsw.Connection(str(large[kind]), flags=apsw.SQLITE_OPEN_READONLY)
        connection.create_scalar_function("matches", lambda *_: True)
        bindings = dict.fromkeys(re.findall(r":(\w+)", re.sub("--.*", "", sql)), 1) | LATE
        lines = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bindings)]
        connection.close()
    walked = [line for line in lines if re.match(r"SCAN (a|c|t|archive|content|total|log)\b", line)]
    assert walked == []
    if name in {"FOLLOW_POSITION", "FOLLOW_OPEN"}:
        assert not [line for line in lines if "archive" in line]


# -- a store that comes, goes and is replaced --------------------------------------------------------


def test_a_store_that_is_created_later(path: Path, follow: Callable[..., Follower]) -> None:
    """It says once where it waits, an empty file is none yet, and it begins at the beginning."""
    other = path.with_name("other.db")
    follower = follow(other, path)
    assert [follower.poll(), follower.poll()] == [[], []]
    assert follower.news() == f"no store yet; waiting for one at {other} or {path}"
    path.touch()
    assert (follower.poll(), follower.news()) == ([], "")
    with LogStore(path, clock_us=follower.clock) as store:
        store.log("first")
        assert follower.poll() == ["first"]
        assert follower.news() == f"{path}: the store is there; following it from its beginning"
        store.log("second")
        assert follower.poll() == ["second"]
    assert follower.news() == ""


def test_an_old_store_that_is_put_there_later(path: Path, follow: Callable[..., Follower]) -> None:
    """What it knew before is the past."""
    with LogStore(path, clock_us=Clock(NOW_US - 10**9)) as store:
        store.log("old")
    away = path.rename(path.with_name("away.db"))
    follower = follow(path)
    follower.poll()
    away.rename(path)
    assert follower.poll() == []
    assert "following it from now on" in follower.news()
    with LogStore(path) as store:
        store.log("new")
    assert follower.poll() == ["new"]


def test_a_store_that_is_moved_away_and_back(path: Path, follow: Callable[..., Follower]) -> None:
    """What was written before it went is read; meanwhile another store is followed; nothing comes twice."""
    follower = follow(path)
    with LogStore(path, clock_us=follower.clock) as store:
        store.log("one")
        follower.poll()
        store.log("two")
        away = path.rename(path.with_name("away.db"))
        path.with_name("log.db-wal").rename(path.with_name("away.db-wal"))
        path.with_name("log.db-shm").rename(path.with_name("away.db-shm"))
        assert follower.poll() == ["two"]
        assert follower.poll() == follower.poll() == []
        assert follower.news() == f"the store is gone; waiting for one at {path}"
    with LogStore(path, clock_us=follower.clock) as store:
        store.log("three")
    assert follower.poll() == ["three"]
    assert follower.news() == f"{path}: another store is there now; following it from its beginning"
    with LogStore(away) as store:
        store.log("four")
    away.replace(path)
    assert follower.poll() == []
    assert follower.poll() == ["four"]
    assert follower.news() == f"{path}: another store is there now; going on where it was left"


def test_a_store_that_is_replaced_by_an_older_copy(path: Path, follow: Callable[..., Follower]) -> None:
    """A backup put in place gives ids anew: it goes on from where the backup ends."""
    follower = follow(path)
    with LogStore(path) as store:
        store.log("one")
    copy = shutil.copyfile(path, path.with_name("copy.db"))
    with LogStore(path) as store:
        follower.poll()
        store.log("two")
        assert follower.poll() == ["two"]
    for suffix in ("-wal", "-shm"):  # else SQLite would take the one's log for the other's
        path.with_name(f"{path.name}{suffix}").unlink()
    Path(copy).replace(path)
    assert follower.poll() == []
    with LogStore(path) as store:
        assert follower.poll() == []
        assert "going on where it was left" in follower.news()
        store.log("three")
        assert follower.poll() == ["three"]


def test_a_store_that_turns_out_to_be_none(path: Path, follow: Callable[..., Follower]) -> None:
    """Another program's file, put there at the start or while following, is an error."""
    follower = follow(path)
    follower.poll()
    path.write_bytes(b"no store\n" * 1000)
    with pytest.raises(NotALogStore):
        follower.poll()


def test_a_newer_minor_version_is_followed_on(path: Path, follow: Callable[..., Follower]) -> None:
    """An upgrade that adds to the schema does not disturb a reader that is there."""
    follower = follow(path)
    with LogStore(path) as store:
        follower.poll()
        store.log("one")
        connection = apsw.Connection(str(path))
        newer = f"PRAGMA user_version = {VERSION + 1}; CREATE TABLE more (x ANY) STRICT"
        connection.execute(newer).fetchall()
        connection.close()
        store.log("two")
        assert follower.poll() == ["one", "two"]


def test_a_locked_store_is_waited_for(
    path: Path, follow: Callable[..., Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is said at first; after a while it is, once, and again when it goes on."""
    monkeypatch.setattr(module, "_BUSY_TIMEOUT_S", 0.01)
    with LogStore(path, clock_us=Clock(NOW_US - 10**9)) as store:
        store.log("one")
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").fetchall()
    follower = follow(path, beginning=Beginning(last=1))
    assert (follower.poll(), follower.news()) == ([], "")
    follower.clock.forward(s=6)
    assert (follower.poll(), follower.poll()) == ([], [])
    assert follower.news() == f"{path}: busy: another process has locked it; waiting"
    connection.close()
    assert follower.poll() == ["one"]
    assert follower.news() == f"{path}: going on"


def test_a_store_that_cannot_be_opened_again_is_waited_for(
    store: LogStore, path: Path, follow: Callable[..., Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that starts is still making its files: that is no error of a follower that was there."""
    follower = follow(path)
    follower.poll()
    follower.following.close()

    def refused(*_: object, **__: object) -> None:
        raise StoreUnavailable("not now")

    with monkeypatch.context() as patch:
        patch.setattr(module, "open_reader", refused)
        assert (follower.poll(), follower.news()) == ([], "")
        follower.clock.forward(s=6)
        assert (follower.poll(), follower.news()) == ([], f"{path}: cannot be opened again; waiting")
        with pytest.raises(StoreUnavailable):
            follow(path).poll()
    store.log("one")
    assert (follower.poll(), follower.news()) == (["one"], f"{path}: going on")


def test_a_reader_without_rights_sees_what_comes_later(cli: Cli) -> None:
    """A store at rest is read without locks where SQLite can make no files; then a writer wakes it up."""
    if shutil.which("setpriv") is None or os.geteuid() != 0:
        pytest.skip("NO setpriv OR NOT ROOT, so nothing proves what a reader without rights sees")
    cli.have("one")
    os.chown(cli.folder, 65534, 65534)
    cli.folder.chmod(0o755)
    command = [*NO_POWERS, *cli.command("follow", "-n", "1", "--timeout", "60s")]
    process = subprocess.Popen(command, env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert until_lines(process, 1), process.communicate()
        assert not cli.db.with_name("log.db-shm").exists()
        with LogStore(cli.db) as store:
            store.log("two")
            assert until_lines(process, 1), process.communicate()
    finally:
        process.kill()
        process.communicate()


# -- real processes ----------------------------------------------------------------------------------


def until_lines(process: subprocess.Popen[bytes], number: int) -> list[str]:
    """Read so many lines of a process, [] if it ends before or says nothing for half a minute."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), True)
    data, deadline_s = b"", time.monotonic() + 30
    while data.count(b"\n") < number or data[-1:] != b"\n":
        if not select.select([process.stdout], [], [], max(deadline_s - time.monotonic(), 0))[0]:
            return []
        piece = os.read(process.stdout.fileno(), 65_536)
        if not piece:
            return []
        data += piece
    return data.decode().splitlines()


WRITER = """
import sys
from logstore import LogStore
with LogStore(sys.argv[1], max_open=20, window=0.05) as store:
    for number in range(int(sys.argv[3])):
        store.log(f"{sys.argv[2]} {number % 60}", source="n/p")
"""


def test_several_writers_that_die_lose_and_double_nothing(cli: Cli) -> None:
    """Processes write at once, one is killed and started again: the lines are the store's first copies."""
    cli.have("before")
    process = cli.start("follow", "-o", "jsonl", "-n", "1")
    lines = until_lines(process, 1)
    assert [json.loads(line)["message"] for line in lines] == ["before"]

    def writer(name: str, number: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([PYTHON, "-c", WRITER, cli.db, name, str(number)], env=cli.env)

    writers = [writer("a", 300), writer("b", 300), writer("victim", 1_000_000)]
    assert until_ids(process, lines, lambda ids: len(ids) > 100)
    writers[2].kill()
    writers[2].wait()
    writers[2] = writer("again", 300)
    assert [each.wait() for each in writers] == [0, 0, 0]
    expected = [id_ for (id_,) in cli.select(FIRST_COPIES)]
    assert until_ids(process, lines, lambda ids: ids[-1:] == expected[-1:])
    process.send_signal(signal.SIGTERM)
    rest, said = process.communicate()
    lines += rest.decode().splitlines()
    assert [json.loads(line)["id"] for line in lines] == expected
    assert (process.returncode, said) == (0, b"")


def until_ids(process: subprocess.Popen[bytes], lines: list[str], holds: Callable[[list[int]], bool]) -> bool:
    """Read more lines of JSON until something holds of all their ids."""
    ids = [json.loads(line)["id"] for line in lines]
    while not holds(ids):
        more = until_lines(process, 1)
        if not more:
            return False
        lines += more
        ids += [json.loads(line)["id"] for line in more]
    return True


def test_lines_are_those_of_query(cli: Cli) -> None:
    """As text and as JSON a line is what `query --episodes` says of the episode; hostile text is escaped."""
    with LogStore(cli.db) as store:
        store.log("plain", level="warning", source="n1/app", timestamp_us=NOW_US)
        store.log("evil" + "".join(sorted(HOSTILE - {"\x00"})), source="n\x1b/b", timestamp_us=NOW_US)
    text = cli("follow", "-S", "@0", "--timeout", "0s")
    first, second = text.out.splitlines()
    assert first == "2025-12-07 00:00:00.000  x1  WARNING  n1/app  plain"
    assert not HOSTILE & set(second)
    assert "\\x1b" in second
    zoned = cli("follow", "-n", "2", "--timeout", "0s", "--tz", "Asia/Tokyo").out
    assert zoned.startswith("2025-12-07 09:00:00.000  x1")
    assert cli("follow", "-n", "2", "--utc", "--timeout", "0s", TZ="Asia/Tokyo").out == text.out
    rows = cli("follow", "-S", "@0", "-o", "jsonl", "--timeout", "0s").rows
    assert sorted(rows, key=str) == sorted(cli.jsonl("--episodes"), key=str)


def test_how_it_ends(cli: Cli) -> None:
    """Enough matches: 0; a timeout: 0 if something matched, 1 if nothing or not enough did."""
    for message in ("a 1", "a 2", "b 1"):
        cli.have(message)
    cases = {
        ("a", "-S", "1h", "--until-match", "2"): (0, 2),
        ("-S", "1h", "--until-match", "1"): (0, 1),
        ("a", "-S", "1h", "--timeout", "0s"): (0, 2),
        ("c", "-S", "1h", "--timeout", "10ms"): (1, 0),
        ("a", "-S", "1h", "--until-match", "3", "--timeout", "10ms"): (1, 2),
        ("a", "-n", "1", "--until-match", "1", "--timeout", "10ms"): (1, 1),
    }
    for command, done in cli.each([("follow", *case) for case in cases]):
        code, lines = cases[tuple(map(str, command[1:]))]
        assert (done.code, done.out.count("\n"), done.err) == (code, lines, ""), command


@pytest.mark.parametrize(
    "arguments",
    [
        ("-E",),
        ("-E", "("),
        ("-S", "tomorrowish"),
        ("-p", "loud"),
        ("--timeout", "3"),
        ("--tz", "Mars"),
        ("--utc", "--tz", "UTC"),
        ("--until-match", "0"),
        ("-n", "-1"),
        ("-o", "csv"),
    ],
)
def test_a_wrong_option_is_an_error_at_once(cli: Cli, arguments: tuple[str, ...]) -> None:
    """Exit 2 and a word on stderr, with or without a store."""
    done = cli("follow", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err


def test_what_is_no_store_is_an_error(cli: Cli) -> None:
    """Exit 2, as for every command."""
    cli.write("log.db", "this is no store\n" * 100)
    assert cli("follow").is_refusal("not a logstore file")


def test_it_waits_for_a_store_and_ends_when_told(cli: Cli) -> None:
    """Where no store is it says so on stderr; Ctrl-C ends it with 130, SIGTERM with 0."""
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 0)):
        process = cli.start("follow")
        assert process.stderr is not None
        assert process.stderr.readline().decode() == f"no store yet; waiting for one at {cli.db}\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (code, b"", b"")


def test_a_store_that_is_created_later_by_a_process(cli: Cli) -> None:
    """The first record of a new store is the first line."""
    process = cli.start("follow", "--until-match", "2")
    assert process.stderr is not None
    process.stderr.readline()
    cli.ok("log", "one")
    cli.ok("log", "two")
    out, err = process.communicate(timeout=30)
    assert [line.split("  ")[-1] for line in out.decode().splitlines()] == ["one", "two"]
    assert process.returncode == 0
    assert b"following it from its beginning" in err


def test_it_ends_quietly_when_nobody_reads_on(cli: Cli) -> None:
    """Also while nothing comes: `follow | head -1` gives the shell back."""
    cli.have("one")
    done = cli.shell("$L follow -n 1 | head -1; echo ${PIPESTATUS[0]}")
    assert done.out.splitlines()[0].endswith("  one")
    assert done.out.splitlines()[1] == str(128 + signal.SIGPIPE)
    assert done.err == ""


def test_the_examples_of_its_help_can_be_typed(cli: Cli) -> None:
    """Each of them runs, for a moment."""
    cli.have("p_web start: status 0")
    text = cli("follow", "--help", db=None).out
    examples = [line.strip() for line in text.splitlines() if line.startswith("  logstore ")]
    assert len(examples) >= 4
    commands = [tuple(shlex.split(example)[1:]) for example in examples]
    for command, done in cli.each([(*command, "--timeout", "10ms") for command in commands]):
        assert (done.code, done.err) in {(0, ""), (1, "")}, command


# -- the loop, with a clock that only moves when told ------------------------------------------------


class Shown:
    """What a loop showed, and how often it looked."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.stores: list[int] = []

    def add(self, rows: Sequence[Row], store: int) -> None:
        self.messages += [row.message for row in rows]

    def refresh(self, store: int) -> None:
        self.stores.append(store)


def test_it_looks_four_times_a_second_until_its_end(path: Path, follow: Callable[..., Follower]) -> None:
    """It waits 0.25 s at a time, less before its end, and not at all while more is there."""
    follower, shown, waits = follow(path), Shown(), list[float]()
    now = [0.0]
    with LogStore(path, clock_us=follower.clock) as store:

        def wait(pause_s: float) -> bool:
            waits.append(pause_s)
            now[0] += pause_s
            if len(waits) == 2:
                store.log_many([Record(f"m{i}") for i in range(module._PAGE + 1)])
            return False

        code = run(follower.following, shown, Limits(None, 1.1, lambda: now[0]), wait)
    assert code == 0
    assert [round(each, 3) for each in waits] == [0.25, 0.25, 0, 0.25, 0.25, 0.1]
    assert len(shown.messages) == module._PAGE + 1


# -- a terminal --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
    ],
)
def test_a_line_is_cut_by_cells(text: str, width: int, expected: str) -> None:
    """Wide characters take two cells, combining ones none."""
    assert cut(text, width) == expected
    assert shown_width(cut(text, width)) <= width


def test_a_screen_writes_only_what_has_changed() -> None:
    """One frame at once, with the cursor shown after it; a line that is as it was is passed over."""
    out, clock = io.StringIO(), Clock(NOW_US)
    rows = [row(1, "one"), row(2, "two"), row(3, "three")]
    latest = {each.id: each for each in rows}
    screen = Screen(
        out,
        tz=UTC,
        clock_us=clock,
        size=lambda: (80, 4),
        colour=False,
        renewed=lambda shown: [latest[each.id] for each in shown],
    )
    screen.add(rows, 1)
    screen.refresh(1)
    out.seek(0)
    out.truncate()
    screen.refresh(1)
    assert out.getvalue() == ""
    latest[2] = row(2, "two", count=9)
    screen.refresh(2)
    assert out.getvalue() == "", "the rows are of another store"
    screen.refresh(1)
    frame = out.getvalue()
    assert frame.startswith("\x1b[?25l\x1b[3A")
    assert frame.endswith("\x1b[?25h")
    assert "(x9 over" in frame


def row(id_: int, message: str, count: int = 1) -> Row:
    texts = (message, None, None, message, message, None, id_)
    return Row(id_, "open", NOW_US, NOW_US, count, count, True, "info", "n/p", *texts)


@pytest.fixture
def terminal(cli: Cli) -> Iterator[Terminal]:
    with Terminal(cli.folder, cli.env, columns=100, rows=8) as opened:
        yield opened


def test_repeats_are_folded_where_they_stand(cli: Cli, terminal: Terminal) -> None:
    """A line a run; a repeat changes its line and adds none; levels have a colour; 20 columns are enough."""
    cli.have("the past")
    with LogStore(cli.db) as store:
        terminal.run(cli.command("follow"))
        terminal.until(lambda screen: screen[0].endswith("the past"))
        for _ in range(3):
            store.log("vip is up", level="warning", source="alfa2/vip")
        store.log("後で\x1b[31m" + "x" * 200, level="error", source="alfa2/web")
        screen = terminal.until(lambda screen: len(screen) == 3 and "x3" in screen[1])
        assert re.search(r"^[\d:]{8}  \d+s \(x3 over \ds\)  WARNING  alfa2/vip  vip is up$", screen[1])
        assert "後で\\x1b[31mxxx" in screen[2]
        assert screen[2].endswith("x…")
        assert "\x1b[33mWARNING" in terminal.screen(colours=True)[1]
        store.log("vip is up", level="warning", source="alfa2/vip")
        terminal.press("Enter", "x", "Enter")  # what is typed moves nothing
        screen = terminal.until(lambda screen: "x4" in screen[1])
        assert len(screen) == 3

        terminal.resize(20, 8)
        screen = terminal.until(lambda screen: len(screen) == 3 and max(map(len, screen)) < 20)
        assert "(x4 over" in screen[1]
        terminal.resize(100, 8)
        terminal.until(lambda screen: "vip is up" in screen[1] and "x4" in screen[1])


def test_what_scrolled_off_stays_and_ctrl_c_gives_all_back(cli: Cli, terminal: Terminal) -> None:
    """Only lines on the screen change; exit 130; the cursor and what is typed are seen again."""
    with LogStore(cli.db) as store:
        terminal.run(cli.command("follow"))
        terminal.until(lambda screen: not screen[0].startswith("$"))
        store.log("vip is up")
        terminal.until(lambda screen: screen[0].endswith("vip is up"))
        store.log_many(Record(f"line {number}") for number in range(20))
        screen = terminal.until(lambda screen: screen[-1].endswith("line 19"))
        assert [line.split()[-1] for line in screen] == [str(number) for number in range(13, 20)]
        store.log_many([Record("vip is up"), Record("line 19")])
        terminal.until(lambda screen: "(x2 over" in screen[-1])
    whole = terminal.screen(history=True)
    assert [line.split()[-1] for line in whole] == ["up", *map(str, range(20))]
    assert [line for line in whole if "(x2" in line] == whole[-1:]
    terminal.press("C-c")
    assert terminal.code() == 130
    assert terminal.shows_cursor
    terminal.type("echo I am seen")
    terminal.until(lambda screen: "$ echo I am seen" in screen)


def test_a_terminal_is_told_where_it_waits(cli: Cli, terminal: Terminal) -> None:
    """Remarks are lines among the others; after Ctrl-Z it goes on with a clean screen; NO_COLOR is kept."""
    cli.env["NO_COLOR"] = "1"
    terminal.type("export NO_COLOR=1")
    terminal.run(cli.command("follow"))
    terminal.until(lambda screen: screen[0].startswith("no store yet; waiting for one at "))
    cli.ok("log", "-p", "error", "-s", "n/p", "the first")
    screen = terminal.until(lambda screen: len(screen) == 3 and screen[2].endswith("the first"))
    assert screen[1].startswith(str(cli.folder)[:40])  # and as much more as fits the line
    assert "\x1b[" not in "".join(terminal.screen(colours=True))
    terminal.press("C-z")
    terminal.until(lambda screen: any("Stopped" in line for line in screen))
    terminal.type("fg")
    cli.ok("log", "-p", "error", "-s", "n/p", "the first")
    screen = terminal.until(lambda screen: "(x2 over" in screen[-1])
    assert len(screen) == 3
    terminal.press("C-c")
    assert terminal.code() == 130


def test_a_dumb_terminal_gets_plain_lines(cli: Cli) -> None:
    """Without a word of control: each first copy once."""
    cli.have("one")
    with Terminal(cli.folder, cli.env, term="dumb") as terminal:
        terminal.run(cli.command("follow", "-n", "1", "--timeout", "0s"))
        screen = terminal.until(lambda screen: any(line.endswith("  x1  INFO  h/p  one") for line in screen))
        assert not [line for line in screen if "\x1b" in line or "[2J" in line]
