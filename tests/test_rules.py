"""Sets of rules in the file: which records get them, what they keep and scrub, how an old file gets them."""

import contextlib
import hashlib
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import apsw
import pytest
from conftest import Shell
from model import NOW_US, Clock

from logstore import LogStore, Record, errors
from logstore.checkpoint import Checkpoint
from logstore.masks import Rule, RuleSet, preset
from logstore.sources.files import Reading
from logstore.sources.inputs import open_input

S_US = 1_000_000
MARK = "Zq7xMARKERw9"
EXITED = "p_dummy1 monitor (call {call}, PID {pid}) exited with status {status} (execution time {ms}ms)"
OLD_SCHEMA = (Path(__file__).parent / "data" / "upgrade" / "schema_1000.sql").read_text(encoding="utf-8")


def exited(pid: int, status: int = 0, ms: int = 5, call: int = 24) -> str:
    return EXITED.format(call=call, pid=pid, status=status, ms=ms)


def asked(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(path))
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


def digits(name: str, placeholder: str = "<n>") -> RuleSet:
    """A set that hides every number after `job `."""
    return RuleSet(name, "masks", (Rule("job", r"job (?P<hide>\d+)", placeholder, "job 5", "job x"),))


def messages(store: LogStore) -> list[tuple[str, int]]:
    return [(each.message, each.count) for each in store.episodes(order="first")]


# -- the set that a file is made with ------------------------------------------------------------------


def test_a_set_named_at_creation_is_kept_in_the_file(path: Path) -> None:
    LogStore(path, masks="cluster").close()
    with LogStore(path, readonly=True) as store:
        assert store.settings.masks == "cluster"
        assert store.rule_sets() == {"cluster": preset("cluster")}


def test_a_store_is_exact_unless_a_set_is_named(store: LogStore) -> None:
    assert (store.settings.masks, store.settings.redact, store.rule_sets()) == ("none", "none", {})
    store.log_many([Record(exited(1)), Record(exited(2))])
    assert len(messages(store)) == 2


@pytest.mark.parametrize("batched", [True, False], ids=["log_many", "log"])
def test_volatile_numbers_fold_and_an_exit_status_stays_apart(
    path: Path, clock: Clock, batched: bool
) -> None:
    texts = [exited(3314), exited(3319, ms=9), exited(3350, status=7), exited(4001, ms=120, call=31)]
    records = [
        Record(text, source="a/execd", timestamp_us=NOW_US + order * S_US) for order, text in enumerate(texts)
    ]
    with LogStore(path, masks="cluster", clock_us=clock) as store:
        if batched:
            store.log_many(records)
        else:
            counts = [store.log(each[0], source=each[2], timestamp_us=each[3]) for each in records]
            assert counts == [1, 2, 1, 3]
        good, bad = store.episodes(order="first")
    assert (good.count, good.first_text, good.last_text) == (3, texts[0], texts[3])
    assert (bad.count, bad.first_text, bad.last_text) == (1, texts[2], texts[2])
    assert "exited with status 0" in good.message
    assert "exited with status 7" in bad.message
    assert "3314" not in good.message
    assert asked(path, "SELECT count(*) FROM content") == [(2,)]


def test_the_masks_of_an_existing_file_win_with_a_warning(path: Path) -> None:
    LogStore(path, masks="cluster").close()
    warned = r"masks=network is ignored.*masks = cluster.*config set masks"
    with pytest.warns(UserWarning, match=warned):
        store = LogStore(path, masks="network")
    with store:
        assert store.settings.masks == "cluster"
        assert set(store.rule_sets()) == {"cluster"}


def test_redact_of_an_existing_file_wins_with_a_warning(path: Path) -> None:
    LogStore(path).close()
    with pytest.warns(UserWarning, match="redact=secrets is ignored"):
        store = LogStore(path, redact="secrets")
    with store:
        assert store.settings.redact == "none"


def test_naming_the_stored_set_again_warns_of_nothing(path: Path) -> None:
    LogStore(path, masks="cluster", redact="secrets").close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LogStore(path, masks="cluster", redact="secrets").close()


@pytest.mark.parametrize(
    "options", [{"masks": "no-such"}, {"redact": "no-such"}, {"masks": "secrets"}, {"redact": "cluster"}]
)
def test_an_unknown_set_or_one_of_the_other_kind_makes_no_file(path: Path, options: dict[str, str]) -> None:
    with pytest.raises(errors.InvalidSetting, match="config add"):
        LogStore(path, **options)  # type: ignore[arg-type]
    assert list(path.parent.iterdir()) == []


# -- changes through another object --------------------------------------------------------------------


@pytest.fixture
def other(path: Path, store: LogStore, clock: Clock) -> Iterator[LogStore]:
    """Another object on the file of `store`."""
    with LogStore(path, clock_us=clock, auto_sweep=False) as opened:
        yield opened


ROWS = "SELECT * FROM content ORDER BY id", "SELECT * FROM queue ORDER BY id"


def test_a_default_set_by_another_object_holds_for_the_next_record(
    path: Path, store: LogStore, other: LogStore
) -> None:
    store.log("job 1")
    before = [asked(path, each) for each in ROWS]
    other.save_rules(digits("mine"), trusted=True)
    other.configure(other.settings._replace(masks="mine"))
    assert [asked(path, each) for each in ROWS] == before

    assert store.log("job 2") == 1
    assert store.log("job 3") == 2
    assert store.log_many([Record("job 4")]) == 1
    assert messages(store) == [("job 1", 1), ("job <n>", 3)]
    assert [asked(path, each)[0] for each in ROWS] == [rows[0] for rows in before]

    other.configure(other.settings._replace(masks="none"))
    assert store.log("job 5") == 1
    assert messages(store) == [("job 1", 1), ("job <n>", 3), ("job 5", 1)]


def test_rules_changed_by_another_object_hold_for_the_next_record(
    path: Path, store: LogStore, other: LogStore
) -> None:
    store.save_rules(digits("mine"), trusted=True)
    store.configure(store.settings._replace(masks="mine"))
    store.log_many([Record("job 1"), Record("job 2")])
    before = [asked(path, each) for each in ROWS]

    other.save_rules(digits("mine", "<id>"), trusted=True)
    assert [asked(path, each) for each in ROWS] == before
    assert store.log("job 3") == 1
    assert messages(store) == [("job <n>", 2), ("job <id>", 1)]
    assert [asked(path, each)[0] for each in ROWS] == [rows[0] for rows in before]


def test_redaction_set_by_another_object_holds_for_the_next_record(store: LogStore, other: LogStore) -> None:
    store.log("password=hunter22")
    other.configure(other.settings._replace(redact="secrets"))
    store.log("password=hunter22")
    assert len(messages(store)) == 2
    assert "hunter22" not in messages(store)[1][0]


def test_a_set_added_by_another_object_can_be_used_at_once(store: LogStore, other: LogStore) -> None:
    records = [Record("job 1"), Record("job 2")]
    with pytest.raises(errors.InvalidSetting, match="mine"):
        store.take(records, masks="mine")
    assert messages(store) == []
    other.save_rules(digits("mine"), trusted=True)
    taken = store.take(records, masks="mine")
    assert (taken.records, taken.contents, taken.episodes) == (2, 1, 1)
    assert messages(store) == [("job <n>", 2)]
    assert store.log("job 3") == 1  # the default is as it was


def test_a_set_keeps_its_kind(store: LogStore) -> None:
    store.save_rules(digits("mine"), trusted=True)
    with pytest.raises(errors.InvalidSetting, match="masks set"):
        store.save_rules(digits("mine")._replace(kind="redact"), trusted=True)
    assert store.rule_sets() == {"mine": digits("mine")}


def test_a_default_that_does_not_exist_changes_nothing(store: LogStore) -> None:
    before = store.settings
    with pytest.raises(errors.InvalidSetting, match="no-such"):
        store.configure(before._replace(masks="no-such", window_ms=1))
    assert store.settings == before


# -- secrets -------------------------------------------------------------------------------------------


def stored_bytes(path: Path) -> bytes:
    """All bytes of the store's files."""
    return b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*")))


SECRETS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "message": (f"login with password={MARK} failed", None),
    "url": (f"fetch https://user:{MARK}@node1/x", None),
    "attribute": ("login failed", {"password": MARK}),
    "text in an attribute": ("login failed", {"said": f"password={MARK}"}),
    "nested": ("login failed", {"request": {"user": {"password": MARK}}}),
    "list": ("login failed", {"said": ["a", f"password={MARK}", [{"password": MARK}]]}),
    "list under the key": ("login failed", {"password": ["", MARK]}),
    "part of a name": ("login failed", {"db_password": MARK}),
    "object under the key": ("login failed", {"password": {"old": MARK}}),
}


def inputs_checkpoint(context: str) -> Checkpoint:
    return Checkpoint(1, 2, 3, hashlib.sha256(b"x").digest(), 3, "/x.log", context)


def log_one(store: LogStore, record: Record) -> None:
    message, level, source, at_us, attributes = record
    store.log(message, level=level, source=source, timestamp_us=at_us, attributes=attributes)


WAYS: dict[str, Callable[[LogStore, Record], object]] = {
    "log": log_one,
    "log_many": lambda store, record: store.log_many([record, record]),
    "take": lambda store, record: store.take([record]),
    "log_input": lambda store, record: store.log_input(
        [record], inputs_checkpoint(json.dumps({"attributes": record.attributes})), after=None
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_byte_of_a_secret_reaches_the_files(path: Path, clock: Clock, way: str, secret: str) -> None:
    message, attributes = SECRETS[secret]
    with LogStore(path, redact="secrets", masks="cluster", clock_us=clock) as store:
        WAYS[way](store, Record(message, source="n/app", attributes=attributes))
        while_open = stored_bytes(path)
    assert b"n/app" in while_open
    assert MARK.encode() not in while_open
    assert MARK.encode() not in stored_bytes(path)


def test_redaction_by_name_holds_for_one_batch(path: Path, store: LogStore) -> None:
    store.use_rules("secrets", "redact")
    store.take([Record(f"password={MARK}", attributes={"password": MARK})], redact="secrets")
    assert MARK.encode() not in stored_bytes(path)
    store.take([Record("password=else")])
    assert [message for message, _ in messages(store)][1] == "password=else"


def test_an_ingested_file_leaves_no_secret_in_its_checkpoint(tmp_path: Path, path: Path) -> None:
    log = tmp_path / "in.json"
    line = {"time": "2026-05-15T18:19:32Z", "level": "info", "password": MARK, "in": {"password": [MARK]}}
    log.write_text(
        "".join(json.dumps({**line, "msg": f"n {n}: password={MARK}"}) + "\n" for n in range(3)),
        encoding="utf-8",
    )
    with LogStore(path, redact="secrets") as store:
        after = None
        with open_input(str(log), sys.stdin.buffer) as source:
            reading = Reading(source, tz=UTC, now_us=NOW_US * 2, this_host="n1")
            with contextlib.closing(reading):
                for batch in reading:
                    assert batch.checkpoint is not None
                    store.log_input(batch.records, batch.checkpoint, after=after)
                    after = batch.checkpoint
        ((context,),) = asked(path, "SELECT context FROM checkpoint")
        assert sum(count for _, count in messages(store)) == 3
        assert MARK not in context
        assert json.loads(context)
        assert MARK.encode() not in stored_bytes(path)


def test_a_file_that_was_only_seen_has_a_checkpoint_under_redaction(store: LogStore) -> None:
    """What a follower notes at first sight has no context yet."""
    store.use_rules("secrets", "redact")
    assert store.log_input([], inputs_checkpoint(""), after=None, redact="secrets").records == 0


# -- the raw texts -------------------------------------------------------------------------------------

FIRST_AND_LAST = "SELECT first_text, last_text FROM episode ORDER BY id;"


@pytest.mark.parametrize(
    "texts",
    [
        ["job 1"],
        ["job 1", "job 1"],
        ["job 1", "job 2"],
        ["job 1", "job 2", "job 1"],
        ["job <n>"],
        ["job <n>", "job 2"],
        ["job 1", "job <n>"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("batched", [True, False], ids=["batch", "single"])
@pytest.mark.parametrize("state", ["open", "closed"])
def test_first_and_last_text_are_right_in_the_stock_shell(  # noqa: PLR0917
    path: Path, store: LogStore, clock: Clock, shell: Shell, texts: list[str], batched: bool, state: str
) -> None:
    store.save_rules(digits("mine"), trusted=True)
    store.configure(store.settings._replace(masks="mine"))
    records = [Record(text, timestamp_us=NOW_US + order) for order, text in enumerate(texts)]
    for batch in [records] if batched else [[record] for record in records]:
        store.log_many(batch)
    if state == "closed":
        clock.forward(s=10_000)
        assert store.sweep() == 1
    done = shell(path, FIRST_AND_LAST, "-readonly")
    assert (done.stdout, done.stderr) == (f"{texts[0]}|{texts[-1]}\n", "")
    (episode,) = store.episodes()
    assert (episode.state, episode.first_text, episode.last_text) == (state, texts[0], texts[-1])


def test_the_first_text_is_stored_once_where_the_last_is_the_same(path: Path, store: LogStore) -> None:
    store.save_rules(digits("mine"), trusted=True)
    store.configure(store.settings._replace(masks="mine"))
    store.log("job 1")
    assert asked(path, "SELECT first_text, last_text FROM queue") == [("job 1", None)]


# -- a file of the format before -----------------------------------------------------------------------


@pytest.fixture
def old(path: Path) -> Path:
    """A file of format 1000: an open and a closed episode, a run in two parts, a checkpoint, a token."""
    rows = [("n/a", 6, "vip is up"), ("n/b", 4, "redis died")]
    names = {6: "info", 4: "warning"}
    contents = [
        (hashlib.sha256(f"{source}\x1f{names[level]}\x1f{text}".encode()).digest(), source, level, text)
        for source, level, text in rows
    ]
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL")
    connection.execute(OLD_SCHEMA)
    connection.execute("INSERT INTO settings VALUES (1, 5000, 9000, 70)")
    connection.execute(
        "INSERT INTO store (one, store_id, host, created_us, next_id, open_count, longest_us, swept_us)"
        " VALUES (1, 'the-old-one', 'node1', 500, 4, 1, 2000000, 600)"
    )
    connection.executemany("INSERT INTO content (hash, source, level, message) VALUES (?, ?, ?, ?)", contents)
    connection.executemany(
        "INSERT INTO archive (id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms,"
        " gap_max_ms, first_text, last_text, first_attributes, last_attributes, reason)"
        " VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, NULL, ?, ?, NULL, 'gap')",
        [
            (1, 1, 1, 1_000_000, 3_000_000, 3, 1000, 1000, None, '{"pid":7}'),
            (2, 2, 2, 2_000_000, 2_000_000, 1, None, None, "redis died raw", None),
        ],
    )
    connection.execute(
        "INSERT INTO queue VALUES (1, ?, 3, 3, NULL, 0, 9000000, 9500000, 2, 500, 500, NULL, NULL,"
        " '{\"pid\":1}', '{\"pid\":2}', 9500000, 1)",
        (contents[0][0],),
    )
    connection.execute("INSERT INTO ledger VALUES ('node1', 42)")
    connection.execute(
        "INSERT INTO checkpoint VALUES (5, 6, 3, ?, 1234, '/var/log/x.log', '{}')", (b"h" * 32,)
    )
    connection.close()
    return path


OLD_TABLES = ("settings", "store", "content", "queue", "archive", "total", "ledger", "checkpoint")


def named_rows(path: Path, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
    return asked(path, f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2")


def columns_of(path: Path, table: str) -> list[str]:
    return [name for (name,) in asked(path, f"SELECT name FROM pragma_table_xinfo('{table}') ORDER BY cid")]


def everything(path: Path, columns: dict[str, list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    return {table: named_rows(path, table, names) for table, names in columns.items()}


@pytest.mark.parametrize("readonly", [True, False])
def test_an_older_file_is_refused_and_left_as_it_is(old: Path, readonly: bool) -> None:
    columns = {table: columns_of(old, table) for table in OLD_TABLES}
    before = everything(old, columns)
    with pytest.raises(errors.VersionMismatch, match=rf"{re.escape(str(old))}.*1\.0\b.*upgrade"):
        LogStore(old, readonly=readonly)
    assert everything(old, columns) == before
    assert asked(old, "PRAGMA user_version") == [(1000,)]


def test_an_upgrade_keeps_every_row_and_masks_nothing(old: Path) -> None:
    columns = {table: columns_of(old, table) for table in OLD_TABLES}
    for table in ("queue", "archive"):
        columns[table].remove("last_attributes")  # kept in another way since, and shown by the view as before
    before = everything(old, columns)
    seen = asked(old, "SELECT * FROM episode ORDER BY id")
    with LogStore(old, upgrade=True, auto_sweep=False) as store:
        assert (store.settings.masks, store.settings.redact, store.rule_sets()) == ("none", "none", {})
        checkpoint = store.checkpoint(5, 6)
        assert checkpoint is not None
        assert (checkpoint.offset, checkpoint.masks) == (1234, "none")
        assert [each.id for each in store.episodes(order="first")] == [1, 2, 3]
    assert everything(old, columns) == before
    assert asked(old, "PRAGMA integrity_check") == [("ok",)]
    assert asked(old, "PRAGMA foreign_key_check") == []
    first, second, third = asked(old, "SELECT * FROM episode ORDER BY id")
    assert [first, third] == [seen[0], seen[2]]
    assert second == seen[1]


def test_an_upgraded_file_has_the_shape_of_a_fresh_one(old: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.db"
    LogStore(fresh).close()
    LogStore(old, upgrade=True).close()
    names = "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2"
    assert asked(old, names) == asked(fresh, names)
    for kind, name, _ in asked(fresh, names):
        if kind in {"table", "view"}:
            shape = f"SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo('{name}') ORDER BY 1"
            assert asked(old, shape) == asked(fresh, shape), name
            assert columns_of(old, name) == columns_of(fresh, name), name
    version = "SELECT user_version, application_id FROM pragma_user_version, pragma_application_id"
    assert asked(old, version) == asked(fresh, version)


def test_triggers_and_views_of_an_upgraded_file_say_the_same(old: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.db"
    LogStore(fresh).close()
    LogStore(old, upgrade=True).close()
    texts = "SELECT name, sql FROM sqlite_schema WHERE type IN ('trigger', 'view', 'index') ORDER BY 1"

    def plain(path: Path) -> dict[str, str]:
        return {
            name: re.sub(r"\s+", " ", re.sub(r"--[^\n]*", "", sql or "")) for name, sql in asked(path, texts)
        }

    assert plain(old) == plain(fresh)


def test_an_upgraded_file_goes_on_logging_and_merging(old: Path) -> None:
    with LogStore(old, upgrade=True, auto_sweep=False, clock_us=Clock(12_000_000)) as store:
        assert store.log("vip is up", source="n/a", timestamp_us=10_000_000) == 3
        assert store.log("redis died", source="n/b", level="warning", timestamp_us=10_000_000) == 1
        assert [each.id for each in store.episodes(order="first")] == [1, 2, 3, 4]
        assert asked(old, "SELECT count(*) FROM content") == [(2,)]
        assert store.last_sequence("node1") == 42
        store.configure(store.settings._replace(masks="cluster"))
        assert store.log(exited(3314), timestamp_us=11_000_000) == 1
        assert store.log(exited(3315), timestamp_us=11_000_000) == 2
        assert store.sweep(now_us=NOW_US) == 3
    LogStore(old).close()


@pytest.mark.parametrize("pattern", ["(a+)+$", r"(\w+\s?)+$", "^(a|aa)+$"])
def test_a_mask_that_never_ends_on_a_near_miss_is_refused(store: LogStore, pattern: str) -> None:
    rule = Rule("all", pattern, "<x>", "aaa", "!", "")
    with pytest.raises(errors.InvalidSetting, match="slow"):
        store.save_rules(RuleSet("mine", "masks", (rule,)))
    assert "mine" not in store.rule_sets()
