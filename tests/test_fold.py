"""The rule of folding at its edges, on the pure function: no store, no clock."""

import pytest

from logstore.fold import STORED, Span, fold

T_MS = 2_000
S_MS = 6_000
AT_US = 1_765_065_600_000_400
"""A time that is not a whole millisecond: 0.4 ms after one."""


def folded(*times_us: int, window_ms: int = T_MS, max_span_ms: int = 0) -> list[Span]:
    """All episodes of one content, those that were closed first."""
    closed, current = fold(None, range(len(times_us)), times_us, window_ms, max_span_ms)
    return [*closed, current]


def counts(*times_us: int, window_ms: int = T_MS, max_span_ms: int = 0) -> list[int]:
    return [span.count for span in folded(*times_us, window_ms=window_ms, max_span_ms=max_span_ms)]


@pytest.mark.parametrize("sign", [1, -1], ids=["after the last", "before the first"])
@pytest.mark.parametrize(
    ("distance_us", "expected"),
    [
        (T_MS * 1000 - 1000, [2]),
        (T_MS * 1000, [2]),
        (T_MS * 1000 + 1, [2]),
        (T_MS * 1000 + 399, [2]),
        (T_MS * 1000 + 1000, [1, 1]),
    ],
)
def test_a_gap_of_exactly_the_window_merges(sign: int, distance_us: int, expected: list[int]) -> None:
    """A gap of T merges, T + 1 ms splits, and microseconds inside one millisecond don't matter."""
    assert counts(AT_US, AT_US + sign * distance_us) == expected


@pytest.mark.parametrize(
    ("first_us", "second_us", "expected"),
    [
        (AT_US - 400, AT_US - 400 + T_MS * 1000 + 999, [2]),
        (AT_US - 401, AT_US - 400 + T_MS * 1000, [1, 1]),
    ],
    ids=["999 us too long, floored away", "1 us too long, over the edge of a millisecond"],
)
def test_times_are_floored_before_they_are_compared(
    first_us: int, second_us: int, expected: list[int]
) -> None:
    """Each time is floored to milliseconds on its own: not the difference of the microseconds."""
    assert counts(first_us, second_us) == expected


@pytest.mark.parametrize(("distance_us", "expected"), [(0, [2]), (999, [2]), (1000, [1, 1])])
def test_a_window_of_zero_merges_one_millisecond(distance_us: int, expected: list[int]) -> None:
    """With T = 0 only records of the same millisecond are one episode."""
    start_us = AT_US - 400
    assert counts(start_us, start_us + distance_us, window_ms=0) == expected


def test_a_split_closes_with_gap_and_opens_anew() -> None:
    """What is farther than T closes the episode with the reason gap; the new one continues nothing."""
    old, new = folded(AT_US, AT_US + 1000, AT_US + 5_000_000)

    assert (old.reason, old.count, old.closed_order) == ("gap", 2, 2)
    assert (new.reason, new.count, new.run_count, new.continued) == (None, 1, 1, None)


@pytest.mark.parametrize(
    ("span_us", "expected"),
    [(S_MS * 1000, [4]), (S_MS * 1000 + 1, [4]), (S_MS * 1000 + 1000, [3, 1])],
)
def test_a_span_of_exactly_the_limit_merges(span_us: int, expected: list[int]) -> None:
    """An episode may cover S; what would make it cover S + 1 ms opens the next part."""
    times = (AT_US, AT_US + 2_000_000, AT_US + 4_000_000, AT_US + span_us)
    assert counts(*times, window_ms=3_000, max_span_ms=S_MS) == expected


def test_a_span_may_be_left_by_its_front() -> None:
    """A late record that would stretch the episode beyond S at its start opens the next part, too."""
    times = (AT_US, AT_US + 2_000_000, AT_US + 4_000_000, AT_US + 6_000_000, AT_US - 1_000_000)
    old, new = folded(*times, max_span_ms=S_MS)

    assert (old.reason, old.first_us, old.last_us) == ("span", AT_US, AT_US + 6_000_000)
    assert (new.first_us, new.last_us, new.count) == (AT_US - 1_000_000, AT_US - 1_000_000, 1)
    assert new.continued is old


def test_a_gap_is_told_before_a_span() -> None:
    """What is farther than T closes with gap, even if S is passed as well."""
    old, new = folded(AT_US, AT_US + 2_001_000, max_span_ms=T_MS)

    assert old.reason == "gap"
    assert new.continued is None


def test_a_continuation_starts_without_a_gap_and_counts_the_run() -> None:
    """The next part of a run has no gap yet, links to the part before, and goes on counting the run."""
    old, new = folded(*(AT_US + second * 1_000_000 for second in range(8)), max_span_ms=S_MS)

    assert (old.reason, old.count, old.gap_min_ms, old.gap_max_ms) == ("span", 7, 1000, 1000)
    assert (new.count, new.gap_min_ms, new.gap_max_ms) == (1, None, None)
    assert new.continued is old
    assert new.run_count == 8


def test_a_log_that_never_stops_is_cut_at_the_limit() -> None:
    """A record every second under S = 6 s gives parts of seven records, one run."""
    spans = folded(*(AT_US + second * 1_000_000 for second in range(21)), max_span_ms=S_MS)

    assert [span.count for span in spans] == [7, 7, 7]
    assert [span.run_count for span in spans] == [7, 14, 21]


def test_no_limit_means_no_cut() -> None:
    """With S = 0 a run of any length is one episode."""
    assert counts(*(AT_US + second * 1_000_000 for second in range(500)), max_span_ms=0) == [500]


def test_on_a_tie_the_later_arrival_is_last_and_the_earlier_one_first() -> None:
    """Of records with one time the first to arrive is first, the last to arrive is last; the gap is 0."""
    (span,) = folded(AT_US, AT_US, AT_US)

    assert (span.first_order, span.last_order, span.count) == (0, 2, 3)
    assert (span.gap_min_ms, span.gap_max_ms) == (0, 0)


def test_a_tie_with_the_first_time_changes_no_text() -> None:
    """A record at the first time of a longer episode adds a gap of 0 and is neither first nor last."""
    (span,) = folded(AT_US, AT_US + 1_000_000, AT_US)

    assert (span.first_order, span.last_order, span.count) == (0, 1, 3)
    assert (span.gap_min_ms, span.gap_max_ms) == (0, 1000)


def test_a_record_inside_adds_no_gap() -> None:
    """A record between first and last is counted, and moves neither the ends nor the gaps."""
    (span,) = folded(AT_US, AT_US + 1_500_000, AT_US + 700_000)

    assert (span.first_us, span.last_us, span.count) == (AT_US, AT_US + 1_500_000, 3)
    assert (span.gap_min_ms, span.gap_max_ms) == (1500, 1500)
    assert (span.first_order, span.last_order) == (0, 1)


def test_a_record_before_the_first_adds_its_distance_to_it() -> None:
    """A late record within T of the first time becomes the first, and its distance is a gap."""
    (span,) = folded(AT_US, AT_US + 1_500_000, AT_US - 300_000)

    assert (span.first_us, span.first_order, span.last_order) == (AT_US - 300_000, 2, 1)
    assert (span.gap_min_ms, span.gap_max_ms) == (300, 1500)


def test_gaps_are_differences_of_floored_milliseconds() -> None:
    """From 0.9 ms to 1.1 ms is a gap of 1 ms, from 1.1 ms to 1.9 ms a gap of 0."""
    base_us = AT_US - 400
    (span,) = folded(base_us + 900, base_us + 1100, base_us + 1900)
    assert (span.gap_min_ms, span.gap_max_ms) == (0, 1)


def test_a_missed_beat_is_visible() -> None:
    """A check every second that misses one beat has a gap of one and of two seconds."""
    (span,) = folded(*(AT_US + second * 1_000_000 for second in (0, 1, 2, 4, 5)))
    assert (span.gap_min_ms, span.gap_max_ms) == (1000, 2000)


def test_one_record_has_no_gap() -> None:
    """An episode of one record has no gap: None, not 0."""
    (span,) = folded(AT_US)
    assert (span.count, span.gap_min_ms, span.gap_max_ms) == (1, None, None)


def test_what_was_stored_before_keeps_its_texts() -> None:
    """A record inside a stored episode leaves both of its texts as they were stored."""
    stored = Span(AT_US, AT_US + 1_000_000, 5, 0, 1000, prior_count=7, id=3)
    closed, current = fold(stored, [0], [AT_US + 1], T_MS, S_MS)

    assert closed == []
    assert (current.count, current.run_count, current.id) == (6, 13, 3)
    assert (current.first_order, current.last_order) == (STORED, STORED)


def test_only_the_records_of_the_content_are_folded() -> None:
    """Orders pick this content's records out of the times of the whole batch."""
    closed, current = fold(None, [1, 3], [0, AT_US, 5, AT_US + 1000, 9], T_MS, S_MS)

    assert closed == []
    assert (current.first_us, current.last_us, current.first_order, current.last_order) == (
        AT_US,
        AT_US + 1000,
        1,
        3,
    )


def test_nothing_is_no_episode() -> None:
    """Folding no records into no episode is a fault of the caller, and said so."""
    with pytest.raises(ValueError, match="nothing to fold"):
        fold(None, [], [], T_MS, S_MS)
