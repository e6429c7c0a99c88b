"""What makes two records the same: canonical bytes, and nothing of them is ever dropped."""

import hashlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import InvalidRecord
from logstore.identity import MAX_MESSAGE_BYTES, escape, identify
from logstore.record import LEVELS

texts = st.text(st.characters(codec=None), max_size=20)  # all of Unicode, lone surrogates too


def test_the_hash_is_that_of_the_canonical_bytes() -> None:
    """The hash is the SHA-256 of source, level name and message in UTF-8, with U+001F between them."""
    content = identify("node1/vip", "WARN", "Zürich is up")
    expected = hashlib.sha256(b"node1/vip\x1fwarning\x1fZ\xc3\xbcrich is up").digest()
    assert content.hash == expected


def test_sha256sum_agrees() -> None:
    """`printf 'node1/vip\\037info\\037vip is up' | sha256sum` prints the content hash."""
    done = subprocess.run(
        ["sha256sum"], input=b"node1/vip\x1finfo\x1fvip is up", capture_output=True, check=True
    )
    assert identify("node1/vip", "info", "vip is up").hash.hex() == done.stdout.split()[0].decode()


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        *((name, number) for number, name in enumerate(LEVELS)),
        *((number, number) for number in range(8)),
        ("EMERG", 0),
        ("panic", 0),
        ("crit", 2),
        ("CRITICAL", 2),
        ("fatal", 2),
        ("err", 3),
        ("Error", 3),
        ("warn", 4),
        ("WARNING", 4),
        ("Notice", 5),
        ("INFO", 6),
        ("DEBUG", 7),
    ],
    ids=repr,
)
def test_levels_are_severities_under_any_known_name(name: str | int, severity: int) -> None:
    """The names of syslog and of logging in any case, and the numbers 0 to 7, are the eight severities."""
    assert identify("s", name, "m") == identify("s", LEVELS[severity], "m")
    assert identify("s", name, "m").level == severity


@pytest.mark.parametrize("level", ["", "loud", "8", 8, -1, 20, True, 6.0, None, b"info", ["info"]], ids=repr)
def test_an_unknown_level_is_refused(level: object) -> None:
    """What neither syslog nor logging knows is refused, and the message names the levels."""
    with pytest.raises(InvalidRecord, match=r"no such level: .*emergency"):
        identify("s", level, "m")  # type: ignore[arg-type]


def test_each_part_makes_a_difference() -> None:
    """Source, level and message each tell contents apart; the case of a message does, too."""
    contents = [
        identify("a", "info", "m"),
        identify("b", "info", "m"),
        identify("a", "notice", "m"),
        identify("a", "info", "n"),
        identify("a", "info", "M"),
        identify("a", "info", "m "),
        identify("", "info", "m"),
    ]
    assert len({content.hash for content in contents}) == len(contents)


def test_parts_cannot_run_into_each_other() -> None:
    """A separator inside a source is written out, so no two triples share their bytes."""
    forged = identify("a\x1finfo\x1fb", "info", "c")

    assert forged.source == "a\\x1finfo\\x1fb"
    assert forged.hash != identify("a", "info", "b\x1finfo\x1fc").hash


def test_a_separator_inside_the_message_stays() -> None:
    """U+001F in a message is text like any other: only the first two separators count."""
    assert identify("a", "info", "b\x1fc").message == "b\x1fc"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\0b", r"a\x00b"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), r"caf\xe9"),
        (b"\xff\xfe".decode("utf-8", "surrogateescape"), r"\xff\xfe"),
        ("\ud800", r"\ud800"),
        ("x\udfffy", r"x\udfffy"),
        ("vip 🟢 ü", "vip 🟢 ü"),
        ("tab\tnewline\n", "tab\tnewline\n"),
    ],
)
def test_what_a_text_column_cannot_carry_is_written_out(text: str, written: str) -> None:
    """NUL, undecodable bytes and lone surrogates are escaped; all else stays as it is."""
    content = identify(text, "info", text)
    assert (content.source, content.message) == (written, written)


@given(source=texts, message=texts, level=st.sampled_from(LEVELS))
def test_any_text_has_an_identity_that_utf8_can_carry(source: str, message: str, level: str) -> None:
    """No text whatever raises, and what is kept of it is UTF-8 without NUL that hashes to its hash."""
    content = identify(source, level, message)
    canonical = f"{content.source}\x1f{level}\x1f{content.message}".encode()

    assert content.hash == hashlib.sha256(canonical).digest()
    assert b"\0" not in canonical
    assert "\x1f" not in content.source


@given(text=texts)
def test_escaping_drops_nothing_and_happens_once(text: str) -> None:
    """Escaped text is at least as long, and escaping it again changes nothing."""
    once = escape(text)

    assert len(once) >= len(text)
    assert escape(once) == once


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_a_message_may_be_two_mebibytes_and_not_a_byte_longer(letter: str) -> None:
    """The limit counts the bytes of UTF-8: exactly 2 MiB is kept, one letter more is refused."""
    longest = letter * (MAX_MESSAGE_BYTES // len(letter.encode()))
    assert identify("s", "info", longest).message == longest
    with pytest.raises(InvalidRecord, match="over the limit of 2,097,152"):
        identify("s", "info", longest + letter)


@pytest.mark.parametrize(
    ("source", "message"), [("s", b"m"), ("s", None), (b"s", "m"), (None, "m"), (1, "m")], ids=repr
)
def test_what_is_no_text_is_refused(source: object, message: object) -> None:
    """Bytes, numbers and None are refused with the advice to pass str(...)."""
    with pytest.raises(InvalidRecord, match=r"str\(\.\.\.\)"):
        identify(source, "info", message)  # type: ignore[arg-type]
