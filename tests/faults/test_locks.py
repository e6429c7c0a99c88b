"""Files that are renamed, removed, replaced, linked or locked by others while a store is open."""

import faulthandler
import re
from collections.abc import Iterator
from pathlib import Path

import locks
import pytest
from locks import BEFORE, Deed, do, with_another
from model import NOW_US, Clock
from processes import Child, folder, in_child

from logstore import LogStore, errors
from logstore.database import files

REFUSED = {"StoreUnavailable", "StoreMissing", "OutcomeUnknown"}


@pytest.fixture
def path() -> Iterator[Path]:
    with folder() as place:
        yield place / "log.db"


@pytest.mark.parametrize("in_transaction", [False, True], ids=["between calls", "inside a call"])
@pytest.mark.parametrize(
    ("deed", "undo"),
    [
        (locks.rename, locks.rename_back),
        (locks.rename_all, locks.rename_all_back),
        (locks.rename_folder, locks.rename_folder_back),
    ],
)
def test_what_was_moved_away_is_missed_until_it_is_back(deed: Deed, undo: Deed, in_transaction: bool) -> None:
    """While the files are elsewhere each call is refused; put back, the same object writes on."""
    seen = do(deed, undo=undo, in_transaction=in_transaction)

    assert set(seen.said[BEFORE:-5]) <= REFUSED
    assert seen.said[-5:] == ["acked"] * 5
    assert seen.is_kept


@pytest.mark.parametrize("in_transaction", [False, True], ids=["between calls", "inside a call"])
@pytest.mark.parametrize("deed", [locks.remove, locks.remove_all])
def test_what_was_removed_is_missed_and_not_made_anew(deed: Deed, in_transaction: bool) -> None:
    """No call after it is acknowledged: what it stored would be in a file that nobody finds."""
    seen = do(deed, in_transaction=in_transaction)

    assert set(seen.said[BEFORE:]) <= REFUSED


@pytest.mark.parametrize(
    ("deed", "in_transaction"),
    [
        (locks.replace_by_copy, False),
        (locks.replace_by_copy, True),
        (locks.replace_wal_by_copy, False),
        (locks.replace_wal_by_copy, True),
        (locks.use_stdlib, False),
        (locks.use_stdlib, True),
    ],
)
def test_what_was_replaced_is_noticed_once_and_then_written(deed: Deed, in_transaction: bool) -> None:
    """One call is refused; from then on the object writes to what is there now, and that is found."""
    seen = do(deed, in_transaction=in_transaction)

    assert seen.said[BEFORE] in REFUSED
    assert seen.said[BEFORE + 1 :] == ["acked"] * 9
    assert seen.is_kept


@pytest.mark.parametrize("in_transaction", [False, True], ids=["between calls", "inside a call"])
def test_a_log_that_was_removed_is_noticed_and_writing_goes_on(in_transaction: bool) -> None:
    """What lay in the removed -wal may be lost; whatever is acknowledged after the refusal is not."""
    seen = do(locks.remove_wal, in_transaction=in_transaction)

    assert seen.said[BEFORE] in REFUSED
    assert seen.said[-5:] == ["acked"] * 5
    assert isinstance(seen.stored, int)
    assert seen.stored >= seen.acked - BEFORE


@pytest.mark.parametrize("deed", [locks.remove_shm, locks.read_by_hand, locks.empty_wal])
def test_alone_a_process_may_be_robbed_of_locks_and_index(deed: Deed) -> None:
    """Without another writer, neither a lost -shm nor lost locks lose anything."""
    assert do(deed).is_kept


@pytest.mark.parametrize(
    "deed",
    [
        locks.remove_shm,
        locks.use_stdlib,
        locks.read_by_hand,
        locks.replace_by_copy,
        locks.replace_wal_by_copy,
    ],
)
def test_two_processes_lose_nothing_that_they_acknowledged(deed: Deed) -> None:
    """After the deed another process opens the store, and both write in turn: refused or kept."""
    seen = with_another(deed)

    assert seen.acked > BEFORE
    assert seen.is_kept, seen


def test_a_file_that_was_cut_in_place_is_noticed() -> None:
    """As by logrotate's copytruncate: nothing is acknowledged that is not there in the end."""
    assert set(do(locks.empty).said[BEFORE:]).isdisjoint({"acked"})


def test_a_file_that_was_overwritten_in_place_is_damaged_and_said_so() -> None:
    """`cp other log.db` while open: no look at a file can tell; the next one to open it is told."""
    seen = do(locks.overwrite)

    assert seen.is_kept or seen.stored in {"StoreDamaged", "NotALogStore"}


def test_a_shm_that_is_cut_is_refused_or_ends_the_process(path: Path) -> None:
    """A mapped file that shrinks is a SIGBUS, which nobody can catch; what was acknowledged is there."""

    def cut() -> None:
        faulthandler.disable()
        with LogStore(path, clock_us=Clock(NOW_US)) as store:
            store.log("m")
            with locks.beside(path, "shm").open("r+b") as shm:
                shm.truncate(0)
            store.log("m")

    with Child(cut) as child:
        child.wait()
    with LogStore(path, clock_us=Clock(NOW_US)) as store:
        assert store.log("m") in {2, 3}


# -- names ---------------------------------------------------------------------------------------------


def test_a_symbolic_link_is_the_file_it_leads_to(path: Path) -> None:
    """By either name it is one store with one log: counts are exact."""
    link = path.with_name("link.db")
    link.symlink_to(path)
    with LogStore(path, clock_us=Clock(NOW_US)) as one, LogStore(link, clock_us=Clock(NOW_US)) as other:
        assert [store.log("m") for store in (one, other, one, other)] == [1, 2, 3, 4]
    assert not locks.beside(link, "wal").exists()


def test_a_link_that_is_turned_elsewhere_leaves_the_open_store_where_it_is(path: Path) -> None:
    """The path is resolved once, when the store is opened."""
    link, other = path.with_name("link.db"), path.with_name("other.db")
    link.symlink_to(path)
    with LogStore(link, clock_us=Clock(NOW_US)) as store:
        store.log("m")
        link.unlink()
        link.symlink_to(other)
        assert store.log("m") == 2
        assert not other.exists()


def test_a_file_of_two_names_is_refused_for_writing(path: Path) -> None:
    """Each name would have a log of its own."""
    LogStore(path).close()
    second = path.with_name("second.db")
    second.hardlink_to(path)
    for name in (path, second):
        with pytest.raises(errors.StoreUnavailable, match=r"hard links.*remove"):
            LogStore(name)
    second.unlink()
    LogStore(path).close()


def test_a_second_name_given_while_open_harms_nobody(path: Path) -> None:
    """Who has it open writes on; by the second name another process is refused."""
    second = path.with_name("second.db")

    def other() -> str:
        try:
            LogStore(second)
        except errors.StoreUnavailable as error:
            return str(error)
        return "opened"

    with LogStore(path, clock_us=Clock(NOW_US)) as store:
        store.log("m")
        second.hardlink_to(path)
        assert store.log("m") == 2
    assert "hard links" in in_child(other)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph"])
def test_a_network_filesystem_is_refused_for_writing(
    path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Locks do not hold there; the error names the filesystem and the way out."""
    LogStore(path).close()
    monkeypatch.setattr(files, "filesystem", lambda _device: kind)

    with pytest.raises(errors.StoreUnavailable, match=rf"{re.escape(str(path))}.*{kind}.*local disk"):
        LogStore(path)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuse.lxcfs", ""])
def test_a_local_filesystem_is_not_refused(path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Nor one that the system does not name."""
    monkeypatch.setattr(files, "filesystem", lambda _device: kind)

    with LogStore(path) as store:
        assert store.log("m") == 1


def test_a_store_opened_by_root_of_another_mount_is_local(path: Path) -> None:
    """What the system says of the folder in memory that these tests use."""
    LogStore(path).close()
    assert files.filesystem(path.stat().st_dev) != ""
