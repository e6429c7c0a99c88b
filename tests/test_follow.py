"""Following files: rotation of every kind, restarts and kills lose no line and double none."""

import gzip
import lzma
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Final

import pytest
from rotating import RotatingLog, follower, tokens

from logstore import LogStore
from logstore.checkpoint import Checkpoint
from logstore.errors import InputUnreadable
from logstore.sources.follow import Following
from logstore.sources.tail import Manner

KILLS: Final = int(os.environ.get("LOGSTORE_KILLS", "15"))
POLL_S: Final = 0.25
SETTLE_S: Final = 1.0
HEADER: Final = "2026-05-15 18:19:32 INFO "


def lines(*numbers: int) -> str:
    return "".join(f"{HEADER}line <{number}>\n" for number in numbers)


class Follower:
    """Follows into a store, on a clock that the test moves on."""

    def __init__(self, database: Path, *patterns: Path, batch_lines: int = 50) -> None:
        self.database = database
        self.patterns = [str(pattern) for pattern in patterns]
        self.notes: list[str] = []
        self.now_s = 0.0
        self._batch_lines = batch_lines
        self.restart()

    def restart(self) -> None:
        """Begin anew, as after a kill: nothing is known but what was stored."""
        self.close()
        self.store = LogStore(self.database, durability="normal")
        manner = Manner(UTC, lambda: 1_795_000_000_000_000, settle_s=SETTLE_S, batch_lines=self._batch_lines)
        self.following = Following(
            self.patterns,
            self.store,
            manner,
            note=self.notes.append,
            stop=lambda: False,
            clock=lambda: self.now_s,
        )

    def close(self) -> None:
        if hasattr(self, "store"):
            for member in self.following._families.values():
                member.close()
            self.store.close()

    def round(self) -> int:
        """Look once at each file; how many gave something."""
        count = 0
        for batch, after, _ in self.following._round():
            assert batch.checkpoint is not None
            self.store.log_input(batch.records, batch.checkpoint, after=after)
            count += 1
        return count

    def run(self, seconds: float = 4 * SETTLE_S) -> dict[int, int]:
        """Follow for a while; return how often each line was stored."""
        end = self.now_s + seconds
        while self.now_s < end:
            if not self.round():
                self.now_s += POLL_S
        return dict(tokens(self.database))

    @property
    def messages(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for episode in self.store.episodes():
            found[episode.message] += episode.count
        return found


def once(*numbers: int) -> dict[int, int]:
    return dict.fromkeys(numbers, 1)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder / "x.log"


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., Follower]]:
    made: list[Follower] = []

    def make(*patterns: Path, **more: int) -> Follower:
        made.append(Follower(tmp_path / f"{len(made)}.db", *patterns, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


Follow = Callable[..., Follower]


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def sibling(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


# -- lines and records that are not complete ---------------------------------------------------------------


def test_a_line_is_stored_within_a_poll_and_the_time_to_settle(log: Path, follow: Follow) -> None:
    log.write_text(lines(1))
    one = follow(log)
    assert one.run() == once(1)
    append(log, lines(2))
    assert one.run(POLL_S + SETTLE_S + POLL_S) == once(1, 2)


def test_a_line_followed_by_another_is_stored_at_the_next_look(log: Path, follow: Follow) -> None:
    log.write_text(lines(1))
    one = follow(log)
    one.run()
    append(log, lines(2, 3))
    one.round()
    assert tokens(one.database) == once(1, 2)


def test_half_a_line_waits_for_its_end_however_long(log: Path, follow: Follow) -> None:
    log.write_text(lines(1) + HEADER + "half")
    one = follow(log)
    assert one.run(1000 * SETTLE_S) == once(1)
    append(log, " <2>\n")
    assert one.run() == once(1, 2)
    assert one.messages == {"line <1>": 1, "half <2>": 1}


def test_a_record_waits_for_the_lines_that_continue_it_until_the_file_is_quiet(
    log: Path, follow: Follow
) -> None:
    log.write_text(lines(0))
    one = follow(log)
    one.run()
    append(log, lines(1))
    for number in (2, 3, 4):
        one.run(SETTLE_S / 2)
        append(log, f"  at trace <{number}>\n")
    one.run()
    assert one.messages == {"line <0>": 1, "line <1>\n  at trace <2>\n  at trace <3>\n  at trace <4>": 1}
    append(log, "  at last <5>\n")
    assert one.run() == once(0, 1, 2, 3, 4, 5), "what comes too late is kept, as a part"


def test_an_empty_file_and_blank_waits_write_nothing_again_and_again(log: Path, follow: Follow) -> None:
    log.touch()
    one = follow(log)
    one.run()
    assert one.round() == 0
    append(log, lines(1))
    assert one.run() == once(1)


# -- rotation while it is followed -----------------------------------------------------------------------


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(log: Path, follow: Follow) -> None:
    log.write_text(lines(1))
    one = follow(log)
    one.run()
    append(log, lines(2) + HEADER + "no line end <3>")
    log.rename(sibling(log, ".1"))
    log.write_text(lines(4))
    assert one.run() == once(1, 2, 3, 4)
    append(sibling(log, ".1"), "\n" + lines(5))
    assert one.run() == once(1, 2, 3, 4, 5), "a writer that was not told writes on"


def test_a_file_that_is_removed_while_it_is_followed_is_read_to_its_end(log: Path, follow: Follow) -> None:
    log.write_text(lines(1))
    one = follow(log)
    one.run()
    append(log, lines(2))
    log.unlink()
    assert one.run() == once(1, 2)
    assert one.notes == [f"{log}: is not there; waiting for it"]
    log.write_text(lines(3))  # most likely with the same inode
    assert one.run() == once(1, 2, 3)


@pytest.mark.parametrize("suffix", [".1", "-20261122", ".1.gz", "-20261122.gz"])
def test_copy_and_truncate_loses_nothing_that_was_copied(log: Path, follow: Follow, suffix: str) -> None:
    log.write_text(lines(*range(100)))
    one = follow(log)
    one.run()
    append(log, lines(100, 101))
    data = log.read_bytes()
    sibling(log, suffix).write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    os.truncate(log, 0)
    append(log, lines(*range(102, 300)))  # longer than it was before
    assert one.run() == once(*range(300))
    assert one.notes == []


def test_a_copy_that_waits_for_its_truncation_is_not_read(log: Path, follow: Follow) -> None:
    log.write_text(lines(1, 2, 3))
    one = follow(log)
    one.run()
    append(log, lines(4))
    shutil.copy(log, sibling(log, ".1"))
    assert one.run() == once(1, 2, 3, 4)
    append(log, lines(5))
    assert one.run() == once(1, 2, 3, 4, 5)
    os.truncate(log, 0)
    append(log, lines(6))
    assert one.run() == once(*range(1, 7))


def test_a_truncation_without_a_copy_is_said(log: Path, follow: Follow) -> None:
    log.write_text(lines(1, 2))
    one = follow(log)
    one.run()
    log.write_text(lines(3))
    assert one.run() == once(1, 2, 3)
    (note,) = one.notes
    assert f"{log}: was cut or replaced, and no copy of it is there" in note


@pytest.mark.parametrize("numbers", [(3,), (3, 4), (3, 4, 5)], ids=["shorter", "as long", "longer"])
def test_a_file_that_is_overwritten_starts_anew(log: Path, follow: Follow, numbers: tuple[int, ...]) -> None:
    log.write_text(lines(1, 2))
    one = follow(log)
    one.run()
    log.write_text(lines(*numbers))
    assert one.run() == once(1, 2, *numbers)


def test_a_file_replaced_by_another_name_starts_anew(log: Path, follow: Follow) -> None:
    log.write_text(lines(1, 2))
    one = follow(log)
    one.run()
    new = sibling(log, "~")
    new.write_text(lines(3, 4))
    new.replace(log)
    assert one.run() == once(1, 2, 3, 4)


def test_packing_at_once_is_no_new_log(log: Path, follow: Follow) -> None:
    log.write_text(lines(*range(60)))
    one = follow(log)
    one.run()
    append(log, lines(60))
    sibling(log, ".1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    log.write_text(lines(61))
    assert one.run() == once(*range(62))
    sibling(log, ".1.gz").rename(sibling(log, ".2.gz"))
    log.rename(sibling(log, ".1"))
    assert one.run() == once(*range(62))


# -- rotation while nobody follows ----------------------------------------------------------------------


def test_rotations_while_nobody_followed_are_read_oldest_first(log: Path, follow: Follow) -> None:
    history = sibling(log, ".1")
    history.write_text(lines(900))
    os.utime(history, (1, 1))
    log.write_text(lines(1, 2))
    one = follow(log)
    assert one.run() == once(1, 2), "what was rotated before it was followed is history"
    one.close()
    append(log, lines(3))
    names = [".5", ".4.xz", ".3", ".2.gz", ""]
    history.rename(sibling(log, ".6"))
    log.rename(sibling(log, ".5"))
    for number, suffix in enumerate(names[1:], start=4):
        data = lines(number).encode()
        packers: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress}
        sibling(log, suffix).write_bytes(packers.get(suffix[-3:], bytes)(data))
        os.utime(sibling(log, suffix), (4_000_000_000 + number,) * 2)
    one.restart()
    assert one.run() == once(*range(1, 8))
    assert [episode.message for episode in one.store.episodes(newest_first=False, order="first")] == [
        f"line <{number}>" for number in range(1, 8)
    ]
    one.restart()
    assert one.run() == once(*range(1, 8))


@pytest.mark.parametrize("kind", ["copied", "packed"])
def test_copy_and_truncate_twice_while_nobody_followed(log: Path, follow: Follow, kind: str) -> None:
    log.write_text(lines(*range(50)))
    one = follow(log)
    one.run()
    one.close()
    for first, name in ((50, ".2"), (70, ".1")):
        append(log, lines(*range(first, first + 20)))
        data = log.read_bytes()
        packed = gzip.compress(data) if kind == "packed" else data
        sibling(log, name + (".gz" if kind == "packed" else "")).write_bytes(packed)
        os.truncate(log, 0)
    append(log, lines(*range(90, 100)))
    one.restart()
    assert one.run() == once(*range(100))
    assert one.notes == []


def test_a_generation_without_its_successor_is_read_after_a_restart(log: Path, follow: Follow) -> None:
    """`nocreate`: nothing is at the path until the program writes again."""
    log.write_text(lines(1))
    one = follow(log)
    one.run()
    one.close()
    append(log, lines(2))
    log.rename(sibling(log, ".1"))
    one.restart()
    assert one.run() == once(1, 2)
    log.write_text(lines(3))
    assert one.run() == once(1, 2, 3)


def test_a_packed_generation_that_is_still_being_made_is_waited_for(log: Path, follow: Follow) -> None:
    log.write_text(lines(*range(500)))
    one = follow(log)
    one.run()
    one.close()
    append(log, lines(500))
    whole = gzip.compress(log.read_bytes())
    log.unlink()
    packed = sibling(log, ".1.gz")
    packed.write_bytes(whole[:-9])
    log.write_text(lines(501))
    one.restart()
    one.run(SETTLE_S / 2)
    packed.write_bytes(whole)
    assert one.run() == once(*range(502))


# -- names -----------------------------------------------------------------------------------------------


def test_a_glob_finds_files_that_appear_later_and_reads_no_generation_twice(
    log: Path, follow: Follow
) -> None:
    log.write_text(lines(1))
    one = follow(log.with_name("*"))
    one.run()
    log.rename(sibling(log, ".1"))
    log.write_text(lines(2))
    log.with_name("y.log").write_text(lines(3))
    assert one.run() == once(1, 2, 3)
    sibling(log, ".1.gz").write_bytes(gzip.compress(sibling(log, ".1").read_bytes()))
    sibling(log, ".1").unlink()
    assert one.run() == once(1, 2, 3)
    log.rename(log.with_name("x-2026.log"))
    one.restart()
    assert one.run() == once(1, 2, 3), "a name that the glob takes for another log is the same file"


def test_one_file_by_several_names_is_read_once(log: Path, follow: Follow) -> None:
    log.write_text(lines(1))
    link, hard = log.with_name("link.log"), log.with_name("hard.log")
    link.symlink_to(log)
    hard.hardlink_to(log)
    one = follow(log.with_name("*.log"), log, link)
    assert one.run() == once(1)
    append(hard, lines(2))
    assert one.run() == once(1, 2)


def test_a_link_that_moves_on_to_another_file(log: Path, follow: Follow) -> None:
    first, second = log.with_name("a-1.txt"), log.with_name("a-2.txt")
    first.write_text(lines(1))
    log.symlink_to(first)
    one = follow(log)
    one.run()
    append(first, lines(2))
    second.write_text(lines(3))
    log.unlink()
    log.symlink_to(second)
    assert one.run() == once(1, 2, 3)


def test_a_path_that_is_not_there_yet_is_waited_for_and_said_once(log: Path, follow: Follow) -> None:
    one = follow(log)
    assert one.run() == {}
    assert one.notes == [f"{log}: is not there; waiting for it"]
    log.write_text(lines(1))
    assert one.run() == once(1)


@pytest.mark.parametrize(
    ("kind", "said"), [("folder", "is a folder"), ("fifo", "is a FIFO"), ("device", "is a device")]
)
def test_what_cannot_be_followed_is_said_once_and_comes_back(
    log: Path, follow: Follow, kind: str, said: str
) -> None:
    make: dict[str, Callable[[], object]] = {
        "folder": log.mkdir,
        "fifo": lambda: os.mkfifo(log),
        "device": lambda: log.symlink_to("/dev/null"),
    }
    make[kind]()
    other = log.with_name("y.log")
    other.write_text(lines(1))
    one = follow(log, other)
    assert one.run() == once(1), "others go on"
    assert [note.startswith(f"{log}: {said}") for note in one.notes] == [True]
    log.rmdir() if kind == "folder" else log.unlink()
    log.write_text(lines(2))
    assert one.run() == once(1, 2)


def test_a_file_that_may_not_be_read_for_a_while(
    log: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "logstore.sources.family.open_file"

    def refuse(path: str) -> object:
        raise InputUnreadable(f"{path}: Permission denied; run as a user that may read it")

    log.write_text(lines(1))
    one = follow(log)
    monkeypatch.setattr(name, refuse)
    assert one.run() == {}
    assert len(one.notes) == 1
    monkeypatch.undo()
    assert one.run() == once(1)


def test_a_database_in_a_glob_is_said_once(log: Path, follow: Follow) -> None:
    log.write_text(lines(1))
    log.with_name("a.sqlite").write_bytes(b"SQLite format 3\0" + bytes(100))
    one = follow(log.with_name("*"))
    assert one.run() == once(1)
    assert len(one.notes) == 1


# -- what a glob finds besides the logs ------------------------------------------------------------------


@pytest.mark.parametrize("when", ["at once", "late", "while nobody followed"])
@pytest.mark.parametrize("suffix", [".ct50", "-copy", ".ct50.gz", ".1.bak"])
def test_a_copy_under_an_unusual_name_that_the_glob_finds_is_no_log_of_its_own(
    log: Path, follow: Follow, suffix: str, when: str
) -> None:
    log.write_text(lines(*range(100)))
    one = follow(sibling(log, "*"))
    one.run()
    if when == "while nobody followed":
        one.close()
    append(log, lines(100, 101) + HEADER + "no line end <102>")
    data = log.read_bytes()
    sibling(log, suffix).write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    if when == "late":
        assert one.run() == once(*range(102))
    os.truncate(log, 0)
    append(log, lines(*range(103, 200)))
    if when == "while nobody followed":
        one.restart()
    assert one.run() == once(*range(200))
    one.restart()
    append(log, lines(200))
    assert one.run() == once(*range(201))
    assert one.notes == []


@pytest.mark.parametrize("seed", range(40))
def test_rotations_under_unusual_names_with_a_restart_between_any_two_steps(
    log: Path, follow: Follow, seed: int
) -> None:
    """Each rotation is a list of steps; after each step follow some looks, none, or a restart."""
    pick = random.Random(seed)
    log.write_text(lines(0))
    one = follow(sibling(log, "*"), batch_lines=7)
    one.run(POLL_S * 3)
    written = 1
    for number in range(4):
        copy = sibling(
            log, pick.choice([f".ct{number}", f"-copy{number}", f".{number}x.gz", f".{number + 1}"])
        )
        for step in _rotation(log, copy, pick.choice(["copied", "renamed"])):
            count = pick.choice([0, 1, 10, 60])
            if log.exists() and not copy.exists():
                append(log, lines(*range(written, written + count)))
                written += count
            step()
            for _ in range(pick.choice([0, 1, 2, 3, 9])):
                one.round()
                one.now_s += pick.choice([POLL_S, SETTLE_S])
            if not pick.randrange(3):
                one.restart()
        one.run()  # one rotation at a time: a copy that nobody saw begin has nothing to be known by
    assert one.run() == once(*range(written)), one.notes
    assert not [note for note in one.notes if "lost" in note or "left out" in note]


def _rotation(log: Path, copy: Path, kind: str) -> list[Callable[[], object]]:
    if kind == "renamed" and copy.suffix != ".gz":
        return [lambda: None, lambda: log.rename(copy), log.touch]

    def half() -> None:
        copy.write_bytes(whole()[: len(whole()) // 2])

    def whole() -> bytes:
        data = log.read_bytes()
        return gzip.compress(data, mtime=0) if copy.suffix == ".gz" else data

    return [lambda: None, half, lambda: copy.write_bytes(whole()), lambda: os.truncate(log, 0)]


def test_a_log_that_begins_as_another_is_a_log_of_its_own(log: Path, follow: Follow) -> None:
    banner = "2026-05-15 18:19:30 INFO started\n"
    audit = sibling(log, "-audit")
    log.write_text(banner)
    audit.write_text(banner)
    one = follow(sibling(log, "*"))
    one.run()
    append(audit, lines(1))
    one.run()
    append(audit, HEADER + "half")
    append(log, lines(2))
    one.run()
    append(audit, " <3>\n")
    assert one.run() == once(1, 2, 3)
    one.restart()
    append(audit, lines(4))
    os.truncate(log, 0)
    append(log, lines(5))
    assert one.run() == once(1, 2, 3, 4, 5)
    assert one.messages["started"] == 2


def test_a_log_that_grows_beside_one_whose_name_it_extends(log: Path, follow: Follow) -> None:
    log.write_text(lines(*range(100)))
    error = sibling(log, "-error")
    one = follow(sibling(log, "*"))
    one.run()
    error.touch()
    one.run()
    append(error, HEADER + "half")
    one.run()
    append(error, " <100>\n")
    assert one.run() == once(*range(101))
    one.restart()
    append(error, lines(101))
    assert one.run() == once(*range(102))
    assert one.messages["half <100>"] == 1


def test_generations_that_the_glob_matches_are_read_however_old(log: Path, follow: Follow) -> None:
    for number in (3, 2, 1):
        data = lines(number).encode()
        name = sibling(log, f".{number}" + (".gz" if number > 1 else ""))
        name.write_bytes(gzip.compress(data) if number > 1 else data)
        os.utime(name, (1000 - number,) * 2)
    log.write_text(lines(4))
    one = follow(sibling(log, "*"))
    one.run(POLL_S * 2)
    one.restart()
    assert one.run() == once(1, 2, 3, 4)
    one.restart()
    assert one.run() == once(1, 2, 3, 4)
    other = follow(log.with_name("*.log"))
    assert other.run() == once(4), "what no glob matches is history"


def test_a_packed_log_alone_goes_on_after_a_kill(log: Path, follow: Follow) -> None:
    sibling(log, ".x.gz").write_bytes(gzip.compress(lines(*range(300)).encode()))
    one = follow(sibling(log, "*"), batch_lines=50)
    for _ in range(4):
        one.round()
    assert 0 < len(tokens(one.database)) < 300
    one.restart()
    assert one.run() == once(*range(300))


def test_generations_with_the_same_banner_are_all_read(log: Path, follow: Follow) -> None:
    banner = "2026-05-15 18:19:30 INFO started\n"
    sibling(log, ".1").write_text(banner + lines(1))
    log.write_text(banner)
    one = follow(sibling(log, "*"))
    assert one.run() == once(1)
    append(log, lines(2))
    assert one.run() == once(1, 2)
    assert one.messages["started"] == 2


@pytest.mark.parametrize("kind", ["renamed", "copied", "packed"])
def test_what_was_seen_before_a_kill_is_no_history(log: Path, follow: Follow, kind: str) -> None:
    """Killed when nothing of the log was stored yet; then it was rotated."""
    history = sibling(log, ".2")
    history.write_text(lines(900))
    os.utime(history, (1, 1))
    log.write_text(lines(*range(100)))
    one = follow(log)
    one.round()
    one.round()
    assert tokens(one.database) == {}
    one.close()
    data = log.read_bytes()
    if kind == "renamed":
        log.rename(sibling(log, ".1"))
    else:
        name = sibling(log, ".1.gz" if kind == "packed" else ".1")
        name.write_bytes(gzip.compress(data) if kind == "packed" else data)
        os.truncate(log, 0)
    append(log, lines(100))
    one.restart()
    assert one.run() == once(*range(101))


def test_a_log_that_was_empty_at_first_gets_the_masks_of_its_format(log: Path, tmp_path: Path) -> None:
    log.touch()
    one = Follower(tmp_path / "a.db", log)
    asked: list[tuple[str, bool]] = []

    def masks(format_: str, stored: Checkpoint | None) -> str:
        asked.append((format_, stored is not None))
        return "none"

    one.following._manner = replace(one.following._manner, masks=masks)
    one.run()
    append(log, "May 15 18:19:32 n1 p: a\nMay 15 18:19:33 n1 p: b\n")
    one.run()
    assert ("syslog3164", False) in asked
    one.close()


def test_nothing_but_folders_is_refused(log: Path, follow: Follow) -> None:
    log.mkdir()
    one = follow(log, log.parent)
    with pytest.raises(InputUnreadable, match="is a folder; name the files in it"):
        next(iter(one.following))


# -- a suffix of rotation before the extension -----------------------------------------------------------


INNER: Final = ["x-20261122.log", "x.1.log", "x.2026-11-22.log"]


@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("glob", ["x.log", "*.log"])
def test_a_rename_before_the_extension_while_nobody_followed(
    log: Path, follow: Follow, name: str, glob: str
) -> None:
    log.write_text(lines(1, 2))
    one = follow(log.with_name(glob))
    one.run()
    one.close()
    append(log, lines(3))
    log.rename(log.with_name(name))
    log.write_text(lines(4))
    one.restart()
    assert one.run() == once(1, 2, 3, 4)
    one.restart()
    log.with_name(name).unlink()
    assert one.run() == once(1, 2, 3, 4)
    assert one.notes == []


@pytest.mark.parametrize("when", ["followed", "not followed"])
@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("glob", ["x.log", "*.log"])
def test_a_copy_before_the_extension_is_no_log_of_its_own(
    log: Path, follow: Follow, name: str, glob: str, when: str
) -> None:
    log.write_text(lines(1, 2))
    one = follow(log.with_name(glob))
    one.run()
    if when == "not followed":
        one.close()
    append(log, lines(3))
    shutil.copy(log, log.with_name(name))
    os.truncate(log, 0)
    append(log, lines(4))
    if when == "not followed":
        one.restart()
    assert one.run() == once(1, 2, 3, 4)
    one.restart()
    assert one.run() == once(1, 2, 3, 4)
    assert one.notes == []


def test_two_rotations_before_the_extension_while_nobody_followed(log: Path, follow: Follow) -> None:
    """The second generation was never seen: that the first one is a generation tells what it is."""
    log.write_text(lines(1))
    one = follow(log)
    one.run()
    one.close()
    append(log, lines(2))
    log.rename(log.with_name("x.2.log"))
    log.with_name("x.1.log").write_text(lines(3))
    log.write_text(lines(4))
    one.restart()
    assert one.run() == once(1, 2, 3, 4)


def test_a_log_of_its_own_with_a_number_before_the_extension_holds_up_nobody(
    log: Path, follow: Follow
) -> None:
    other = log.with_name("x-1.log")
    log.write_text(lines(1))
    other.write_text(lines(100))
    one = follow(log)
    one.run()
    for number in range(2, 20):
        append(log, lines(number))
        append(other, lines(99 + number))
        one.run(SETTLE_S / 2)
    assert one.run() == once(*range(1, 20)), "and is not read, as nobody asked for it"
    both = follow(log.with_name("*.log"))
    assert both.run() == once(*range(1, 20), *range(100, 119))


def test_a_copy_in_another_folder_that_a_glob_finds(log: Path, follow: Follow) -> None:
    log.write_text(lines(1, 2))
    old = log.with_name("old")
    old.mkdir()
    one = follow(old / "*", log.with_name("*.log"))
    one.run()
    for number, name in enumerate(("x.log.1", "x-20261122.log"), start=3):
        append(log, lines(number))
        shutil.copy(log, old / name)
        os.truncate(log, 0)
        one.run()
    append(log, lines(5))
    assert one.run() == once(1, 2, 3, 4, 5)
    one.restart()
    assert one.run() == once(1, 2, 3, 4, 5)
    assert one.notes == []


@pytest.mark.parametrize("new", [True, False], ids=["a new one", "nothing"])
def test_a_file_that_is_gone_without_an_heir_is_said_once(log: Path, follow: Follow, new: bool) -> None:
    log.write_text(lines(1, 2))
    one = follow(log)
    one.run()
    one.close()
    append(log, lines(3))
    log.rename(log.with_name("moved"))
    if new:
        log.write_text(lines(4))
    one.restart()
    one.run()
    assert [note for note in one.notes if "may be lost" in note] == [
        (
            f"{log}: the file that was read here is gone, and no copy of it is there: "
            f"what was written to it after byte {len(lines(1, 2))} may be lost"
        )
    ]
    one.notes.clear()
    one.restart()
    one.run()
    assert not [note for note in one.notes if "may be lost" in note]


def test_a_file_that_goes_on_under_another_name_that_is_followed_is_not_said(
    log: Path, follow: Follow
) -> None:
    log.write_text(lines(1))
    one = follow(log.with_name("*.log"))
    one.run()
    one.close()
    append(log, lines(2))
    log.rename(log.with_name("other.log"))
    log.write_text(lines(3))
    one.restart()
    assert one.run() == once(1, 2, 3)
    assert one.notes == []


@pytest.mark.parametrize("number", [1, 7])
def test_a_generation_that_is_deleted_after_it_was_read_is_not_said(
    log: Path, follow: Follow, number: int
) -> None:
    log.write_text(lines(1))
    one = follow(log)
    one.run()
    for each in range(number):
        append(log, lines(2 + each))
        log.rename(sibling(log, ".1"))
        log.write_text(lines(100 + each))
        one.run()
    sibling(log, ".1").unlink()
    one.restart()
    one.run()
    assert one.notes == []


def test_a_last_record_needs_no_wait_if_the_file_has_long_been_quiet(log: Path, follow: Follow) -> None:
    """A process that is killed before the time to settle is over stores it all the same."""
    log.write_text(lines(1, 2) + HEADER + "half")
    one = follow(log)
    one.following._manner = replace(one.following._manner, now_us=lambda: (time.time_ns() + 10**13) // 1000)
    for _ in range(5):
        one.round()
    assert tokens(one.database) == once(1, 2)
    append(log, " <3>\n")
    one.round()
    assert tokens(one.database) == once(1, 2), "a look at what is written is not shortened"


def test_generations_that_have_long_been_quiet_are_read_without_a_wait(log: Path, follow: Follow) -> None:
    log.write_text(lines(1))
    one = follow(log)
    one.run()
    one.close()
    log.rename(sibling(log, ".2"))
    sibling(log, ".1.gz").write_bytes(gzip.compress(lines(2).encode()))
    log.write_text(lines(3))
    one.restart()
    one.following._manner = replace(one.following._manner, now_us=lambda: (time.time_ns() + 10**13) // 1000)
    for _ in range(12):
        one.round()
    assert tokens(one.database) == once(1, 2, 3)


# -- fairness, identity, kills ---------------------------------------------------------------------------


def test_a_busy_file_does_not_starve_others(log: Path, follow: Follow) -> None:
    log.write_text(lines(*range(1, 1000)))
    one = follow(log, log.with_name("y.log"), batch_lines=50)
    one.round()
    log.with_name("y.log").write_text(lines(0, 5000))
    for _ in range(4):
        one.round()
    found = tokens(one.database)
    assert found[0] == 1
    assert len(found) < 500
    assert one.run() == once(*range(1000), 5000)


def test_a_new_generation_keeps_the_source_of_the_one_before(log: Path, follow: Follow) -> None:
    """A line without a host is the same content before and after a rotation."""
    log.write_text("May 15 18:19:32 n1 p: a\nMay 15 18:19:33 n1 p: b\n")
    one = follow(log)
    one.run()
    log.rename(sibling(log, ".1"))
    log.write_text("May 15 18:19:34 n1 p: a\n")
    one.run()
    assert {episode.source for episode in one.store.episodes()} == {"n1/p"}
    assert one.messages == {"a": 2, "b": 1}


def test_kills_while_a_rotating_file_is_followed_lose_and_double_nothing(tmp_path: Path) -> None:
    """LOGSTORE_KILLS says how many; each hits a follower at a random moment."""
    folder = tmp_path / "logs"
    folder.mkdir()
    path, database = folder / "x.log", tmp_path / "a.db"
    path.write_text(lines(0))
    pick = random.Random(KILLS)
    process = follower(database, str(path))
    assert comes_true(lambda: tokens(database) == {0: 1})
    with RotatingLog(path, seed=KILLS) as log:
        for _ in range(KILLS):
            time.sleep(pick.choice([0.02, 0.1, 0.4]) * pick.random())
            process.kill()
            process.communicate()
            process = follower(database, str(path))
    try:
        comes_true(lambda: sum(tokens(database).values()) >= log.written)
    finally:
        process.kill()
        notes = process.communicate()[0]
    found = tokens(database)
    missing = [number for number in range(log.written) if not found[number]]
    doubled = [number for number, count in found.items() if count > 1]
    assert log.rotations
    assert (missing, doubled) == ([], []), f"{log.written} lines, {log.rotations} rotations: {notes}"


def comes_true(fact: Callable[[], bool], seconds: float = 30) -> bool:
    """Wait for a fact; whether it came true."""
    end = time.monotonic() + seconds
    while not (true := fact()) and time.monotonic() < end:
        time.sleep(0.02)
    return true
