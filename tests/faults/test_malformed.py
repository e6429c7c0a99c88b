"""Broken files, files that are none, hostile records: the short forms."""

from functools import partial
from pathlib import Path

import pytest
from malformed import STRANGE, damaged_files, fill, hostile_records, use_strange
from processes import Child, folder

from logstore import LogStore, errors

SEED = 1


def test_a_damaged_file_is_read_exactly_or_named_with_a_next_step() -> None:
    """Nothing crashes, hangs or raises what is not ours; much of it is noticed."""
    figures = damaged_files(1_000, SEED)

    assert figures["read: StoreDamaged"] > 100
    assert figures["read: exact"] > 300


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_store_is_named_with_a_next_step(name: str) -> None:
    """Whatever a path leads to, using it ends, and ends in one of our errors or in a result."""
    assert len(use_strange(name)) == 3


@pytest.mark.parametrize("readonly", [False, True])
def test_an_emptied_file_beside_its_log_is_not_taken_for_a_new_one(readonly: bool) -> None:
    """All that was stored is still in the -wal: nobody may throw that away."""
    with folder() as place:
        path = place / "log.db"
        with Child(partial(fill, path, leave=True)) as child:
            child.end()
        with path.open("r+b") as file:
            file.truncate(0)
        log = Path(f"{path}-wal").read_bytes()

        with pytest.raises(errors.StoreDamaged, match=str(path)):
            LogStore(path, readonly=readonly)

        assert Path(f"{path}-wal").read_bytes() == log


def test_a_hostile_record_is_kept_exactly_or_refused() -> None:
    """No text, level, time or attributes raise anything but InvalidRecord, or change on the way."""
    figures = hostile_records(1_000, SEED)

    assert figures["kept"] > 200
    assert figures["refused"] > 200
