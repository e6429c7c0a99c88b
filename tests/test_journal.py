"""The systemd journal: each entry is stored once, whatever happens to us, to journalctl or to the journal."""

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model import NOW_US

from logstore import LogStore, Record, errors
from logstore.checkpoint import Cursor
from logstore.identity import MAX_MESSAGE_BYTES
from logstore.sources.export import export_to_json_lines, looks_like_export
from logstore.sources.journal import JournalReading, cursor_name
from logstore.sources.parser import LineParser

MIB = 1024 * 1024
KILLS = int(os.environ.get("LOGSTORE_KILLS", "10"))
REMOTE = "/lib/systemd/systemd-journal-remote"
BOOT = "0123456789abcdef0123456789abcdef"
Fields = dict[str, bytes]
Journalctl = Callable[..., str]


def entry(number: int, **fields: bytes) -> Fields:
    return {
        "__REALTIME_TIMESTAMP": b"%d" % (NOW_US + number * 1_000),
        "__MONOTONIC_TIMESTAMP": b"%d" % (1_000 + number),
        "_BOOT_ID": BOOT.encode(),
        "MESSAGE": b"m%d" % number,
        "PRIORITY": b"4",
        "SYSLOG_IDENTIFIER": b"app",
        "_PID": b"7",
        "_HOSTNAME": b"alfa2",
    } | fields


def exported(entries: Iterable[Fields]) -> bytes:
    """Entries in the export format, binary where a value is no single line of text."""
    out = b""
    for fields in entries:
        for name, value in fields.items():
            binary = b"\n" in value or not value.isascii() or any(byte < 32 for byte in value)
            head = b"%b\n%b" % (name.encode(), len(value).to_bytes(8, "little"))
            out += (head if binary else name.encode() + b"=") + value + b"\n"
        out += b"\n"
    return out


def record(number: int) -> Record:
    return Record(f"m{number}", "warning", "alfa2/app", NOW_US + number * 1_000, {"pid": 7})


# -- a program that stands in for journalctl -----------------------------------------------------------


@pytest.fixture
def journalctl(tmp_path: Path) -> Journalctl:
    """Make a program that says what it was asked, writes these lines, and ends with this exit code."""
    numbers = count()

    def make(*lines: dict[str, Any] | str, code: int = 0, stderr: str = "", then: str = "") -> str:
        path = tmp_path / f"journalctl{next(numbers)}"
        text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
        path.write_text(
            f"#!{sys.executable}\nimport os, signal, sys, time\n"
            f"open({str(tmp_path / 'asked')!r}, 'w').write('\\n'.join(sys.argv[1:]))\n"
            f"sys.stdout.write({text!r}); sys.stdout.flush()\n"
            f"sys.stderr.write({stderr!r})\n{then}\nsys.exit({code})\n"
        )
        path.chmod(0o755)
        return str(path)

    return make


def said(number: int, **fields: Any) -> dict[str, Any]:
    texts = {name: value.decode() for name, value in entry(number).items()}
    return {"__CURSOR": f"c{number}"} | texts | fields


def read(reading: JournalReading) -> list[Record]:
    with reading:
        return [record for batch in reading.batches() for record in batch.records]


def asked(tmp_path: Path) -> list[str]:
    return (tmp_path / "asked").read_text().splitlines()


def test_a_journal_is_read_with_the_cursor_of_each_last_entry(journalctl: Journalctl, tmp_path: Path) -> None:
    """Batches follow on each other: each names the cursor that it follows on and the one to go on from."""
    program = journalctl(*(said(number) for number in range(25)))
    with JournalReading(program=program, batch_entries=10, arguments=["--unit=nginx"]) as reading:
        batches = list(reading.batches())

    assert [each for batch in batches for each in batch.records] == [record(number) for number in range(25)]
    assert [batch.after for batch in batches] == [None, *(batch.cursor for batch in batches[:-1])]
    assert batches[-1].cursor == Cursor("journald --unit=nginx", "c24")
    assert asked(tmp_path) == ["--output=json", "--all", "--no-pager", "--unit=nginx"]


def test_reading_goes_on_behind_the_cursor(journalctl: Journalctl, tmp_path: Path) -> None:
    """The entry that was read last comes first once more, and is left out."""
    notes: list[str] = []
    after = Cursor("journald", "c4")
    program = journalctl(*(said(number) for number in range(4, 7)))
    reading = JournalReading(after, program=program, first_arguments=["--since=today"], note=notes.append)

    assert read(reading) == [record(5), record(6)]
    assert notes == []
    assert "--cursor=c4" in asked(tmp_path)
    assert "--since=today" not in asked(tmp_path)


def test_nothing_new_is_no_batch(journalctl: Journalctl) -> None:
    assert read(JournalReading(Cursor("journald", "c4"), program=journalctl(said(4)))) == []


def test_a_first_run_may_begin_later(journalctl: Journalctl, tmp_path: Path) -> None:
    """`first_arguments` say where to begin as long as there is no cursor."""
    read(JournalReading(program=journalctl(), first_arguments=["--since=today"], follow=True))

    assert asked(tmp_path)[3:] == ["--follow", "--no-tail", "--since=today"]


def test_a_journal_without_the_last_entry_is_read_on_and_said(journalctl: Journalctl) -> None:
    """When the entry read last was rotated away, all that is there was not read yet."""
    notes: list[str] = []
    program = journalctl(said(7), said(8))
    reading = JournalReading(Cursor("journald", "c4"), program=program, note=notes.append)

    assert read(reading) == [record(7), record(8)]
    assert [note.partition(";")[0] for note in notes] == [
        "journald: the journal no longer holds the entry that was read last"
    ]


FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "an exit code": ({"code": 1, "stderr": "No such unit\n"}, "ended with exit code 1: No such unit; "),
    "a silent exit code": ({"code": 3}, "ended with exit code 3: it said nothing; "),
    "a signal": ({"then": "os.kill(os.getpid(), signal.SIGKILL)"}, "was ended by signal 9: "),
    "half an entry": ({"then": "sys.stdout.write('{')"}, "ended with exit code 0: "),
}


@pytest.mark.parametrize(("options", "text"), FAILURES.values(), ids=FAILURES)
def test_what_was_read_before_a_failure_is_kept(
    journalctl: Journalctl, options: dict[str, Any], text: str
) -> None:
    """The error shows what journalctl said, and comes after the entries that it wrote."""
    with JournalReading(program=journalctl(said(1), **options)) as reading:
        stream = reading.batches()
        assert next(stream).records == [record(1)]
        with pytest.raises(errors.InputUnreadable, match=text):
            next(stream)


def test_a_hint_of_journalctl_is_passed_on(journalctl: Journalctl) -> None:
    """Such as that it may not see the messages of other users."""
    notes: list[str] = []
    read(
        JournalReading(program=journalctl(stderr="Hint: You are not in the group adm.\n"), note=notes.append)
    )

    assert [note.partition(": ")[2] for note in notes] == ["Hint: You are not in the group adm."]


@pytest.mark.parametrize("line", ["-- No entries --", "{}", "[]", '{"__CURSOR"'])
def test_a_program_that_writes_no_journal_is_refused(journalctl: Journalctl, line: str) -> None:
    with pytest.raises(errors.InputUnreadable, match="is no entry of a journal; check the program"):
        read(JournalReading(program=journalctl(line)))


def test_a_missing_journalctl_is_said(tmp_path: Path) -> None:
    with pytest.raises(errors.InputUnreadable, match=r"there is no such program.*install systemd"):
        JournalReading(program="no-such-journalctl")
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.InputUnreadable, match=r"cannot be started: .*check the program"):
        JournalReading(program=str(tmp_path / "file"))


def test_messages_that_are_no_text_are_kept(journalctl: Journalctl) -> None:
    """Bytes that are no UTF-8 are escaped; a message that journalctl left out is empty, and says so."""
    program = journalctl(said(1, MESSAGE=[255, 104, 105]), said(2, MESSAGE=None), said(3, MESSAGE=""))
    bytes_, null, empty = read(JournalReading(program=program))

    assert bytes_.message == "\\xffhi"
    assert (null.message, null.attributes) == ("", {"pid": 7, "MESSAGE": None})
    assert (empty.message, empty.attributes) == ("", {"pid": 7})


def test_an_entry_of_ten_mebibytes_is_cut_into_parts(journalctl: Journalctl) -> None:
    """No record is longer than a message may be, and nothing of it is missing."""
    program = journalctl(said(1, MESSAGE="é" * (5 * MIB)), said(2))
    *parts, last = read(JournalReading(program=program))

    assert "".join(part.message for part in parts) == "é" * (5 * MIB)
    assert [(part.attributes or {}).get("part") for part in parts] == [None, 1, 2, 3, 4]
    assert {part[1:4] for part in parts} == {record(1)[1:4]}
    assert last == record(2)


def test_a_stop_ends_the_child(journalctl: Journalctl, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before is handed over, and the program is not left behind, even if it will not end."""
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(60)"
    monkeypatch.setattr("logstore.sources.journal._PATIENCE_S", 0.1)
    stopped = threading.Event()
    got: list[Record] = []
    with JournalReading(program=journalctl(said(1), then=stubborn), follow=True) as reading:
        for batch in reading.batches(stopped.is_set):
            got += batch.records
            stopped.set()
        pid = reading._child.pid

    assert got == [record(1)]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    reading.close()


# -- a real journal ------------------------------------------------------------------------------------


class Journal:
    """A real journal file in a folder of its own, made by systemd-journal-remote."""

    def __init__(self, folder: Path) -> None:
        self.arguments = [f"--directory={folder}"]
        self._file = folder / "x.journal"

    def append(self, *entries: Fields) -> None:
        done = subprocess.run(
            [REMOTE, "-o", str(self._file), "-"], input=exported(entries), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def shows(self, form: str, *more: str) -> bytes:
        command = ["journalctl", "--no-pager", "--all", "-o", form, *self.arguments, *more]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def read(self, after: Cursor | None = None, **options: Any) -> list[Record]:
        return read(JournalReading(after, arguments=self.arguments, **options))


@pytest.fixture
def real_journal(tmp_path: Path) -> Callable[[str], Journal]:
    """Make real journals, each with its own identity."""
    if shutil.which("journalctl") is None or not Path(REMOTE).exists():
        pytest.skip(
            "NO journalctl HERE, so no real journal is read: apt-get install systemd systemd-journal-remote"
        )

    def make(name: str) -> Journal:
        (tmp_path / name).mkdir()
        return Journal(tmp_path / name)

    return make


STRANGE = [
    entry(1),
    entry(2, MESSAGE="zwei Zeilen\nünd mehr".encode()),
    entry(3, MESSAGE=b"\xff\x00binary\x1b[0m"),
    entry(4, MESSAGE=b""),
    entry(5, MESSAGE=b"x" * 5_000, EXTRA=b"\x80"),
    entry(6, PRIORITY=b"0", _HOSTNAME=b"alfa1", UNIT=b"a=b"),
]


def test_a_real_journal_is_read_exactly(real_journal: Callable[[str], Journal]) -> None:
    """Texts of several lines, binary ones, empty ones and long ones, through the real journalctl."""
    journal = real_journal("a")
    journal.append(*STRANGE)
    records = journal.read()

    assert [each.message for each in records] == [
        *("m1", "zwei Zeilen\nünd mehr", "\\xff\0binary\x1b[0m", "", "x" * 5_000, "m6")
    ]
    assert [each.timestamp_us for each in records] == [NOW_US + number * 1_000 for number in range(1, 7)]
    assert records[0] == record(1)
    assert (records[-1].level, records[-1].source) == ("emergency", "alfa1/app")


def test_a_real_journal_goes_on_behind_its_cursor(
    real_journal: Callable[[str], Journal], store: LogStore
) -> None:
    """What comes later is read alone; nothing is read twice."""
    journal = real_journal("a")
    name = cursor_name(journal.arguments)
    for begin in (0, 3, 3, 7):
        journal.append(*(entry(number) for number in range(begin, begin + 3)) if begin != 7 else ())
        with JournalReading(store.cursor(name), arguments=journal.arguments) as reading:
            for batch in reading.batches():
                store.log_stream(batch.records, batch.cursor, after=batch.after)

    found = Counter({episode.message: episode.count for episode in store.episodes()})
    assert found == {"m0": 1, "m1": 1, "m2": 1, "m3": 2, "m4": 2, "m5": 2}


def test_a_real_journal_that_lost_its_old_entries_is_read_on(real_journal: Callable[[str], Journal]) -> None:
    """The entry behind the lost ones is not passed over, as journalctl --after-cursor would do."""
    old, new = real_journal("old"), real_journal("new")
    old.append(*(entry(number) for number in range(5)))
    new.append(*(entry(number) for number in range(7, 10)))
    with JournalReading(arguments=old.arguments) as reading:
        (batch,) = reading.batches()
    notes: list[str] = []

    assert [each.message for each in new.read(batch.cursor, note=notes.append)] == ["m7", "m8", "m9"]
    assert len(notes) == 1


def test_a_cursor_that_is_none_is_told(real_journal: Callable[[str], Journal]) -> None:
    journal = real_journal("a")
    journal.append(entry(1))
    with pytest.raises(errors.InputUnreadable, match="exit code 1: Failed to seek to cursor"):
        journal.read(Cursor("journald", "nonsense"))


def test_a_growing_journal_is_followed(real_journal: Callable[[str], Journal]) -> None:
    """An entry is handed over when it arrives, not when a batch is full."""
    journal = real_journal("a")
    journal.append(entry(0))
    with JournalReading(arguments=journal.arguments, follow=True) as reading:
        stream = reading.batches()
        for number in range(3):
            assert next(stream).records == [record(number)]
            journal.append(entry(number + 1))


FOLLOWER = """
import sys
from logstore import LogStore
from logstore.sources.journal import JournalReading, cursor_name
arguments = [sys.argv[2]]
with LogStore(sys.argv[1]) as store:
    cursor = store.cursor(cursor_name(arguments))
    with JournalReading(cursor, arguments=arguments, follow=True, batch_entries=7) as reading:
        for batch in reading.batches():
            store.log_stream(batch.records, batch.cursor, after=batch.after)
"""


def test_kills_at_any_moment_lose_and_double_nothing(
    real_journal: Callable[[str], Journal], path: Path
) -> None:
    """A follower of a growing journal is killed again and again: in the end each entry counts once."""
    journal = real_journal("a")
    chance = random.Random(7)
    written = 0
    LogStore(path).close()
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, "-c", FOLLOWER, str(path), *journal.arguments])
        deadline = time.monotonic() + chance.uniform(0.2, 0.8)
        while time.monotonic() < deadline:
            journal.append(*(entry(number) for number in range(written, written + 20)))
            written += 20
        child.send_signal(signal.SIGKILL)
        child.wait()
    with LogStore(path) as store:
        cursor = store.cursor(cursor_name(journal.arguments))
        with JournalReading(cursor, arguments=journal.arguments) as reading:
            for batch in reading.batches():
                store.log_stream(batch.records, batch.cursor, after=batch.after)
        found = Counter({episode.message: episode.count for episode in store.episodes()})

    assert cursor is not None
    assert found == {f"m{number}": 1 for number in range(written)}


# -- the export format ---------------------------------------------------------------------------------


def converted(data: bytes, *, block: int = 65_536) -> list[dict[str, Any]]:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, block))

    lines = list(export_to_json_lines(Slow(data)))
    assert all(line.endswith(b"\n") and len(line) <= MAX_MESSAGE_BYTES for line in lines)
    return [json.loads(line) for line in lines]


def raw(value: Any) -> bytes:
    """The bytes of a field: JSON has them as text, or as a list of numbers."""
    return value.encode() if isinstance(value, str) else bytes(value)


NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,10}", fullmatch=True).filter(lambda name: name != "PART")
ENTRIES = st.lists(st.dictionaries(NAMES, st.binary(max_size=50), min_size=1), max_size=5)


@given(ENTRIES, st.integers(min_value=1, max_value=20))
def test_an_export_keeps_every_byte_of_every_field(entries: list[Fields], block: int) -> None:
    """Whatever is in the fields, and in whatever blocks it is read."""
    lines = converted(exported(entries), block=block)

    assert [{name: raw(value) for name, value in line.items()} for line in lines] == entries


def test_the_export_of_a_real_journal_gives_the_same_records(
    real_journal: Callable[[str], Journal],
) -> None:
    """`journalctl -o export`, converted, is read as `journalctl -o json` is."""
    journal = real_journal("a")
    journal.append(*STRANGE)
    export = journal.shows("export")
    parser = LineParser("journald", tz=UTC, newest_us=0)
    records = (
        parser.feed(line.decode() for line in export_to_json_lines(io.BytesIO(export))) + parser.finish()
    )

    assert looks_like_export(export)
    assert records == journal.read()


def test_only_an_export_looks_like_one() -> None:
    assert looks_like_export(b"__CURSOR=s=1;i=2\n__REAL")
    assert looks_like_export(b"__REALTIME_TIMESTAMP=1\n")
    for other in (b"", b"_CURSOR=", b"MESSAGE=x\n", b'{"__CURSOR":"s"}', b"\n__CURSOR=", b"__CURSOR "):
        assert not looks_like_export(other)


def test_a_long_message_of_an_export_goes_on_in_further_lines() -> None:
    """Cut between characters, each with the header of the entry, in bounded memory."""
    text = "é\x01" * (3 * MIB)
    lines = converted(exported([entry(1, MESSAGE=text.encode()), entry(2)]))

    assert "".join(line["MESSAGE"] for line in lines[:-1]) == text
    assert [line.pop("part", 0) for line in lines] == [*range(len(lines) - 1), 0]
    assert all({**line, "MESSAGE": ""} == {**lines[0], "MESSAGE": ""} for line in lines[:-1])
    assert lines[-1]["MESSAGE"] == "m2"


def test_a_message_that_fits_into_a_line_is_not_cut() -> None:
    (line,) = converted(exported([entry(1, MESSAGE=b"x" * (MAX_MESSAGE_BYTES - 1_000))]))
    assert len(line["MESSAGE"]) == MAX_MESSAGE_BYTES - 1_000


def test_what_cannot_be_held_of_an_entry_is_said() -> None:
    """A field as large as a core dump is null, and of a message beyond all bounds the beginning is kept."""
    message = entry(1, MESSAGE=b"\n" * (33 * MIB), COREDUMP=b"\n" * (5 * MIB), LATER=b"x")
    first, *_ = lines = converted(exported([message]))

    assert sum(len(line["MESSAGE"]) for line in lines) == 32 * MIB
    assert first["MESSAGE_LEFT_OUT"] == str(MIB)
    assert (first["COREDUMP"], first["LATER"]) == (None, "x")


def test_a_field_given_twice_has_both_values() -> None:
    data = b"__CURSOR=c\nUNIT=a\nUNIT=b\nMESSAGE=x\nMESSAGE=y\n\n"
    assert converted(data) == [{"__CURSOR": "c", "UNIT": ["a", "b"], "MESSAGE": "x", "MESSAGES": "y"}]


@pytest.mark.parametrize("cut", range(1, 36))
def test_an_export_that_ends_too_early_is_kept_as_far_as_it_goes(cut: int) -> None:
    """The entries before are whole; of the last one no more is missing than was cut off."""
    data = exported([entry(1), {"MESSAGE": b"\xff" * 20, "A": b"b"}])
    lines = converted(data[:-cut])

    assert lines[0]["MESSAGE"] == "m1"
    assert raw(lines[1]["MESSAGE"]) == b"\xff" * max(0, min(20, len(b"*\nA=b\n\n") + 19 - cut))


@pytest.mark.parametrize("data", [b"no field\n", b"=x\n", b"A" * 300, b"\xff\xff=1\n", b"A=1\n\n{}\n"])
def test_what_is_no_export_is_refused_after_what_is(data: bytes) -> None:
    lines = export_to_json_lines(io.BytesIO(b"__CURSOR=c\n\n__CURSOR=d\n" + data))
    assert [json.loads(next(lines)), json.loads(next(lines))][0] == {"__CURSOR": "c"}
    with pytest.raises(errors.InputUnreadable, match=r"byte [\d,]+: .* is no field of a journal's export"):
        list(lines)
