"""Bugs that are put in on purpose are found by the campaigns of processes, files and clocks, too."""

from typing import Any
from unittest import mock

import apsw
import locks
import pytest
from campaign import conduct
from campaigns import CAMPAIGNS
from contention import contend
from full_disk import NO_DISK, small_disk
from history import Broken
from mutants import MUTANTS

from logstore.database import connection
from logstore.database.files import Watch

SEED = 1
BUGS = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.parametrize(
    ("bug", "campaign", "rounds"),
    [
        ("acknowledged before the commit", "kills", 60),
        ("no look at the ledger", "kills-in-steps", 80),
        ("a batch in two transactions", "kills-in-steps", 160),
        ("a sweep in two transactions", "kills-in-steps", 160),
        ("a gap of exactly the window parts", "clocks", 50),
        ("a repeat counted twice", "clocks", 50),
        ("others' commits not noticed", "clocks", 50),
        ("what was rolled back stays cached", "full-disks", 60),
        ("an error of the disk swallowed", "full-disks", 60),
    ],
)
def test_a_bug_is_found_by_processes_too(bug: str, campaign: str, rounds: int) -> None:
    """Within as many rounds as the short form has, from the same seed."""
    with small_disk() as disk:
        if campaign == "full-disks" and disk is None:
            pytest.skip(NO_DISK)
    assert rounds <= CAMPAIGNS[campaign].short

    with BUGS[bug].put_in():
        assert conduct(CAMPAIGNS[campaign], rounds, SEED).failures


def test_a_transaction_that_begins_by_reading_is_found() -> None:
    """BEGIN for BEGIN IMMEDIATE: the busy store that follows, or what was read too early, is seen at once."""

    def begin(self: connection.Transaction) -> connection.Transaction:
        try:
            self._raw.execute("BEGIN")
        except apsw.Error as error:
            raise self._connection.explain(error) from error
        return self

    with (
        mock.patch.object(connection.Transaction, "__enter__", begin),
        pytest.raises(Broken, match="contention"),
    ):
        contend(2)


@pytest.mark.parametrize(
    ("test", "deed"),
    [
        (locks.do, locks.rename),
        (locks.do, locks.rename_all),
        (locks.do, locks.remove_all),
        (locks.with_another, locks.use_stdlib),
    ],
)
def test_a_store_that_does_not_watch_its_files_is_found(test: Any, deed: Any) -> None:
    """Without the guard the same deeds lose what was acknowledged."""
    with mock.patch.object(Watch, "unchanged", return_value=True):
        assert not test(deed).is_kept
