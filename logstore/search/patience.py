"""An end for searches that have none.

A handler of a signal gets its turn inside `re` every few thousand steps, so a timer ends a pattern. Inside
one function of SQLite nothing gets a turn, neither a handler nor a thread nor the progress handler: there
only the default action of a signal helps, by which the kernel ends the process. So a user's SQL runs in a
child that has a timer, and its parent is left to say why there is no answer.
Time is processor time: a reader who leaves the pager open, or a busy machine, stops nothing.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final, TypeVar

from logstore.errors import InvalidQuery, LogStoreError
from logstore.filters import Matcher, regex

_T = TypeVar("_T")

TEXT_SECONDS: Final = 2.0
"""An innocent pattern takes a few hundredths of a second for the longest message there can be."""

_SHOWN_CHARS: Final = 40
_GUARD_SECONDS: Final = 1.0  # for the guard of the connection, which says more
_FORWARDED: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def within(seconds: float, work: Callable[[], _T], complaint: Callable[[], LogStoreError]) -> _T:
    """Return what `work` returns. Raises the complaint after so many seconds of processor time.

    Only in the main thread of a program whose SIGPROF is not used otherwise.
    """

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise complaint()

    signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def patient_regex(pattern: str, *, invert: bool = False) -> Matcher:
    """Return the matcher of a user's regular expression.

    Raises InvalidQuery for a pattern that is none; the matcher, for one that does not end on a message:
    between one and two times TEXT_SECONDS of processor time are given to each.
    """
    matcher = regex(pattern, invert=invert)

    watch = _Watch()

    def tick(_signal: int, _frame: FrameType | None) -> None:
        if watch.texts and watch.number == watch.seen:
            raise _endless(pattern, watch.texts)
        watch.seen = watch.number

    # One timer for all messages: to set it for each would cost more than most of them.
    signal.signal(signal.SIGPROF, tick)
    signal.setitimer(signal.ITIMER_PROF, TEXT_SECONDS, TEXT_SECONDS)

    def matches(*texts: str) -> bool:
        watch.number += 1
        watch.texts = texts
        try:
            return matcher(*texts)
        finally:
            watch.texts = ()

    return matches


class _Watch:
    """Which message is looked at, and which one it was when the timer went off last."""

    number = seen = 0
    texts: tuple[str, ...] = ()


def _endless(pattern: str, texts: Sequence[str]) -> InvalidQuery:
    longest = max(texts, key=len)
    return InvalidQuery(
        f"the regular expression {pattern!r} was stopped after {TEXT_SECONDS:g} s on a message of "
        f"{len(longest):,} characters, {longest[:_SHOWN_CHARS]!r}; leave out the repeat inside a repeat, "
        "(a+)+, or the second of two that fit the same text, .*.*, or leave that message out by -s or -p"
    )


def patient_sql(seconds: float) -> None:
    """Go on in a child process that a user's SQL may end, if a single step of it takes more than `seconds`.

    Call it before a store is opened; what is slow in many steps `Connection.guard` stops before.
    Raises InvalidQuery, in the parent, and only there.
    """
    _go_on_in_a_child(
        f"the statement ran for more than {seconds:g} s and was stopped inside one function; narrow it down",
        seconds + _GUARD_SECONDS,
    )


def _go_on_in_a_child(complaint: str, seconds: float) -> None:
    """Return in a child process that ends itself after `seconds` of processor time.

    The parent waits for it and exits as the child does. Raises InvalidQuery, in the parent, with the
    `complaint` if a timer ended the child. Call it before a store is opened: SQLite's locks don't survive it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        return
    _exit_as(_ended(child), complaint)


def _ended(child: int) -> int:
    """Wait for a child, pass on what would end us, and return its exit code, negative for a signal."""

    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal interrupts the child, too
    for number in _FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _exit_as(code: int, complaint: str) -> None:
    if code == -signal.SIGPROF:
        raise InvalidQuery(complaint)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
