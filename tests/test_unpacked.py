"""Packed files: what is inside is read as the file itself would be, damaged or whole, exactly once."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore import LogStore
from logstore.checkpoint import Checkpoint
from logstore.errors import InputUnreadable
from logstore.record import Record
from logstore.sources import transforms
from logstore.sources.files import Batch, Reading
from logstore.sources.inputs import open_input
from logstore.sources.rotation import bases, find_place, inner_bases

NOW = 1_795_000_000_000_000
HEADER = b"2026-05-15 18:19:32 "
TEXT = b"".join(HEADER + b"INFO line %d of those that are packed\n" % number for number in range(3000))


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout


needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="there is no program zstd")
STANDARD = {"gzip": gzip.compress, "xz": lzma.compress, "bzip2": bz2.compress}
PACKERS = [
    *(pytest.param(name, pack, id=name) for name, pack in STANDARD.items()),
    pytest.param("zstd", zstd, id="zstd", marks=needs_zstd),
]
Pack = Callable[[bytes], bytes]
each_packer = pytest.mark.parametrize(("name", "pack"), PACKERS)


def read(path: Path, stored: Checkpoint | None = None, **more: object) -> list[Batch]:
    with open_input(str(path), io.BytesIO()) as source:
        known = {"tz": UTC, "now_us": NOW, "stored": stored} | more
        return list(Reading(source, **known))  # type: ignore[arg-type]


def read_damaged(path: Path, stored: Checkpoint | None = None) -> tuple[list[Batch], str]:
    """Read what can be read, and return it with the complaint at the end."""
    batches: list[Batch] = []
    with open_input(str(path), io.BytesIO()) as source:
        reading = Reading(source, tz=UTC, now_us=NOW, stored=stored)
        with pytest.raises(InputUnreadable) as caught:
            batches.extend(reading)
    return batches, str(caught.value)


def records(batches: list[Batch]) -> list[Record]:
    return [record for batch in batches for record in batch.records]


def texts(batches: list[Batch]) -> bytes:
    """The text of all records; a part that goes on a line follows it directly."""
    shown = b""
    for record in records(batches):
        part = record.attributes and record.attributes.get("part")
        shown += (b"" if part or not shown else b"\n") + record.message.encode()
    return shown


def last(batches: list[Batch]) -> Checkpoint:
    found = batches[-1].checkpoint
    assert found is not None
    return found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "x.log"


@each_packer
def test_a_packed_file_gives_the_records_of_the_file(log: Path, name: str, pack: Pack) -> None:
    log.write_bytes(TEXT)
    packed = log.with_name("named.anyhow")
    packed.write_bytes(pack(TEXT))
    plain, found = read(log, host="h"), read(packed, host="h")
    assert records(found) == records(plain)
    assert last(found)[2:5] == last(plain)[2:5]
    assert last(found).tail_hash == last(plain).tail_hash
    assert (found[-1].bytes_read, found[-1].bytes_total) == (len(TEXT), None)
    assert read(packed, last(found), host="h") == []


@each_packer
def test_standard_input_may_be_packed(name: str, pack: Pack) -> None:
    source = open_input("-", io.BytesIO(pack(TEXT)))
    found = list(Reading(source, tz=UTC, now_us=NOW, this_host="me"))
    assert len(records(found)) == 3000
    assert found[-1].checkpoint is None


@each_packer
def test_members_one_after_the_other_are_all_read(log: Path, name: str, pack: Pack) -> None:
    cut = len(TEXT) // 3
    log.write_bytes(pack(TEXT[:cut]) + pack(b"") + pack(TEXT[cut:]))
    assert len(records(read(log))) == 3000


@pytest.mark.parametrize(("name", "pack"), STANDARD.items())
def test_zeros_behind_the_end_are_nothing(log: Path, name: str, pack: Pack) -> None:
    log.write_bytes(pack(TEXT) + bytes(100_000))
    assert len(records(read(log))) == 3000


@each_packer
def test_other_bytes_behind_the_end_are_said_after_all_was_read(log: Path, name: str, pack: Pack) -> None:
    log.write_bytes(pack(TEXT) + b"rubbish that is not packed\n")
    found, complaint = read_damaged(log)
    assert len(records(found)) == 3000
    assert f"{log}: packed with {name}, and damaged" in complaint


@each_packer
def test_a_cut_archive_keeps_what_could_be_unpacked_and_goes_on_when_whole(
    log: Path, name: str, pack: Pack
) -> None:
    """Nothing is read twice, wherever the archive was cut, also inside a line."""
    text = os.urandom(200_000).hex().encode()  # does not pack, so that a cut archive gives some of it
    text = b"".join(HEADER + b"INFO " + text[at : at + 70] + b"\n" for at in range(0, len(text), 70))
    whole = pack(text)
    log.write_bytes(whole[: len(whole) * 2 // 3])
    before, complaint = read_damaged(log)
    assert f"packed with {name}, and damaged or not complete" in complaint
    assert "ingest it again" in complaint
    if name != "bzip2":  # it packs blocks of 900 kB: one that is cut gives nothing
        assert 0 < len(records(before)) < 5715
    log.write_bytes(whole)
    after = read(log, last(before) if before else None)
    assert sum(batch.lines for batch in before + after) in (5715, 5716)
    whole_text = b"\n".join(record.message.encode() for record in records(read(log)))
    assert texts(before + after) == whole_text


@given(st.binary(max_size=300), st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_no_bytes_break_an_unpacker(noise: bytes, at: int) -> None:
    """An archive with noise in it is read to its end, or ends with an error of ours."""
    whole = gzip.compress(TEXT[:2000], mtime=0)
    for packed in (whole[:at] + noise + whole[at:], lzma.compress(TEXT[:2000])[:at] + noise):
        with TemporaryDirectory() as folder:
            path = Path(folder, "x.gz")
            path.write_bytes(packed)
            with suppress(InputUnreadable):
                read(path)


@each_packer
def test_a_bomb_takes_bounded_memory(log: Path, name: str, pack: Pack) -> None:
    """64 MiB in one line of zeros: it is read in parts, and never held."""
    log.write_bytes(pack(bytes(64 * 1024 * 1024)))
    with open_input(str(log), io.BytesIO()) as source:
        reading = iter(Reading(source, tz=UTC, now_us=NOW, block_bytes=64 * 1024, limit=64 * 1024))
        tracemalloc.start()
        try:
            next(reading)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            reading.close()  # type: ignore[attr-defined]
    assert peak < 150 * 1024 * 1024


def test_without_a_program_for_zstd_the_error_says_what_to_install(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(log.parent))
    log.write_bytes(b"\x28\xb5\x2f\xfd rest")
    with pytest.raises(InputUnreadable, match=f"{log}: is packed with zstd.*install"):
        read(log)


@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"BZh91AY&SY"])
def test_a_magic_with_rubbish_behind_it_is_damage(log: Path, magic: bytes) -> None:
    log.write_bytes(magic + b"rest\n")
    assert read_damaged(log)[0] == []


def test_a_line_that_begins_like_a_magic_is_a_line(log: Path) -> None:
    log.write_bytes(b"BZh is a place\n")
    assert [record.message for record in records(read(log))] == ["BZh is a place"]


def test_a_packed_database_is_refused(log: Path) -> None:
    log.write_bytes(gzip.compress(b"SQLite format 3\0" + bytes(5000)))
    with pytest.raises(InputUnreadable, match="SQLite database"):
        read(log)


@each_packer
def test_a_packed_file_that_grew_goes_on(log: Path, name: str, pack: Pack) -> None:
    cut = TEXT.index(b"\n", 50_000) + 1
    log.write_bytes(pack(TEXT[:cut]))
    before = read(log)
    log.write_bytes(pack(TEXT))
    after = read(log, last(before))
    assert len(records(before)) + len(records(after)) == 3000


def test_a_transform_is_put_behind_the_unpacking(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets count what it gives; a file that grew goes on."""

    def lines(stream: BinaryIO) -> Iterator[bytes]:
        assert stream.readline() == b"EXPORT\n"
        yield from (HEADER + b"INFO " + line.upper() for line in stream)

    monkeypatch.setattr(
        transforms, "TRANSFORMS", [transforms.Transform(lambda head: head[:7] == b"EXPORT\n", lines)]
    )
    for pack in (bytes, gzip.compress):
        log.write_bytes(pack(b"EXPORT\n" + b"a\n" * 700))
        before = read(log)
        assert {record.message for record in records(before)} == {"A"}
        assert last(before).offset == 700 * len(HEADER + b"INFO A\n")
        log.write_bytes(pack(b"EXPORT\n" + b"a\n" * 700 + b"b\n"))
        assert [record.message for record in records(read(log, last(before)))] == ["B"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_export_of_the_journal_is_read_as_its_json(log: Path, pack: Pack) -> None:
    entry = b"__CURSOR=a%d\n__REALTIME_TIMESTAMP=1779000000000000\n_HOSTNAME=n1\nMESSAGE=up %d\n\n"
    log.write_bytes(pack(b"".join(entry % (number, number) for number in range(20))))
    found = read(log)
    assert [record.message for record in records(found)] == [f"up {number}" for number in range(20)]
    assert {record.source for record in records(found)} == {"n1"}
    assert read(log, last(found)) == []
    log.write_bytes(pack(entry % (1, 1) + b"\xff no field\n"))
    assert read_damaged(log)[1].startswith(f"{log}: ")


# -- a file that was read, rotated and packed -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("x.log.1", ["x.log"]),
        ("x.log.1.gz", ["x.log"]),
        ("x.log.gz", ["x.log"]),
        ("x.log-20261122.xz", ["x.log"]),
        ("x.log-20261122-1690000000.zst", ["x.log"]),
        ("x.log.2026-11-22", ["x.log"]),
        ("0.log.20230810-082034.gz", ["0.log"]),
        ("x.log.old", ["x.log"]),
        ("x.log", []),
        ("x.log.offset", []),
        ("x.log.1.tmp", []),
        ("x-2026-11-22.log", []),
        (".1", []),
    ],
)
def test_the_name_before_rotation(name: str, found: list[str]) -> None:
    assert [base for base in bases(name) if base in ("x.log", "0.log")] == found
    assert list(bases(name)) == [] or found


@pytest.mark.parametrize("suffix", [".1.gz", "-20261122.gz", ".gz"])
def test_a_rotated_and_packed_file_goes_on_where_its_log_was_read(tmp_path: Path, suffix: str) -> None:
    """Exactly once through rotation by packing, also when the packed file grows or is read again."""
    log = tmp_path / "x.log"
    packed = tmp_path / f"x.log{suffix}"
    cut = TEXT.index(b"\n", 60_000) + 1
    log.write_bytes(TEXT[:cut])
    with LogStore(tmp_path / "a.db") as store:
        assert ingest(store, log) == TEXT[:cut].count(b"\n")
        packed.write_bytes(gzip.compress(TEXT))
        assert ingest(store, packed) == 3000 - TEXT[:cut].count(b"\n")
        assert ingest(store, packed) == 0
        other = tmp_path / f"x.log.7{suffix}"
        other.write_bytes(gzip.compress(TEXT.replace(b"INFO", b"WARN")))
        assert ingest(store, other) == 3000, "other bytes are another file"
        copy = tmp_path / "x.log.2"
        copy.write_bytes(TEXT)
        assert ingest(store, copy) == 3000, "an unpacked copy is a file of its own"


@pytest.mark.parametrize("suffix", [".gz", ".1.gz"])
@pytest.mark.parametrize("seen", ["ingested", "new"])
@pytest.mark.parametrize("count", [5, 3000])
def test_a_packed_copy_of_a_log_that_was_read_further_adds_nothing(
    tmp_path: Path, seen: str, count: int, suffix: str
) -> None:
    log = tmp_path / "x.log"
    packed = tmp_path / f"x.log{suffix}"
    text = b"".join(TEXT.splitlines(keepends=True)[:count])
    log.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    with LogStore(tmp_path / "a.db") as store:
        if seen == "ingested":
            assert ingest(store, log) == count
            assert ingest(store, packed) == 0
        with log.open("ab") as file:
            file.write(HEADER + b"INFO one more\n")
        assert ingest(store, log) == (1 if seen == "ingested" else count + 1)
        assert ingest(store, packed) == 0
        if seen == "ingested":
            log.unlink()
            assert ingest(store, packed) == 0
        packed.write_bytes(gzip.compress(text + HEADER + b"WARN it grew\n"))
        assert ingest(store, packed) == 1


def test_a_packed_log_that_only_begins_as_one_that_was_read_further_is_read(tmp_path: Path) -> None:
    log, packed = tmp_path / "x.log", tmp_path / "x.log.1.gz"
    log.write_bytes(TEXT)
    packed.write_bytes(gzip.compress(TEXT[:2000] + b"\n" + HEADER + b"INFO another\n"))
    with LogStore(tmp_path / "a.db") as store:
        assert ingest(store, log) == 3000
        assert ingest(store, packed) > 1


def test_a_packed_file_with_a_name_of_dots_is_read(tmp_path: Path) -> None:
    packed = tmp_path / "..1.gz"
    packed.write_bytes(gzip.compress(TEXT))
    with LogStore(tmp_path / "a.db") as store:
        assert ingest(store, packed) == 3000


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("x.1.log", ["x.log"]),
        ("x-20261122.log", ["x.log"]),
        ("x-20261122.log.gz", ["x.log"]),
        ("x.old.txt.xz", ["x.txt"]),
        ("x.log-20261122.gz", []),
        ("x.log.1", []),
        ("x.log", []),
    ],
)
def test_the_name_before_a_rotation_that_keeps_the_extension(name: str, found: list[str]) -> None:
    assert list(inner_bases(name)) == found


def ingest(store: LogStore, path: Path) -> int:
    """Ingest a file once, as the command does; how many records it gave."""
    count = 0
    with open_input(str(path), io.BytesIO()) as source:
        stored, after = find_place(store, source)
        for batch in Reading(source, tz=UTC, now_us=NOW, stored=stored):
            assert batch.checkpoint is not None
            count += store.log_input(batch.records, batch.checkpoint, after=after).records
            after = batch.checkpoint
    return count
