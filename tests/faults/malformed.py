"""Files that are broken, files that are none, and records that no program should log.

A store in a damaged file answers as it was, or says in one of its own errors which file it is and what to
do next. Nothing crashes, hangs, or raises anything else: each batch of cases runs in a child, so a signal is
seen. What a flipped bit changes without any error is counted: only a proof of the archive could tell.
"""

import contextlib
import gzip
import json
import math
import os
import random
import re
import shutil
import signal
import socket
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw
from campaign import Campaign, Tell, silent
from history import Broken
from model import NOW_US, Clock
from processes import Child, ChildFailed, expect, folder, in_child, shared, told

from logstore import Episode, LogStore, LogStoreError, Record, errors
from logstore.database import VERSION
from logstore.filters import Order
from logstore.identity import MAX_MESSAGE_BYTES
from logstore.record import TIME_END_US, severity

CHILDREN: Final = 2
BATCH: Final = 50
BATCH_S: Final = 60
Truths = dict[str, list[Episode]]
ORDERS: Final[tuple[Order, ...]] = ("first", "count")
KINDS: Final = ("closed", "live")

NEXT_STEP: Final = re.compile(
    r"(try|name|restore|check|free|install|run|use|open|write|get|ask|send|create|move|set|split|narrow|look|"
    r"let|pass|be|put|see|is sent) "
)
"""How an error goes on after what it has to say: with a verb."""


# -- files ---------------------------------------------------------------------------------------------


def damaged_files(rounds: int, seed: int, tell: Tell = silent) -> Counter[str]:
    """Damage a store in so many ways, one at a time, and use it. Returns how often it ended in what."""
    figures: Counter[str] = Counter()
    with folder() as place:
        _originals(place)
        truths = {kind: in_child(partial(_truth, place, kind)) for kind in KINDS}
        for first in range(0, rounds, BATCH * CHILDREN):
            last = min(first + BATCH * CHILDREN, rounds)
            figures += _batches(place, truths, seed, range(first, last))
            figures["cases"] = last
            tell(last)
    return figures


def _batches(place: Path, truths: Truths, seed: int, cases: range) -> Counter[str]:
    """Share cases among children."""
    figures: Counter[str] = Counter()
    at = shared(CHILDREN)
    children = []
    for share in range(CHILDREN):
        work = place / f"work-{share}"
        mine = cases[share::CHILDREN]
        children.append(
            Child(partial(_batch, work, truths, seed, mine, partial(at.__setitem__, share)), seconds=BATCH_S)
        )
    try:
        for share, child in enumerate(children):
            try:
                figures += child.answer()
            except ChildFailed as failed:
                raise Broken(f"case {at[share]}: {failed}") from failed
    finally:
        for child in children:
            child.__exit__()
    return figures


def _batch(work: Path, truths: Truths, seed: int, cases: range, note: Callable[[int], None]) -> Counter[str]:
    warnings.simplefilter("ignore")
    figures: Counter[str] = Counter()
    for number in cases:
        note(number)
        figures += _one_damaged_file(work, truths, seed, number)
    return figures


def _one_damaged_file(work: Path, truths: Truths, seed: int, number: int) -> Counter[str]:
    """Do one case, which its number and the seed tell wholly."""
    chance = random.Random(f"{seed}/{number}")
    kind = chance.choice(KINDS)
    _copy(work.parent / kind, work)
    file = chance.choice(sorted(work.iterdir()))
    name = chance.choice(tuple(DAMAGES))
    while_open = file.suffix != ".db-shm" and chance.random() < 0.2  # that is mapped: a SIGBUS
    damage = partial(_damage, file, name, chance)
    try:
        if while_open:
            return Counter(_use_while_open(work / "log.db", damage))
        damage()
        return Counter(use(work / "log.db", truths[kind]))
    except Exception as error:
        when = "while open" if while_open else "before"
        raise Broken(f"{name} in {kind}/{file.name} {when}: {type(error).__name__}: {error}") from error


def _damage(file: Path, name: str, chance: random.Random) -> None:
    """Change a file in place, as a failing disk does."""
    data = DAMAGES[name](bytearray(file.read_bytes()), chance)
    with file.open("r+b") as written:
        written.write(data)
        written.truncate(len(data))


def _use_while_open(path: Path, damage: Callable[[], None]) -> list[str]:
    """Damage a store that is open, and use it on, then open it again."""
    said = []
    with contextlib.suppress(LogStoreError), LogStore(path, clock_us=Clock(NOW_US), busy_timeout=1) as store:
        damage()
        said = [_outcome(path, "on while open", partial(write, store)) for write in WRITES]
        said.append(_outcome(path, "read while open", lambda: list(store.episodes())))
    return [*said, _outcome(path, "opened again", lambda: _ask(path))]


def _truth(place: Path, kind: str) -> list[Episode]:
    _copy(place / kind, place / "truth")
    return _read(place / "truth" / "log.db")


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*-reserve"))


def _originals(place: Path) -> None:
    """Make a store at rest, and one whose last process died."""
    for kind in KINDS:
        (place / kind).mkdir()
        with Child(partial(fill, place / kind / "log.db", leave=kind == "live")) as child:
            child.end()


def fill(path: Path, *, leave: bool) -> None:
    """Make a store of a hundred episodes; `leave` it as a kill does, with a part of it in its log."""
    clock = Clock(NOW_US)
    store = LogStore(path, clock_us=clock, masks="cluster", max_span=300.0, auto_sweep=False)
    for turn in range(4):
        clock.forward(s=200)
        store.log_many(_records(turn), token=("w", turn + 1))
        store.sweep()
        if turn == 1 and leave:
            store.close()
            store = LogStore(path, clock_us=clock, auto_sweep=False)
    if leave:
        os.kill(os.getpid(), signal.SIGKILL)
    store.close()


def _records(turn: int) -> list[Record]:
    return [
        Record(
            f"vip 10.0.0.{number % 17} of {'é€' * (1_000 if number % 20 == 0 else 7)} took {number} ms",
            "warning",
            f"node{number % 3}/vip",
            attributes={"pid": number} if number % 5 == 0 else None,
        )
        for number in range(15 * turn, 15 * turn + 25)
    ]


def _flip(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 1, 2, 8))):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _flip_header(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 1, 3))):
        if data:
            data[chance.randrange(min(len(data), 136))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(data)


def _flip_page_header(data: bytearray, chance: random.Random) -> bytes:
    at = 4096 * chance.randrange(max(len(data) // 4096, 1)) + chance.randrange(40)
    if at < len(data):
        data[at] = chance.randrange(256)
    return bytes(data)


def _garbage_sector(data: bytearray, chance: random.Random) -> bytes:
    size = chance.choice((16, 512, 4096))
    at = size * chance.randrange(max(len(data) // size, 1))
    data[at : at + size] = chance.choice((chance.randbytes(size), bytes(size), b"\xff" * size))
    return bytes(data)


def _swap_pages(data: bytearray, chance: random.Random) -> bytes:
    pages = max(len(data) // 4096, 1)
    one, other = (4096 * chance.randrange(pages) for _ in range(2))
    data[one : one + 4096], data[other : other + 4096] = data[other : other + 4096], data[one : one + 4096]
    return bytes(data)


def _cut(data: bytearray, chance: random.Random) -> bytes:
    unit = chance.choice((1, 512, 4096))
    return bytes(data[: unit * chance.randrange(len(data) // unit + 1)])


def _lengthen(data: bytearray, chance: random.Random) -> bytes:
    size = chance.choice((1, 100, 4096, 40_000))
    return bytes(data) + chance.choice((bytes(size), chance.randbytes(size)))


def _replace(data: bytearray, chance: random.Random) -> bytes:
    size = chance.choice((0, 1, 99, 511, 512, 4096, 30_000))
    return chance.choice((bytes(size), chance.randbytes(size), b"SQLite format 3\0" + chance.randbytes(size)))


DAMAGES: Final[Mapping[str, Callable[[bytearray, random.Random], bytes]]] = {
    "flipped bits": _flip,
    "another header": _flip_header,
    "another header of a page": _flip_page_header,
    "a garbage sector": _garbage_sector,
    "two pages in each other's place": _swap_pages,
    "a cut": _cut,
    "a longer file": _lengthen,
    "another file": _replace,
}


# -- the use of one ------------------------------------------------------------------------------------


def use(path: Path, truth: list[Episode]) -> list[str]:
    """Read, write and read a store again. Returns what each came to; raises Broken for an error not ours."""
    return [
        _outcome(path, "read", lambda: "exact" if _read(path) == truth else "changed without an error"),
        _outcome(path, "written", lambda: _write(path)),
        _outcome(path, "read again", lambda: _ask(path)),
    ]


def _outcome(path: Path, name: str, call: Callable[[], object]) -> str:
    try:
        found = call()
    except LogStoreError as error:
        check_words(error, path)
        found = type(error).__name__
    return f"{name}: {found if isinstance(found, str) else 'done'}"


def check_words(error: LogStoreError, path: Path) -> None:
    """Raise Broken unless an error names the file and, after that, what to do next."""
    said = str(error)
    _, name, after = said.partition(str(path))
    expect(name and NEXT_STEP.search(after), f"the file and a next step in {type(error).__name__}: {said}")


def _read(path: Path) -> list[Episode]:
    with LogStore(path, readonly=True, busy_timeout=1) as store:
        return list(store.episodes())


def _ask(path: Path) -> None:
    """All that is read in other ways."""
    with LogStore(path, readonly=True, busy_timeout=1) as store:
        for order in ORDERS:
            list(store.episodes(order=order, level="warning", source="node1", pattern="vip"))
        store.rule_sets()
        store.line_formats()
        store.last_sequence("w")
        store.checkpoints("/var/log/messages")
        store.cursor("journal")


def _write(path: Path) -> None:
    """Each kind of write; what one refuses, the next may take."""
    refused: LogStoreError | None = None
    with LogStore(path, clock_us=Clock(NOW_US + 10**9), busy_timeout=1) as store:
        for write in WRITES:
            try:
                write(store)
            except LogStoreError as error:
                check_words(error, path)
                refused = error
    if refused is not None:
        raise refused


WRITES: Final[tuple[Callable[[LogStore], object], ...]] = (
    lambda store: store.log("vip 10.0.0.3 took 3 ms", source="node1/vip", level="warning"),
    lambda store: store.log_many(_records(2), token=("w", 99)),
    lambda store: store.sweep(now_us=NOW_US + 10**12),
    lambda store: store.configure(store.settings._replace(max_open=20)),
    lambda store: store.log_many(_records(1)[:9], token=("w", 100)),
)


# -- what is no file, or not ours ----------------------------------------------------------------------


def _directory(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _link_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def _file_of(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _database_of(sql: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        raw = apsw.Connection(str(path))
        raw.execute(sql).fetchall()
        raw.close()

    return make


def _ours_with(sql: str) -> Callable[[Path], None]:
    """A store that a hex editor, or a friend with a shell, has been at."""

    def make(path: Path) -> None:
        with LogStore(path, masks="cluster", clock_us=Clock(NOW_US)) as store:
            store.log("m")
        raw = apsw.Connection(str(path))
        raw.execute(f"PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON; {sql}").fetchall()
        raw.close()

    return make


STRANGE: Final[Mapping[str, Callable[[Path], object]]] = {
    "a directory": _directory,
    "a fifo": os.mkfifo,
    "a socket": _socket,
    "/dev/null": _link_to("/dev/null"),
    "/dev/zero": _link_to("/dev/zero"),
    "/dev/full": _link_to("/dev/full"),
    "a terminal": _link_to("/dev/tty"),
    "/proc": _link_to("/proc/self/mem"),
    "a link to itself": _link_to("log.db"),
    "a link to a missing folder": _link_to("/nowhere/log.db"),
    "a file as a folder": _link_to("/etc/hostname/log.db"),
    "one byte": _file_of(b"x"),
    "half a header": _file_of(b"SQLite format 3\0" * 6),
    "text": _file_of(b"Nov 23 00:00:00 node1 vip is up\n" * 999),
    "gzip": _file_of(gzip.compress(b"x" * 9999)),
    "another program's database": _database_of("CREATE TABLE t (x); INSERT INTO t VALUES (1)"),
    "another program's WAL database": _database_of("PRAGMA journal_mode = WAL; CREATE TABLE t (x)"),
    "only our application id": _database_of("PRAGMA application_id = 1282369363; CREATE TABLE t (x)"),
    "our id and version": _database_of(
        f"PRAGMA application_id = 1282369363; PRAGMA user_version = {VERSION}; CREATE TABLE t (x)"
    ),
    "the next major version": _ours_with("PRAGMA user_version = 2000"),
    "the largest version": _ours_with("PRAGMA user_version = 2147483647"),
    "a version below zero": _ours_with("PRAGMA user_version = -1"),
    "UTF-16": _database_of("PRAGMA encoding = 'UTF-16'; CREATE TABLE t (x)"),
    "no table queue": _ours_with("DELETE FROM sqlite_schema WHERE name = 'queue'"),
    "no view episode": _ours_with("DROP VIEW episode"),
    "no settings": _ours_with("DROP TRIGGER settings_refuse_delete; DELETE FROM settings"),
    "no store": _ours_with("DROP TRIGGER store_refuses_delete; DELETE FROM store"),
    "settings of another type": _ours_with(
        "UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'settings';"
        "PRAGMA writable_schema = RESET; UPDATE settings SET window_ms = zeroblob(9)"
    ),
    "counters of another type": _ours_with(
        "UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'store';"
        "PRAGMA writable_schema = RESET; UPDATE store SET swept_us = 'yesterday', next_id = 'x'"
    ),
    "a rule that is none": _ours_with("UPDATE rule SET pattern = '(' WHERE position = 0"),
    "rules that are gone": _ours_with("UPDATE settings SET masks = 'gone'"),
    "attributes that are no JSON": _ours_with("UPDATE queue SET first_attributes = '{'"),
    "attributes that are no object": _ours_with("UPDATE queue SET first_attributes = '[[[1]]]'"),
    "text that is not UTF-8": _ours_with("UPDATE queue SET first_text = CAST(x'ff00fe' AS TEXT)"),
    "a time past all": _ours_with("UPDATE queue SET last_us = 9223372036854775807"),
    "a count past all": _ours_with("UPDATE queue SET count = 9223372036854775807"),
    "ids past all": _ours_with("UPDATE store SET next_id = 9223372036854775807"),
}


def use_strange(name: str) -> list[str]:
    """Make a thing, use it as a store in a child, and return what each use came to."""
    with folder() as place:
        path = place / "log.db"
        STRANGE[name](path)
        return list(in_child(partial(_use_quietly, path), seconds=20))


def _use_quietly(path: Path) -> list[str]:
    warnings.simplefilter("ignore")
    return use(Path(os.path.realpath(path)), [])


# -- records that no program should log ----------------------------------------------------------------


TEXTS: Final[tuple[str, ...]] = (
    "", "\0", "a\0b", "\ud800", "x\udfff", "\udcff\udc80", "\x1f", "\u202e\u2066evil\u2069",
    "\x1b[2J\x1b]0;\a", "\r\n\t", "\ufeff", "\U0010ffff", "e\u0301", "\u00e9", "%s %d {0}",
    "'; DROP TABLE queue; --", "NULL", "nan", " ", "\u2028", "\x7f\x80\x9f", "a" * 70_000, "\U0001f600" * 500,
)  # fmt: skip
LARGE: Final = ("x" * MAX_MESSAGE_BYTES, "é" * (MAX_MESSAGE_BYTES // 2), "\0" * (MAX_MESSAGE_BYTES // 4))
TOO_LARGE: Final = tuple(text + "x" for text in LARGE)
NO_TEXT: Final[tuple[Any, ...]] = (None, 1, 1.5, b"bytes", ["m"], object(), math.nan, True)
TIMES: Final[tuple[Any, ...]] = (None, 0, 1, NOW_US, TIME_END_US - 1)
NO_TIMES: Final[tuple[Any, ...]] = (
    -1, TIME_END_US, 1 << 63, 1 << 64, -(1 << 63) - 1, 10**40, 1.0, math.nan, math.inf, True,
    "now", b"1", [],
)  # fmt: skip
ATTRIBUTES: Final[tuple[Any, ...]] = (
    None, {}, {"": ""}, {"k": None}, {"k": [1, {"x": "\ud800\0"}]}, {"k": 1 << 63}, {"k": 10**300},
    {"k": 1e308}, {"\udcff": "\x1b"}, {"k": "v" * 90_000}, {"a": {"b": {"c": [[[]]]}}}, {"k": -0.0},
    {"k": True},
)  # fmt: skip
NO_ATTRIBUTES: Final[tuple[Any, ...]] = (
    1, "text", [1], {"k": math.nan}, {"k": math.inf}, {"k": b"bytes"}, {"k": {1}}, {"k": object()},
    {("a",): 1},
)  # fmt: skip


def _nested(depth: int) -> dict[str, Any]:
    inner: Any = 1
    for _ in range(depth):
        inner = [inner]
    return {"k": inner}


def _circular() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["k"] = loop
    return loop


class _Unspeakable:
    """Something that does not even have a name."""

    def __repr__(self) -> str:
        raise RuntimeError("no name")

    __str__ = __repr__


UNUSUAL_ATTRIBUTES: Final[tuple[Any, ...]] = (
    _nested(50), _nested(100_000), _circular(), {1: "key"}, {None: 1}, {"k": 10**5_000},
    {"k": _Unspeakable()}, _Unspeakable(),
)  # fmt: skip
LEVELS_GIVEN: Final[tuple[Any, ...]] = ("info", "WARN", " error ", 0, 7, "emerg", "debug")
NO_LEVELS: Final[tuple[Any, ...]] = (
    -1, 8, 1 << 70, 6.0, math.nan, None, True, "", "loud", "\ud800", b"info", [], "i" * 9_999, _Unspeakable(),
)  # fmt: skip


ODD: Final = ("message", "source", "level", "time", "attributes", "nothing", "size", "unusual")
RECORDS_OF_A_FILE: Final = 500


def hostile_records(rounds: int, seed: int, tell: Tell = silent) -> Counter[str]:
    """Log so many odd records: each is kept exactly, or is InvalidRecord. Returns how many of each."""
    figures: Counter[str] = Counter()
    for first in range(0, rounds, RECORDS_OF_A_FILE):
        last = min(first + RECORDS_OF_A_FILE, rounds)
        with folder() as place, told(f"records {first} to {last}"):
            work = partial(_log_hostile, place / "log.db", f"{seed}/{first}", last - first)
            figures += in_child(work)
        tell(last)
    return figures


def _log_hostile(path: Path, seed: str, rounds: int) -> Counter[str]:
    chance = random.Random(seed)
    figures: Counter[str] = Counter()
    taken = 0
    with LogStore(path, clock_us=Clock(NOW_US), durability="normal", auto_sweep=False, max_span=0) as store:
        for number in range(rounds):
            record, is_good = _odd_record(chance, number)
            with told(f"record {number}"):
                said = _log_one(store, record, is_good, by_batch=chance.random() < 0.5)
            figures[said] += 1
            figures["records"] += 1
            taken += said == "kept"
        expect(sum(each.count for each in store.episodes()) == taken, "what was kept, and nothing else")
    return figures


def _odd_record(chance: random.Random, number: int) -> tuple[Record, bool | None]:
    """Draw a record, and whether it is a good one; None: it may be refused."""
    odd = chance.choices(ODD, (20, 20, 20, 20, 20, 20, 1, 4))[0]
    bad = chance.random() < 0.5
    record = Record(
        chance.choice(TEXTS), chance.choice(LEVELS_GIVEN), f"{number}/{chance.choice(TEXTS)}",
        chance.choice(TIMES), chance.choice(ATTRIBUTES),
    )  # fmt: skip
    match odd, bad:
        case "message", True:
            return record._replace(message=chance.choice(NO_TEXT)), False
        case "source", True:
            return record._replace(source=chance.choice(NO_TEXT)), False
        case "level", True:
            return record._replace(level=chance.choice(NO_LEVELS)), False
        case "time", True:
            return record._replace(timestamp_us=chance.choice(NO_TIMES)), False
        case "attributes", True:
            return record._replace(attributes=chance.choice(NO_ATTRIBUTES)), False
        case "size", _:
            return record._replace(message=chance.choice(TOO_LARGE if bad else LARGE)), not bad
        case "unusual", _:
            return record._replace(attributes=chance.choice(UNUSUAL_ATTRIBUTES)), None
    return record, True


def _log_one(store: LogStore, record: Record, is_good: bool | None, *, by_batch: bool) -> str:
    """Log a record and read it back. Returns whether it was kept or refused; raises Broken if wrongly."""
    try:
        if by_batch:
            store.log_many([record])
        else:
            store.log(**record._asdict())
    except errors.InvalidRecord:
        expect(not is_good, "a good record to be kept")
        return "refused"
    expect(is_good is not False, "a bad record to be refused")
    _expect_exact(store, record)
    return "kept"


def _expect_exact(store: LogStore, record: Record) -> None:
    """The record is the newest episode, in the words of the contract."""
    with store.reader() as reader:
        rows = reader.rows(
            "SELECT source, message, level, first_us, count, first_attributes FROM episode "
            "ORDER BY id DESC LIMIT 1"
        )
    ((source, message, level, at_us, count, attributes),) = rows
    expect(source == written_out(record.source).replace("\x1f", "\\x1f"), f"its source, not {source!a}")
    expect(message == written_out(record.message), f"its message, not {message[:80]!a}")
    expect(level == severity(record.level), f"its level, not {level}")
    expect(
        at_us == (record.timestamp_us if record.timestamp_us is not None else NOW_US), f"its time: {at_us}"
    )
    expect(count == 1, f"one of it, not {count}")
    given = json.dumps(record.attributes)
    expect(json.loads(attributes or "null") == json.loads(given), f"its attributes, not {attributes}")


def written_out(text: str) -> str:
    """Say what SPEC 3 says of text that UTF-8 or a text column cannot carry."""
    return "".join(_letter(letter) for letter in text)


def _letter(letter: str) -> str:
    code = ord(letter)
    if code == 0:
        return "\\x00"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else letter


CAMPAIGNS: Final = (
    Campaign(
        "damaged-files",
        "bits, sectors, pages, headers and lengths of the db, -wal and -shm changed; a round is one damage",
        1_000,
        100_000,
        lambda rounds, seed, tell: damaged_files(rounds, seed, tell)["cases"],
    ),
    Campaign(
        "hostile-records",
        "odd text, levels, times and attributes logged; a round is one record",
        1_000,
        100_000,
        lambda rounds, seed, tell: hostile_records(rounds, seed, tell)["records"],
    ),
)
