"""Reading files: batches, checkpoints, and what no file may do to them."""

import gzip
import io
import os
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore.checkpoint import Checkpoint
from logstore.errors import InputUnreadable
from logstore.record import Record
from logstore.sources.files import Batch, Ending, Reading
from logstore.sources.inputs import open_input

NOW = 1_795_000_000_000_000
HEADER = b"2026-05-15 18:19:32 "
LINES = st.sampled_from(
    [
        HEADER + b"INFO up\n",
        HEADER + b"ERROR down\r\n",
        HEADER + b"\xff\x00 \xe2\x82\xac\r\r\n",
        b"\n",
        b"\r\n",
        b" trace \xc3\n",
        HEADER + "€".encode() * 70 + b"\n",
        HEADER + b"\xf0\x9f\x98" * 60 + b"\r\r\n",
        b"no line end",
        b"\r",
    ]
)
CONTENT = st.lists(LINES, max_size=30).map(b"".join)


def read(path: Path, stored: Checkpoint | None = None, **settings: object) -> list[Batch]:
    """Read a file to its end."""
    with open_input(str(path), io.BytesIO()) as source:
        known = {"tz": UTC, "now_us": NOW, "stored": stored} | settings
        return list(Reading(source, **known))  # type: ignore[arg-type]


def records(batches: list[Batch]) -> list[Record]:
    """Return the records of all batches."""
    return [record for batch in batches for record in batch.records]


def last(batches: list[Batch]) -> Checkpoint:
    """Return the last checkpoint."""
    found = batches[-1].checkpoint
    assert found is not None
    return found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of a log that is not there yet."""
    return tmp_path / "a.log"


@given(CONTENT, st.integers(1, 300), st.integers(1, 9), st.sampled_from(["timestamped", "plain"]))
def test_blocks_and_batches_make_no_difference(content: bytes, block: int, batch: int, name: str) -> None:
    """Wherever blocks and batches are cut, also in a stream, the records and lines are the same."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.log")
        path.write_bytes(content)
        whole = read(path, format=name, limit=100)
        cut = read(path, format=name, limit=100, block_bytes=block, batch_lines=batch)
        stream = Reading(
            open_input("-", io.BytesIO(content)),
            tz=UTC,
            now_us=NOW,
            this_host=str(path),
            format=name,
            limit=100,
            block_bytes=block,
        )
        assert records(cut) == records(whole) == records(list(stream))
        lines = content.count(b"\n") + (not content.endswith(b"\n") and content != b"")
        assert sum(b.lines for b in cut) == sum(b.lines for b in whole) == lines


@given(CONTENT, st.integers(1, 100), st.integers(1, 5), st.sampled_from(["timestamped", "plain"]))
def test_a_kill_between_batches_loses_and_doubles_nothing(
    content: bytes, block: int, batch: int, name: str
) -> None:
    """A new reader after every batch, from its checkpoint, gives the records of one pass."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.log")
        path.write_bytes(content)
        known = {"format": name, "limit": 100, "block_bytes": block}
        kept: list[Record] = []
        stored: Checkpoint | None = None
        size = batch
        while found := first(path, stored, batch_lines=size, **known):
            # A checkpoint stays where it is as long as one record grows: then more is needed.
            moved = stored is None or found.checkpoint != stored
            kept += found.records
            stored, size = found.checkpoint, batch if moved else size * 2
        assert kept == records(read(path, format=name, limit=100))


def first(path: Path, stored: Checkpoint | None, **settings: object) -> Batch | None:
    """Read one batch, and be killed."""
    with open_input(str(path), io.BytesIO()) as source:
        known = {"tz": UTC, "now_us": NOW, "stored": stored} | settings
        return next(iter(Reading(source, **known)), None)  # type: ignore[arg-type]


@given(CONTENT, st.integers(0, 2000))
def test_an_appended_file_goes_on(content: bytes, cut: int) -> None:
    """Reading what was appended gives the rest of the text, whatever the first end was."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.log")
        path.write_bytes(content[:cut])
        before = read(path, format="plain")
        with path.open("ab") as file:
            file.write(content[cut:])
        after = read(path, last(before) if before else None, format="plain")
        shown = [r.message for r in records(before) + records(after)]
        assert "".join(shown).replace("\r", "") == (
            # A character or a line end that was cut by the end of the file is no longer one.
            "".join(part.decode(errors="backslashreplace") for part in (content[:cut], content[cut:]))
            .replace("\r", "")
            .replace("\n", "")
            .replace("\0", "\\x00")
        )


def test_resume_after_append(log: Path) -> None:
    """Only new lines are read, and a line without a header belongs to the record before it."""
    log.write_bytes(HEADER + b"one\n" + HEADER + b"two\n")
    stored = last(read(log))
    assert stored.offset == log.stat().st_size
    assert read(log, stored) == []
    with log.open("ab") as file:
        file.write(b" trace\n" + HEADER + b"three\n")
    found = records(read(log, stored))
    assert [r.message for r in found] == [" trace", "three"]
    assert found[0].attributes == {"part": 1}
    assert found[0].timestamp_us == found[1].timestamp_us


def test_an_unterminated_line_that_goes_on(log: Path) -> None:
    """Its rest is a part of the same header, an empty rest is nothing."""
    for rest, parts in ((b"\n", []), (b"st\n", ["st"])):
        log.write_bytes(HEADER + b"fir")
        stored = last(read(log))
        with log.open("ab") as file:
            file.write(rest + HEADER + b"next\n")
        found = records(read(log, stored))
        assert [r.message for r in found] == [*parts, "next"]


def test_a_truncated_or_replaced_file_starts_anew(log: Path) -> None:
    """A shorter file, and one that begins otherwise, is read from its start."""
    log.write_bytes(HEADER + b"one\n" + HEADER + b"two\n")
    stored = last(read(log))
    log.write_bytes(HEADER + b"one\n")
    assert [r.message for r in records(read(log, stored))] == ["one"]
    log.write_bytes(HEADER + b"new\n" + HEADER + b"two\n" + HEADER + b"three\n")
    assert [r.message for r in records(read(log, stored))] == ["new", "two", "three"]


def test_a_file_that_grew_past_its_head_goes_on(log: Path) -> None:
    """The first bytes are those that the file had, though it has more of them now."""
    log.write_bytes(HEADER + b"one\n")
    stored = last(read(log))
    assert stored.head_bytes == log.stat().st_size
    with log.open("ab") as file:
        file.write((HEADER + b"more\n") * 100)
    found = read(log, stored)
    assert len(records(found)) == 100
    assert last(found).head_bytes == 1024


def test_the_checkpoint_stands_after_the_last_record(log: Path) -> None:
    """The record held back is behind the offset; at the end there is none."""
    line = HEADER + b"x00\n"
    log.write_bytes(b"".join(HEADER + b"x%02d\n" % number for number in range(25)))
    found = read(log, batch_lines=10)
    assert [len(b.records) for b in found] == [9, 10, 6]
    assert [b.checkpoint.offset // len(line) for b in found if b.checkpoint] == [9, 19, 25]
    assert [(b.lines, b.bytes_read, b.bytes_total) for b in found][1] == (
        10,
        20 * len(line),
        25 * len(line),
    )


def test_batches_grow_where_the_same_comes_again_and_again(log: Path) -> None:
    """Up to four times as many lines, and back where something new comes."""
    same = (HEADER + b"x\n") * 1200
    log.write_bytes(same + b"".join(HEADER + b"x%d\n" % number for number in range(500)))
    assert [b.lines for b in read(log, batch_lines=100)] == [99, 200, 400, 400, 400, 100, 100, 1]


@pytest.mark.parametrize("mib", [1, 5])
def test_long_lines(log: Path, mib: int) -> None:
    """A line of any length is kept whole, in parts of at most 2 MiB."""
    text = b"x" * (mib * 1024 * 1024)
    log.write_bytes(HEADER + b"a\n" + HEADER + text + b"\r\n" + HEADER + b"b\n")
    found = records(read(log))
    assert len(found) == 3 + mib // 2
    assert "".join(r.message for r in found) == f"a{text.decode()}b"
    assert max(len(r.message) for r in found) <= 2 * 1024 * 1024


def test_strange_bytes_stay(log: Path) -> None:
    """Bytes that are not UTF-8 become escapes; NUL and a lone CR stay; CR LF is a line end."""
    log.write_bytes(b"a\xff\xc3\nn\x00\x0b\x85\rm\r\r\n\xe2\x80\xa8.\n")
    assert [r.message for r in records(read(log))] == [
        "a\\xff\\xc3",
        "n\\x00\x0b\\x85\rm\r",
        "\u2028.",
    ]


def test_an_empty_file(log: Path) -> None:
    """It gives nothing, and is read from its start when something is there."""
    log.touch()
    assert read(log) == []


def test_the_year_comes_from_the_time_of_the_file(log: Path) -> None:
    """A stamp without a year is never later than the file's last write."""
    log.write_bytes(b"Feb 28 00:00:00 n p: x\n" * 2 + b"Mar  2 00:00:00 n p: x\n")
    os.utime(log, (0, 951_868_800))  # 2000-03-01
    assert [r.timestamp_us for r in records(read(log))] == [951_696_000_000_000] * 2 + [920_332_800_000_000]


def test_the_source_without_a_host(log: Path) -> None:
    """It is the path as given, for standard input this host, and what the user says before both."""
    log.write_bytes(b"hello\n")
    assert records(read(log))[0].source == str(log)
    assert records(read(log, host="h"))[0].source == "h"
    stream = Reading(open_input("-", io.BytesIO(b"x")), tz=UTC, now_us=NOW, this_host="me")
    (batch,) = stream
    assert (batch.records[0].source, batch.checkpoint, batch.bytes_total) == ("me", None, None)


def test_a_fifo_is_a_stream(log: Path) -> None:
    """A FIFO is read to its end, without a checkpoint."""
    os.mkfifo(log)
    writer = Thread(target=log.write_bytes, args=(HEADER + b"x\n",))
    writer.start()
    found = read(log)
    writer.join()
    assert [(b.lines, b.checkpoint) for b in found] == [(1, None)]


def test_a_fifo_without_a_writer_is_not_waited_for_for_ever(log: Path) -> None:
    """Nobody has it open: that is said, and what to do."""
    os.mkfifo(log)
    with pytest.raises(InputUnreadable, match="no program has open for writing; start the program"):
        open_input(str(log), io.BytesIO(), patience_s=0)


def test_who_waits_for_a_writer_is_told(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and before the end."""
    monkeypatch.setattr("logstore.sources.inputs._SILENCE_S", 0.01)
    os.mkfifo(log)
    notes: list[str] = []
    with pytest.raises(InputUnreadable):
        open_input(str(log), io.BytesIO(), note=notes.append, patience_s=0.02)
    assert notes == [f"{log}: is a FIFO; waiting for a program to write to it"]


def test_a_fifo_with_a_silent_writer_is_waited_for(log: Path) -> None:
    """What it writes at last is read, however long that takes."""
    os.mkfifo(log)
    both = os.open(log, os.O_RDWR)
    with open_input(str(log), io.BytesIO(), patience_s=0) as source:
        assert os.get_blocking(source.stream.fileno())
        os.write(both, HEADER + b"late\n")
        os.close(both)
        (record,) = records(list(Reading(source, tz=UTC, now_us=NOW)))
    assert record.message == "late"


def test_a_writer_of_a_fifo_may_go_without_a_word(log: Path) -> None:
    """It comes while it is waited for, and goes: that is the end, and no error."""
    os.mkfifo(log)
    writer = Thread(target=log.write_bytes, args=(b"",))
    writer.start()
    assert not records(read(log))
    writer.join()


@pytest.mark.parametrize(
    "content",
    [b"", HEADER + b"x\n", gzip.compress(HEADER + b"x\n", mtime=0)],
    ids=["empty", "text", "packed"],
)
def test_a_pipe_whose_writer_is_gone_is_read(content: bytes) -> None:
    """As with <(program): what it wrote is there, if it wrote anything, packed or not."""
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    with open_input(f"/dev/fd/{reader}", io.BytesIO(), patience_s=0) as source:
        found = records(list(Reading(source, tz=UTC, now_us=NOW)))
    os.close(reader)
    assert [record.message for record in found] == ["x"] * bool(content)


def test_the_byte_that_came_at_the_last_moment_is_not_lost(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read to see whether there is a writer."""
    os.mkfifo(log)
    both = os.open(log, os.O_RDWR)
    os.write(both, HEADER + b"x\n")
    monkeypatch.setattr("logstore.sources.inputs.select.poll", lambda: Mock(poll=lambda _ms: []))
    with open_input(str(log), io.BytesIO(), patience_s=0) as source:
        os.close(both)
        (record,) = records(list(Reading(source, tz=UTC, now_us=NOW)))
    assert record.message == "x"


def test_an_empty_name_is_told_from_a_folder() -> None:
    """It is what an unset variable gives, and the working folder for the system."""
    with pytest.raises(InputUnreadable, match="a file name is empty: ''; name a file, or -"):
        open_input("", io.BytesIO())


def test_what_cannot_be_read_says_so(tmp_path: Path, log: Path) -> None:
    """Missing files, folders and devices are errors of one or two lines that name the path."""
    for path in (str(log), str(tmp_path), "/dev/null", "a\0b", str(log / "x")):
        with pytest.raises(InputUnreadable) as caught:
            open_input(path, io.BytesIO())
        assert path in str(caught.value)
        assert str(caught.value).count("\n") < 2


def test_a_database_is_refused(log: Path) -> None:
    """The error names the way out."""
    log.write_bytes(b"SQLite format 3\0" + bytes(100))
    with pytest.raises(InputUnreadable, match=f"query it with --db {log}"):
        read(log)


def test_a_file_that_was_written_anew_and_longer_starts_anew(log: Path) -> None:
    """The same first bytes are not enough: those before the checkpoint must be the same, too."""
    same = (HEADER + b"banner\n") * 50
    log.write_bytes(same + HEADER + b"one\n" * 50)
    stored = last(read(log))
    log.write_bytes(same + HEADER + b"two\n" * 100)
    assert len(records(read(log, stored))) == len(records(read(log)))


def test_the_mask_set_is_put_into_each_checkpoint(log: Path) -> None:
    """It may be named at the start, or until iteration begins."""
    log.write_bytes(HEADER + b"one\n")
    assert last(read(log, masks="cluster")).masks == "cluster"
    with open_input(str(log), io.BytesIO()) as source:
        reading = Reading(source, tz=UTC, now_us=NOW)
        reading.masks = "network"
        assert last(list(reading)).masks == "network"


@settings(deadline=None)  # as many passes as there are steps
@given(CONTENT, st.integers(9, 300), st.integers(1, 9), st.sampled_from(["timestamped", "plain"]))
def test_reading_a_file_while_it_grows_gives_the_records_of_one_pass(
    content: bytes, step: int, batch: int, name: str
) -> None:
    """Record by record as long as more may come, then all: no line is lost, doubled or cut."""
    content += b"\n"
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.log")
        path.touch()
        known: dict[str, Any] = {"format": name, "limit": 1000, "batch_lines": batch}
        kept: list[Record] = []
        lines = 0
        stored: Checkpoint | None = None
        for end in (*range(0, len(content), step), len(content)):
            path.write_bytes(content[:end])
            for part in read(path, stored, ending=Ending.RECORDS, **known):
                kept, lines, stored = [*kept, *part.records], lines + part.lines, part.checkpoint
        rest = read(path, stored, **known)
        whole = read(path, **known)
        assert kept + records(rest) == records(whole)
        assert lines + sum(b.lines for b in rest) == sum(b.lines for b in whole)


def test_whole_lines_are_taken_and_half_a_line_waits(log: Path) -> None:
    """Its beginning is read with its end."""
    log.write_bytes(HEADER + b"one\n trace\n" + HEADER + b"tw")
    assert read(log, ending=Ending.RECORDS) == [], "a line that continues the record may follow"
    found = read(log, ending=Ending.LINES)
    assert [r.message for r in records(found)] == ["one\n trace"]
    stored = last(found)
    with log.open("ab") as file:
        file.write(b"o\n")
    assert [r.message for r in records(read(log, stored, ending=Ending.LINES))] == ["two"]


def changing(log: Path, content: bytes) -> Iterator[Batch]:
    """Read a batch of a file, then give the file another content."""
    log.write_bytes((HEADER + b"x\n") * 400)
    with open_input(str(log), io.BytesIO()) as source:
        reading = iter(Reading(source, tz=UTC, now_us=NOW, block_bytes=100, batch_lines=10))
        yield next(reading)
        log.write_bytes(content)
        yield from reading


@pytest.mark.parametrize("content", [b"", HEADER + b"x\n", b"other " * 3000])
def test_a_file_that_changes_under_the_reader(log: Path, content: bytes) -> None:
    """A file that shrinks or is overwritten ends with an error; nothing is invented."""
    batches = changing(log, content)
    assert next(batches).records
    with pytest.raises(InputUnreadable, match="cut or overwritten"):
        list(batches)


def test_a_log_that_began_with_a_banner_is_read_by_its_format_once_it_shows(tmp_path: Path) -> None:
    """What was first read as plain lines stays so; what follows has the header that it has."""
    path = tmp_path / "pacemaker.log"
    path.write_text("Set r/w permissions for uid=90\n")
    header = "Nov 22 00:19:50.309 n1 pacemakerd          [34] (main) \tnotice: up\n"
    with open_input(str(path), io.BytesIO()) as source:
        (first,) = Reading(source, tz=UTC, now_us=0)
    path.write_text(path.read_text() + header * 3)
    with open_input(str(path), io.BytesIO()) as source:
        reading = Reading(source, tz=UTC, now_us=0, stored=first.checkpoint)
        found = [record.message for batch in reading for record in batch.records]
    assert reading.parser.format == "pacemaker"
    assert found == ["up"] * 3
