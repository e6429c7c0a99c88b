"""A part of a store in a file of its own: whole, unchanged or in disguise, and safe to give away."""

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import apsw
import pytest
from cli import PROGRAM, Cli
from conftest import Forked, Shell
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model import NOW_US

from logstore import LogStore, Record
from logstore.errors import StoreDamaged, StoreUnavailable
from logstore.filters import Filter
from logstore.keeping.copying import Copied, Copying
from logstore.keeping.snapshot import Manifest, Wanted, take_snapshot

EPISODES = """
    SELECT e.*, coalesce(a.run_id, q.run_id), coalesce(a.numbers, q.numbers), a.seq, q.prior_count,
        q.received_us, q.receipt
    FROM episode AS e LEFT JOIN archive AS a ON a.id = e.id LEFT JOIN queue AS q ON q.id = e.id
    ORDER BY e.id
"""
FIRST_US, LAST_US, COUNT, SOURCE, CONTENT = 14, 15, 4, 7, 16  # columns of view `episode`
SECOND = 1_000_000


def rows(path: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(
        f"file:{path}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    )
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def taken(
    store: Path, target: Path, *redact: str, source: str | None = None, **chosen: int
) -> Manifest | None:
    wanted = Wanted(Filter.chosen(source=source, **chosen), source, redact)  # type: ignore[arg-type]
    return take_snapshot(store, target, wanted, now_us=NOW_US, progress=lambda _: None)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


SECRET = "hunter2Zq9"
HOSTS = ("alfa1", "alfa2.example.com", "BETA", "172.20.9.7", "süd")
TEXTS = (
    "vip 172.20.9.12 is up on {host}",
    "peer {host}.example.org (fe80::7) lost",
    f"login password={SECRET} from 192.168.7.9",
    "login password=otherone from 192.168.7.9",
    "all quiet",
)
records = st.lists(
    st.builds(
        Record,
        st.builds(lambda text, host: text.format(host=host), st.sampled_from(TEXTS), st.sampled_from(HOSTS)),
        st.sampled_from(["info", "error"]),
        st.builds(lambda host, program: f"{host}/{program}", st.sampled_from(HOSTS), st.sampled_from("ab")),
        st.integers(0, 2000).map(lambda second: NOW_US + second * SECOND),
        st.none()
        | st.sampled_from([{"on": ["alfa1", {"Beta": "x"}]}, {"password": SECRET, "ip": "172.20.9.12"}]),
    ),
    min_size=1,
    max_size=30,
)
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Made:
    """A store of some records, alone in a folder, and what was asked of it."""

    def __init__(self, folder: Path, kept: list[Record]) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.db = self.folder / "log.db"
        self.file = self.folder / "part.db"
        with LogStore(self.db, auto_sweep=False, clock_us=lambda: NOW_US) as store:
            for record in kept:
                store.log_many([record])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        shutil.rmtree(self.folder)


def test_a_host_that_only_messages_name_is_left_out_when_it_is_named(cli: Cli) -> None:
    """Which words of a message are hosts, nobody but the user knows."""
    cli.ok("log", "-s", "alfa2/crmd", "gamma left; alfa2 stays")
    done = cli("snapshot", "part.db", "--host", "gamma")
    assert (done.code, done.out) == (2, "")
    assert "--redact hosts" in done.err
    cli.ok("snapshot", "part.db", "--redact", "hosts", "--host", "gamma")
    assert rows(cli.folder / "part.db", "SELECT message FROM content") == [("host-2 left; host-1 stays",)]


@few
@given(kept=records)
def test_a_snapshot_of_everything_is_the_store(folder: Path, kept: list[Record]) -> None:
    """Every episode and content with all it has; a few facts of the store; nothing of the machine."""
    with Made(folder, kept) as made:
        manifest = taken(made.db, made.file)
        assert manifest is not None
        assert manifest.records == len(kept)
        for statement in (EPISODES, "SELECT * FROM log", "SELECT * FROM settings", "SELECT * FROM total"):
            assert set(rows(made.file, statement)) == set(rows(made.db, statement))
        store = "SELECT store_id, host, created_us, next_id, open_count, horizon_us, pruned FROM store"
        assert rows(made.file, store) == rows(made.db, store)


@few
@given(
    kept=records, since=st.integers(0, 2100), until=st.integers(0, 2100), host=st.sampled_from(["*", *HOSTS])
)
def test_a_part_is_every_episode_that_overlaps_whole(
    folder: Path, kept: list[Record], since: int, until: int, host: str
) -> None:
    """Half open, as `query` takes it, and by the same GLOB."""
    since_us, until_us = NOW_US + min(since, until) * SECOND, NOW_US + (max(since, until) + 1) * SECOND
    with Made(folder, kept) as made:
        every = rows(made.db, EPISODES)
        wanted = [
            row
            for row in every
            if row[LAST_US] >= since_us
            and row[FIRST_US] < until_us
            and (host == "*" or host in row[SOURCE].split("/"))
        ]
        manifest = taken(made.db, made.file, source=host, since_us=since_us, until_us=until_us)
        if not wanted:
            assert manifest is None
            assert not [name for name in names(made.folder) if not name.startswith("log.db")]
            return
        assert manifest is not None
        assert rows(made.file, EPISODES) == wanted
        assert rows(made.file, "SELECT count(*) FROM content") == [(len({row[CONTENT] for row in wanted}),)]
        assert (manifest.records, manifest.contents) == (
            sum(row[COUNT] for row in wanted),
            len({row[CONTENT] for row in wanted}),
        )


@few
@given(kept=records)
def test_what_is_redacted_is_nowhere_in_the_file_and_no_count_is_lost(
    folder: Path, kept: list[Record]
) -> None:
    """Not in the bytes either; ids, times and counts stay; each content has the hash of what it says."""
    with Made(folder, kept) as made:
        manifest = taken(made.db, made.file, "ips", "hosts", "secrets")
        assert manifest is not None
        data = made.file.read_bytes() + made.file.with_name("part.db.json").read_bytes()
        data = data.lower()
        known = {record.source.split("/")[0].split(".example")[0] for record in kept}
        for word in (*known, "172.20.", "fe80:", "192.168.", SECRET):
            for form in (word.encode(), word.encode("utf-16-le"), word.encode("utf-16-be")):
                assert form.lower() not in data, word
        same = (
            "SELECT id, first_us, last_us, count, gap_min_ms, gap_max_ms, continues FROM episode ORDER BY id"
        )
        assert rows(made.file, same) == rows(made.db, same)
        assert rows(made.file, "SELECT sum(count), sum(episodes) FROM log") == [
            (len(kept), len(rows(made.db, same)))
        ]
        for stored, *said in rows(made.file, "SELECT hash, source, level_name, message FROM content"):
            assert stored == hashlib.sha256("\x1f".join(said).encode()).digest()


@few
@given(kept=records)
def test_pseudonyms_are_the_same_in_every_snapshot(folder: Path, kept: list[Record]) -> None:
    """Whatever part of the store is in it; two hosts never get one name."""
    said = "SELECT id, source, message FROM content ORDER BY id"
    with Made(folder, kept) as made:
        taken(made.db, made.file, "hosts", "ips")
        real = {number: source.split("/")[0] for number, source, _ in rows(made.db, said)}
        known = {number: (source, message) for number, source, message in rows(made.file, said)}
        hosts = {real[number]: source.split("/")[0] for number, (source, _) in known.items()}
        assert len(set(hosts.values())) == len(hosts)
        part = made.folder / "one.db"
        taken(made.db, part, "hosts", "ips", source=kept[-1].source)
        for number, source, message in rows(part, said):
            assert known[number] == (source, message)


def test_contents_that_become_one_keep_the_episode_received_last_open(
    store: LogStore, tmp_path: Path
) -> None:
    """The other goes into the archive as evicted; both keep their ids."""
    for word in ("one1one1", "two2two2", "one1one1"):
        store.log(f"login password={word}", source="a/b")
    store.log("login password=three3three", source="a/b")
    file = tmp_path / "part.db"
    manifest = taken(store.path, file, "secrets")
    assert manifest is not None
    assert (manifest.contents, manifest.records, manifest.open_episodes) == (1, 4, 1)
    found = rows(file, "SELECT id, state, count, reason FROM episode ORDER BY id")
    assert found == [(1, "closed", 2, "evicted"), (2, "closed", 1, "evicted"), (3, "open", 1, None)]
    assert rows(file, "SELECT open_count FROM store") == [(1,)]
    assert rows(file, "SELECT count, episodes FROM log") == [(4, 3)]


def test_numbers_behind_masks_are_redacted_too(path: Path, tmp_path: Path) -> None:
    """Their raw text; the numbers stay."""
    with LogStore(path, masks="cluster") as store:
        store.log(
            "p_alfa1 start (call 33, PID 391) exited with status 0 (execution time 76ms)", source="alfa1/x"
        )
        store.log(
            "p_alfa1 start (call 34, PID 392) exited with status 0 (execution time 99ms)", source="alfa1/x"
        )
        ((before,),) = rows(path, "SELECT numbers FROM queue")
    file = tmp_path / "part.db"
    taken(path, file, "ips", "hosts")
    ((numbers,),) = rows(file, "SELECT numbers FROM queue")
    assert "p_host-1 start" in numbers
    assert json.loads(numbers) == json.loads(before.replace("alfa1", "host-1"))
    assert b"alfa1" not in file.read_bytes()


def test_attributes_are_redacted_at_any_depth(store: LogStore, tmp_path: Path) -> None:
    """Keys and values; what is not changed keeps its form."""
    deep: Any = "alfa1"
    for _ in range(300):
        deep = [deep]
    store.log(
        "x",
        source="alfa1/x",
        attributes={"alfa1": ["\\alfa1\\", {"n": 1.50, "a\nb": "\ud800 alfa1"}], "d": deep},
    )
    file = tmp_path / "part.db"
    taken(store.path, file, "hosts", "secrets")
    ((text,),) = rows(file, "SELECT first_attributes FROM queue")
    found = json.loads(text)
    assert found.pop("d")
    assert found == {"host-1": ["\\host-1\\", {"n": 1.5, "a\nb": "\ud800 host-1"}]}
    assert b"alfa1" not in file.read_bytes()


def test_a_message_that_grows_beyond_its_limit_is_cut(store: LogStore, tmp_path: Path) -> None:
    store.log("a " * 1_000_000, source="a/x")
    taken(store.path, tmp_path / "part.db", "hosts")
    assert rows(tmp_path / "part.db", "SELECT length(message) FROM content") == [(2 * 1024 * 1024,)]


# -- the file ----------------------------------------------------------------------------------------


def test_the_file_is_read_only_and_reads_anywhere(cli: Cli, shell: Shell, forked: Forked) -> None:
    """By the program and by the stock shell, as another user, in a folder where nobody writes."""
    cli.have("vip is up")
    done = cli.ok("snapshot", "part.db")
    assert done.out == f"{hashlib.sha256((cli.folder / 'part.db').read_bytes()).hexdigest()}  part.db\n"
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        file = place / "part.db"
        shutil.copy(cli.folder / "part.db", file)
        assert (cli.folder / "part.db").stat().st_mode & 0o777 == 0o440
        file.chmod(0o444)
        place.chmod(0o555)
        assert file.read_bytes()[18:20] == b"\x01\x01"  # no write-ahead log
        said = shell(
            file, "PRAGMA integrity_check; SELECT message FROM log; SELECT message FROM episode;", "-readonly"
        )
        assert said.stdout.split("\n")[:3] == ["ok", "vip is up", "vip is up"]
        if os.getuid() == 0:
            assert forked(lambda: [e.message for e in LogStore(file, readonly=True).episodes()], 65534) == (
                "['vip is up']"
            )
            nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
            command = ["sqlite3", "-readonly", str(file), "SELECT count FROM log"]
            assert subprocess.run([*nobody, *command], capture_output=True, check=False).stdout == b"1\n"
        assert names(place) == ["part.db"]
    finally:
        place.chmod(0o755)
        shutil.rmtree(place)


def test_the_manifest_says_what_is_in_it(cli: Cli) -> None:
    with LogStore(cli.db) as store:
        store.log("up", source="alfa1/x", timestamp_us=1_000 * SECOND)
        store.log("up", source="alfa1/x", timestamp_us=1_010 * SECOND)
    done = cli.ok("snapshot", "part.db", "-S", "@900", "-U", "@2000", "-s", "alfa*", "--redact", "hosts,ips")
    found = json.loads((cli.folder / "part.db.json").read_text())
    assert re.fullmatch(r"[0-9a-f]{64}", found.pop("sha256"))
    assert found.pop("bytes") == (cli.folder / "part.db").stat().st_size
    assert found.pop("store_id") == rows(cli.db, "SELECT store_id FROM store")[0][0]
    assert {"logstore", "format", "made_at"} <= found.keys()
    for name in ("logstore", "format", "made_at"):
        del found[name]
    assert found == {
        "file": "part.db",
        "since": "1970-01-01T00:15:00.000000Z",
        "until": "1970-01-01T00:33:20.000000Z",
        "source": "<redacted>",
        "redacted": ["hosts", "ips"],
        "contents": 1,
        "open_episodes": 1,
        "closed_episodes": 0,
        "records": 2,
        "first_seen": "1970-01-01T00:16:40.000000Z",
        "last_seen": "1970-01-01T00:16:50.000000Z",
    }
    assert "2 records in 1 content" in done.err


def test_a_snapshot_reaches_no_further_back_than_it_was_cut(cli: Cli) -> None:
    """Exit 3 says that it can't know; of one that was not cut, 1 says that there was nothing."""
    with LogStore(cli.db) as store:
        for second in (1000, 2000, 3000):
            store.log("up", source="a/x", timestamp_us=second * SECOND)
    cli.ok("snapshot", "cut.db", "-S", "@2500")
    cli.ok("snapshot", "all.db", "-S", "@500")
    ask = ("query", "down", "-S")
    assert cli(*ask, "@2400", db=cli.folder / "cut.db").code == 3
    assert cli(*ask, "@2600", db=cli.folder / "cut.db").code == 1
    assert cli(*ask, "@1500", db=cli.folder / "all.db").code == 1
    assert cli("query", "down", db=cli.folder / "all.db").code == 1


def test_rules_formats_checkpoints_and_tokens_stay_at_home(cli: Cli) -> None:
    """They name paths and patterns; with the store's set of rules gone, reading goes on."""
    cli.write("secret-place.log", "Nov 22 00:19:47 n1 app[1]: up\n")
    with LogStore(cli.db, masks="cluster") as store:
        store.log_many([Record("x")], token=("writer", 1))
    cli.ok("ingest", "secret-place.log")
    cli.ok("snapshot", "part.db")
    file = cli.folder / "part.db"
    for table in ("rule_set", "rule", "line_format", "ledger", "checkpoint", "cursor"):
        assert rows(file, f"SELECT count(*) FROM {table}") == [(0,)]
    assert b"secret-place" not in file.read_bytes()
    for command in (("query",), ("stats",), ("config",), ("show", "c1")):
        assert cli(*command, db=file).code == 0


def test_it_never_waits_for_writers_nor_they_for_it(cli: Cli) -> None:
    """A write lock is held from before to after; the snapshot is of what was committed."""
    cli.have("first")
    with LogStore(cli.db) as store, store._writing().transaction():
        cli.ok("snapshot", "part.db")
        store._writing().rows("UPDATE store SET pruned = 0")


# -- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("taken.db",), ("taken.db: is there already",)),
        (("noted.db",), ("noted.db.json: is there already",)),
        (("log.db",), ("the store itself",)),
        (("nowhere/part.db",), ("the folder", "nowhere is not there")),
        (("part.db", "--redact", "ips,users"), ("ips, hosts, secrets", "'users'")),
        (("part.db", "--redact", ""), ("ips, hosts, secrets",)),
        (("part.db", "-S", "10/11/2026"), ("cannot read the time",)),
        (("part.db", "-S", "1h", "-U", "2h"), ("turn them round",)),
    ],
)
def test_what_cannot_be_is_said_plainly_and_nothing_is_left(
    cli: Cli, arguments: tuple[str, ...], said: tuple[str, ...]
) -> None:
    cli.have("up")
    cli.write("taken.db", "mine")
    cli.write("noted.db.json", "mine")
    before = names(cli.folder)
    assert cli("snapshot", *arguments).is_refusal(*said)
    assert names(cli.folder) == before
    assert (cli.folder / "taken.db").read_text() == "mine"


def test_nothing_to_show_is_exit_1_and_no_store_exit_2(cli: Cli) -> None:
    assert cli("snapshot", "part.db").is_refusal("no store")
    cli.have("up")
    assert cli("snapshot", "part.db", "-s", "nobody").is_refusal("nothing matches", code=1)
    assert not (cli.folder / "part.db").exists()


def test_a_folder_without_the_right_to_write(cli: Cli) -> None:
    cli.have("up")
    place = cli.folder / "closed"
    place.mkdir(mode=0o555)
    no_powers = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    assert cli("snapshot", "closed/part.db", through=no_powers).is_refusal("cannot be written", "closed")


def test_a_full_disk_leaves_nothing(cli: Cli, small_disk: Path) -> None:
    with LogStore(cli.db) as store:
        store.log_many(Record(f"{number} {'x' * 2000}") for number in range(1000))
    done = cli("snapshot", small_disk / "part.db")
    assert done.is_refusal("part.db: no space is left")
    assert names(small_disk) == []


def test_a_snapshot_that_is_not_what_was_read_is_thrown_away(
    store: LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.log("up")
    before = names(tmp_path)
    copy = Copying.into

    def lossy(*given: Any) -> Copied:
        copied = copy(*given)
        return replace(copied, records=copied.records + 1)

    monkeypatch.setattr(Copying, "into", lossy)
    with pytest.raises(StoreDamaged, match="not what was read"):
        taken(store.path, tmp_path / "part.db")
    assert names(tmp_path) == before


def test_a_disk_without_hard_links_will_do(
    store: LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A USB stick, and still nothing is replaced."""

    def refused(*_names: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    store.log("up")
    assert taken(store.path, tmp_path / "part.db") is not None
    assert rows(tmp_path / "part.db", "SELECT message FROM log") == [("up",)]
    with pytest.raises(StoreUnavailable, match="is there already"):
        taken(store.path, tmp_path / "part.db")


@pytest.mark.parametrize("seconds", [0.25, 0.45, 0.7, 1.0])
def test_a_kill_leaves_no_half_snapshot(cli: Cli, seconds: float) -> None:
    """Under the final name there is nothing, or all of it."""
    with LogStore(cli.db, durability="normal") as store:
        store.log_many(Record(f"{number} {'x' * 100}") for number in range(20_000))
    process = cli.start("snapshot", "part.db")
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    file = cli.folder / "part.db"
    if process.returncode == -signal.SIGKILL and not file.exists():
        cli.ok("snapshot", "again.db")
        file = cli.folder / "again.db"
    assert rows(file, "SELECT count(*) FROM episode") == [(20_000,)]
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]


def test_the_checksum_line_is_what_sha256sum_reads(cli: Cli) -> None:
    cli.have("up")
    done = cli.shell(f"{PROGRAM} --db {cli.db} snapshot part.db 2>/dev/null | sha256sum -c")
    assert done.out == "part.db: OK\n"
