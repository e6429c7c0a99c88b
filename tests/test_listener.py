"""The syslog listener: every message that arrives becomes exactly one record, whatever its peer does."""

import errno
import itertools
import logging
import logging.handlers
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import Forked
from hypothesis import given
from hypothesis import strategies as st
from model import NOW_US, Clock

from logstore import LogStore, Record, errors
from logstore.sources import sockets
from logstore.sources.framing import Framer
from logstore.sources.listen import SyslogListener
from logstore.sources.sockets import parse
from logstore.sources.syslog import MessageReader

SECOND_US = 1_000_000
DAY_US = 24 * 3600 * SECOND_US
MIB = 1024 * 1024

# -- streams to messages -------------------------------------------------------------------------------


def framed(stream: bytes, *, cuts: list[int] | None = None, limit: int = 1_000) -> list[bytes]:
    """The messages of a stream that arrives cut at these places."""
    framer = Framer(limit)
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts or []), len(stream)]
    frames = [
        frame for begin, end in itertools.pairwise(places) for frame in framer.feed(stream[begin:end])
    ] + framer.end()
    messages, held = [], b""
    for frame in frames:
        held += frame.data
        if frame.ends:
            messages.append(held)
            held = b""
    assert not held
    return messages


STREAMS: dict[str, tuple[bytes, list[bytes]]] = {
    "lines": (b"<13>a\n<13>b\r\n<13>c\0\n", [b"<13>a", b"<13>b", b"<13>c"]),
    "counted": (b"5 <13>a6 <13>bc", [b"<13>a", b"<13>bc"]),
    "counted, with an end of line inside": (b"7 <13>a\nb6 <13>c\n", [b"<13>a\nb", b"<13>c"]),
    "counted, with an end of line behind": (b"5 <13>a\n5 <13>b\n", [b"<13>a", b"", b"<13>b", b""]),
    "both": (b"<13>a\n5 <13>b<13>c\n", [b"<13>a", b"<13>b", b"<13>c"]),
    "counted without PRI": (b"5 hello5 world", [b"hello", b"world"]),
    "one counted without PRI": (b"5 hello", [b"hello"]),
    "a line that begins with a number": (b"12 monkeys jumped\n", [b"12 monkeys jumped"]),
    "a line that begins with a day": (b"22 Nov 2026 00:25:43 # x\n", [b"22 Nov 2026 00:25:43 # x"]),
    "a line that begins with a version": (b"1 2026-11-22T00:25:43Z h a\n", [b"1 2026-11-22T00:25:43Z h a"]),
    "lines that begin with a large number": (
        b"81109 2036 a\n81109 2036 b\n",
        [b"81109 2036 a", b"81109 2036 b"],
    ),
    "a count of nonsense": (b"999999999999 <13>a\n<13>b\n", [b"999999999999 <13>a", b"<13>b"]),
    "half a line": (b"<13>a\n<13>ha", [b"<13>a", b"<13>ha"]),
    "half a counted message": (b"5 <13>a99 <13>ha", [b"<13>a", b"<13>ha"]),
    "half a count": (b"5 <13>a12", [b"<13>a", b"12"]),
    "a count and nothing": (b"12 ", [b"12 "]),
    "nothing": (b"", []),
    "empty lines": (b"\n\r\n\0\n", [b"", b"", b""]),
    "garbage": (b"\xff\xfe\x00\x01 \x80\n", [b"\xff\xfe\x00\x01 \x80"]),
}


@pytest.mark.parametrize(("stream", "messages"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_cut_into_its_messages(stream: bytes, messages: list[bytes]) -> None:
    """Whether it arrives whole or byte by byte."""
    assert framed(stream) == messages
    assert framed(stream, cuts=list(range(len(stream)))) == messages


WORDS = st.binary(max_size=30) | st.sampled_from([b"5 hello", b"12 x", b"<13>a", b"7 <", b"\r\n", b"9" * 9])


@given(st.lists(WORDS).map(b"".join), st.lists(st.integers(min_value=0)), st.sampled_from([1, 8, 1_000]))
def test_how_bytes_are_cut_on_their_way_changes_nothing(stream: bytes, cuts: list[int], limit: int) -> None:
    """Any bytes, cut anywhere, even where messages are too long to be held."""
    assert framed(stream, cuts=cuts, limit=limit) == framed(stream)


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans())), st.lists(st.integers(min_value=0)))
def test_every_message_arrives(messages: list[tuple[bytes, bool]], cuts: list[int]) -> None:
    """Messages with PRI, each counted or a line: what is framed is what was sent."""
    sent = [
        (b"<13>m" + text.replace(b"\n", b" ").rstrip(b"\r\0") + b".", counted) for text, counted in messages
    ]
    stream = b"".join(b"%d %b" % (len(text), text) if counted else text + b"\n" for text, counted in sent)

    assert framed(stream, cuts=cuts) == [text for text, _ in sent]


def test_a_message_too_long_to_be_held_comes_in_pieces() -> None:
    """A framer never holds much more than its limit, and searches each byte once."""
    framer = Framer(1_000)
    held = 0
    for _ in range(10_000):
        held += 10 - sum(len(frame.data) for frame in framer.feed(b"x" * 10))
        assert held <= 1_012
    (last,) = framer.end()
    assert len(last.data) == held


# -- messages to records -------------------------------------------------------------------------------


def read(text: str, *, local: bool = False) -> Record:
    return MessageReader(timezone(timedelta(hours=1))).read(text, "10.0.0.7", NOW_US, local=local)


A_DAY_US = 1_765_065_600 * SECOND_US  # 2025-12-07 00:00:00 UTC
assert A_DAY_US == NOW_US
AT = NOW_US - 3600 * SECOND_US  # 2025-12-07 00:00:00 at +01:00

MESSAGES: dict[str, tuple[str, Record]] = {
    "3164": (
        "<30>Dec  7 00:00:00 alfa2 crond[77]: job done",
        Record("job done", "info", "alfa2/crond", AT, {"pid": 77, "facility": 3, "peer": "10.0.0.7"}),
    ),
    "3164 without PRI": (
        "Dec  7 00:00:00 alfa2 crond: job done",
        Record("job done", "info", "alfa2/crond", AT, {"peer": "10.0.0.7"}),
    ),
    "3164 without a host": (
        "<12>Dec  7 00:00:00 crond[x]: job done",
        Record("job done", "warning", "10.0.0.7/crond", AT, {"pid": "x", "facility": 1}),
    ),
    "3164 with the stamp of 5424": (
        "<13>2025-12-07T00:00:00.25+00:00 alfa2 crond: job done",
        Record("job done", "notice", "alfa2/crond", NOW_US + 250_000, {"facility": 1, "peer": "10.0.0.7"}),
    ),
    "5424": (
        '<165>1 2025-12-07T00:00:00Z alfa2 app 9 ID7 [x@1 a="b"] \ufeffjob done',
        Record(
            "job done",
            "notice",
            "alfa2/app",
            NOW_US,
            {
                "pid": 9,
                "msgid": "ID7",
                "structured_data": {"x@1": {"a": "b"}},
                "facility": 20,
                "peer": "10.0.0.7",
            },
        ),
    ),
    "5424 without PRI": (
        "1 2025-12-07T00:00:00Z 10.0.0.7 app - - - job done",
        Record("job done", "info", "10.0.0.7/app", NOW_US),
    ),
    "5424 without anything": (
        "<8>1 - - - - - -",
        Record("", "emergency", "10.0.0.7", NOW_US, {"facility": 1}),
    ),
    "PRI and a tag": (
        "<14>app[5]: job done",
        Record("job done", "info", "10.0.0.7/app", NOW_US, {"pid": 5, "facility": 1}),
    ),
    "PRI and a text": ("<14>job done", Record("job done", "info", "10.0.0.7", NOW_US, {"facility": 1})),
    "a text": ("error: job: done", Record("error: job: done", "info", "10.0.0.7", NOW_US)),
    "a PRI out of range": ("<192>job done", Record("<192>job done", "info", "10.0.0.7", NOW_US)),
    "a stamp that cannot be": (
        "<13>Dec 41 00:00:00 alfa2 app: x",
        Record(
            "x",
            "notice",
            "alfa2/app",
            NOW_US,
            {"facility": 1, "peer": "10.0.0.7", "stamp": "Dec 41 00:00:00"},
        ),
    ),
    "broken 5424": (
        "<13>1 2025-12-07T00:00:00Z half",
        Record("1 2025-12-07T00:00:00Z half", "notice", "10.0.0.7", NOW_US, {"facility": 1}),
    ),
}


@pytest.mark.parametrize(("text", "record"), MESSAGES.values(), ids=MESSAGES)
def test_a_message_becomes_a_record(text: str, record: Record) -> None:
    """What the header says is in its field; what is missing is the peer's host and the time of receipt."""
    assert read(text) == record


def test_a_local_message_names_no_other_host() -> None:
    """On a unix socket the C library sends `STAMP TAG: TEXT`: the first word of the text is no host."""
    assert read("<13>Dec  7 00:00:00 app: x y: z", local=True).source == "10.0.0.7/app"
    assert read("<13>Dec  7 00:00:00 kernel panic: z", local=True)[:3:2] == ("kernel panic: z", "10.0.0.7")
    assert read("<13>Dec  7 00:00:00 10.0.0.7 app: z", local=True)[:3:2] == ("z", "10.0.0.7/app")


def test_a_stamp_without_a_year_may_be_a_little_ahead() -> None:
    """A sender's clock that is some hours ahead of ours does not put its messages into last year."""
    (behind, ahead) = (read(f"<13>Dec  {day} 10:00:00 h a: x").timestamp_us for day in (6, 7))
    assert ahead is not None
    assert behind is not None
    assert ahead - NOW_US == 9 * 3600 * SECOND_US
    assert ahead - behind == DAY_US


def test_the_year_goes_on_while_the_listener_runs() -> None:
    """A reader made in one year reads a stamp of the next year."""
    reader = MessageReader(UTC)
    before = reader.read("Dec 31 23:59:59 h a: x", "p", NOW_US + 25 * DAY_US).timestamp_us
    after = reader.read("Jan  1 00:00:01 h a: x", "p", NOW_US + 25 * DAY_US + SECOND_US).timestamp_us
    assert before is not None
    assert after is not None
    assert after - before == 2 * SECOND_US


# -- real sockets --------------------------------------------------------------------------------------


@pytest.fixture
def listening() -> Iterator[Callable[..., SyslogListener]]:
    """Make listeners that are closed when the test ends."""
    made: list[SyslogListener] = []

    def listen(*addresses: str, **options: Any) -> SyslogListener:
        clock = options.pop("clock_us", Clock(NOW_US))
        options = {"this_host": "here", **options}
        made.append(SyslogListener(addresses, tz=UTC, clock_us=clock, **options))
        return made[-1]

    yield listen
    for listener in made:
        listener.close()


def collected(listener: SyslogListener, count: int) -> list[Record]:
    """What arrives until there are `count` records, and what the listener still holds then."""
    deadline = time.monotonic() + 20
    received = listener.received
    batches = list(listener.batches(lambda: received.records >= count or time.monotonic() > deadline))
    assert all(batches)
    records = [record for batch in batches for record in batch]
    assert len(records) == received.records
    return records


def messages(records: list[Record]) -> list[str]:
    return [record.message for record in records]


def connected(address: str) -> socket.socket:
    """A socket that sends to an address of a listener."""
    target = parse(address)
    if target.kind == "unix":
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.connect(target.place)
        return sender
    kind = socket.SOCK_STREAM if target.kind == "tcp" else socket.SOCK_DGRAM
    sender = socket.socket(socket.AF_INET6 if ":" in target.place else socket.AF_INET, kind)
    sender.connect((target.place, target.port))
    return sender


def places(tmp_path: Path) -> list[str]:
    return [
        "udp://127.0.0.1:0",
        "tcp://127.0.0.1:0",
        "udp://[::1]:0",
        "tcp://[::1]:0",
        f"unix://{tmp_path}/s",
    ]


def test_one_listener_hears_every_kind_of_socket(
    listening: Callable[..., SyslogListener], tmp_path: Path
) -> None:
    """UDP, TCP and unix, over IPv4 and IPv6 at once; the peer's address is the host."""
    listener = listening(*places(tmp_path))
    for number, address in enumerate(listener.addresses):
        with connected(address) as sender:
            sender.sendall(b"<11>app: from %d\n" % number)

    records = sorted(collected(listener, 5))
    assert messages(records) == [f"from {number}" for number in range(5)]
    assert [record.source.partition("/")[0] for record in records] == ["127.0.0.1"] * 2 + ["::1"] * 2 + [
        "here"
    ]
    assert {record.level for record in records} == {"error"}
    assert {record.timestamp_us for record in records} == {NOW_US}
    assert listener.received.bytes == 5 * len("<11>app: from 0\n")


def test_several_peers_talk_at_once(listening: Callable[..., SyslogListener]) -> None:
    """Messages of many connections, in turns and in pieces, are each taken once and in their order."""
    listener = listening("tcp://127.0.0.1:0")
    senders = [connected(listener.addresses[0]) for _ in range(20)]
    for number in range(50):
        for name, sender in enumerate(senders):
            text = b"<13>p%d: m%d" % (name, number)
            sender.sendall(b"%d %b" % (len(text), text) if name % 2 else text + b"\n")
    for sender in senders:
        sender.close()

    records = collected(listener, 1_000)
    for name in range(20):
        said = [record.message for record in records if record.source.endswith(f"/p{name}")]
        assert said == [f"m{number}" for number in range(50)]
    assert listener.received.peers == 20


def test_a_record_is_handed_over_while_its_peer_stays(listening: Callable[..., SyslogListener]) -> None:
    """A batch does not wait for more: what has arrived is handed over at once."""
    listener = listening("tcp://127.0.0.1:0")
    with connected(listener.addresses[0]) as sender:
        stream = listener.batches(lambda: False)
        for number in range(3):
            sender.sendall(b"<13>m%d\n<13>half of" % number)
            assert messages(next(stream)) == [f"m{number}" if not number else f"half of<13>m{number}"]


def test_what_arrives_together_is_one_batch(listening: Callable[..., SyslogListener]) -> None:
    """Messages are committed in groups, and a group has a bound."""
    listener = listening("tcp://127.0.0.1:0", batch_records=1_000)
    with connected(listener.addresses[0]) as sender:
        sender.sendall(b"".join(b"<13>m%d\n" % number for number in range(2_500)))
    batches = list(listener.batches(lambda: listener.received.records >= 2_500))

    assert [record.message for batch in batches for record in batch] == [
        f"m{number}" for number in range(2_500)
    ]
    assert len(batches) < 10


def test_what_was_received_is_handed_over_when_it_ends(listening: Callable[..., SyslogListener]) -> None:
    """After `stop()` come what waits in the sockets, connections not yet accepted, and half a message."""
    listener = listening("udp://127.0.0.1:0", "tcp://127.0.0.1:0")
    senders = [connected(address) for address in listener.addresses]
    for sender in senders:
        sender.sendall(b"<13>whole")

    records = [record for batch in listener.batches(lambda: True) for record in batch]
    assert messages(records) == ["whole", "whole"]
    for sender in senders:
        sender.close()


def test_a_signal_ends_the_listener_and_loses_nothing(tmp_path: Path) -> None:
    """A program that stops at SIGTERM has stored what was sent before, and removed its socket."""
    script = """
import signal, sys
from datetime import UTC
from logstore import LogStore
from logstore.sources.listen import SyslogListener
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
with LogStore(sys.argv[1]) as store, SyslogListener([sys.argv[2]], tz=UTC, clock_us=lambda: 7) as listener:
    print("ready", flush=True)
    for batch in listener.batches(lambda: bool(ended)):
        store.log_many(batch)
"""
    address = f"unix://{tmp_path}/s"
    arguments = [sys.executable, "-c", script, str(tmp_path / "log.db"), address]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        with connected(address) as sender:
            for number in range(500):
                sender.sendall(b"<13>m%d" % number)
        child.send_signal(signal.SIGTERM)
    assert child.returncode == 0

    with LogStore(tmp_path / "log.db", readonly=True) as store:
        assert sorted(episode.message for episode in store.episodes()) == sorted(f"m{n}" for n in range(500))
    assert not (tmp_path / "s").exists()


# -- bad peers -----------------------------------------------------------------------------------------


def sent_by_tcp(listener: SyslogListener, *data: bytes, reset: bool = False) -> None:
    for each in data:
        with connected(listener.addresses[0]) as sender:
            sender.sendall(each)
            if reset:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


BAD_PEERS: dict[str, tuple[bytes, list[str]]] = {
    "half a message": (b"<13>whole\n<13>hal", ["whole", "hal"]),
    "half a counted message": (b"100 <13>hal", ["hal"]),
    "garbage": (b"\xff\xfe\x00\x1b[31m\n", ["\\xff\\xfe\0\x1b[31m"]),
    "a count of nonsense": (b"999999999999 <13>x\n", ["999999999999 <13>x"]),
    "a count far too large": (b"99999999 <13>x\n<13>y\n", ["x\n<13>y"]),
    "TLS": (b"\x16\x03\x01\x02\x00", ["\x16\x03\x01\x02"]),
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", ["GET / HTTP/1.1"]),
}


@pytest.mark.parametrize(("data", "texts"), BAD_PEERS.values(), ids=BAD_PEERS)
def test_what_a_bad_peer_sent_is_kept_as_it_is(
    listening: Callable[..., SyslogListener], store: LogStore, data: bytes, texts: list[str]
) -> None:
    """Nothing is dropped, the store takes it, and the next peer is heard."""
    listener = listening("tcp://127.0.0.1:0")
    sent_by_tcp(listener, data, b"<13>next\n")

    records = collected(listener, len(texts) + 1)
    assert messages(records) == [*texts, "next"]
    assert store.log_many(records) == len(records)


def test_a_peer_that_resets_the_connection_harms_nobody(listening: Callable[..., SyslogListener]) -> None:
    """What the system threw away with the connection cannot be had; what was read before is kept."""
    listener = listening("tcp://127.0.0.1:0")
    with connected(listener.addresses[0]) as sender:
        sender.sendall(b"<13>first\n<13>hal")
        stream = listener.batches(lambda: listener.received.records >= 3)
        assert messages(next(stream)) == ["first"]
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sent_by_tcp(listener, b"<13>next\n")

    assert sorted(messages([record for batch in stream for record in batch])) == ["hal", "next"]


@pytest.mark.parametrize("head", [b"", b"10485760 "], ids=["a line", "counted"])
def test_ten_mebibytes_without_an_end_are_cut_into_parts(
    listening: Callable[..., SyslogListener], head: bytes
) -> None:
    """No part is longer than a message may be, nothing is missing, and no more than that is held."""
    listener = listening("tcp://127.0.0.1:0")
    prefix = "<11>Dec  7 00:00:00 alfa2 app: "
    text = "x" + "é" * ((10 * MIB - len(prefix)) // 2)
    message = head + (prefix + text).encode()
    assert len(message) - len(head) == 10 * MIB
    peer = threading.Thread(target=sent_by_tcp, args=(listener, message))
    peer.start()
    records = collected(listener, 5)
    peer.join()

    assert "".join(messages(records)) == text
    assert all(2 * MIB - 1 <= len(record.message.encode()) <= 2 * MIB for record in records[:-1])
    assert {record[1:4] for record in records} == {("error", "alfa2/app", NOW_US)}
    assert [(record.attributes or {}).get("part") for record in records] == [None, 1, 2, 3, 4]


def test_a_slow_peer_holds_up_nobody(listening: Callable[..., SyslogListener]) -> None:
    """A peer that sends byte by byte is waited for; meanwhile the others are heard."""
    listener = listening("tcp://127.0.0.1:0")
    with connected(listener.addresses[0]) as slow:
        stream = listener.batches(lambda: False)
        for number, byte in enumerate(b"<13>slow"):
            slow.sendall(bytes([byte]))
            sent_by_tcp(listener, b"<13>m%d\n" % number)
            assert messages(next(stream)) == [f"m{number}"]
        slow.sendall(b"\n")
        assert messages(next(stream)) == ["slow"]


def test_a_flood_of_connections_is_refused_beyond_the_limit(
    listening: Callable[..., SyslogListener],
) -> None:
    """Those that are in stay in; one more finds its connection closed; when one leaves there is room."""
    listener = listening("tcp://127.0.0.1:0", max_peers=3)
    inside = [connected(listener.addresses[0]) for _ in range(3)]
    for sender in inside:
        sender.sendall(b"<13>in\n")
    assert messages(collected_without_end(listener, 3)) == ["in"] * 3
    outside = [connected(listener.addresses[0]) for _ in range(5)]
    inside[0].sendall(b"<13>still in\n")
    told = collected_without_end(listener, 2, until=lambda: listener.received.refused == 5)
    why = "a connection was refused: 3 are open, none of them silent; further ones that are will not be told"
    assert sorted(messages(told)) == [why, "still in"]
    assert {(r.source, r.level) for r in told if r.message == why} == {("logstore", "warning")}
    assert [sender.recv(1) for sender in outside] == [b""] * 5
    inside.pop().close()
    with connected(listener.addresses[0]) as late:
        late.sendall(b"<13>in again\n")
        assert messages(collected_without_end(listener, 1)) == ["in again"]
    for sender in [*inside, *outside]:
        sender.close()
    assert (listener.received.peers, listener.received.refused) == (4, 5)


def test_the_connection_that_was_silent_longest_makes_room(listening: Callable[..., SyslogListener]) -> None:
    """What it sent is kept, ended or not; who spoke within the minute stays; it is said once."""
    clock = Clock(NOW_US)
    listener = listening("tcp://127.0.0.1:0", max_peers=2, clock_us=clock)
    silent, talker = (connected(listener.addresses[0]) for _ in range(2))
    silent.sendall(b"<13>whole\n<13>half")
    assert messages(collected_without_end(listener, 1)) == ["whole"]
    clock.forward(s=60)
    talker.sendall(b"<13>here\n")
    assert messages(collected_without_end(listener, 1)) == ["here"]
    with connected(listener.addresses[0]) as late:
        late.sendall(b"<13>late\n")
        said = "2 connections are open, and no more can be: silent ones are closed"
        assert messages(collected_without_end(listener, 3)) == ["half", said, "late"]
        assert silent.recv(1) == b""
        clock.forward(s=60)
        with connected(listener.addresses[0]) as last:
            last.sendall(b"<13>last\n")
            assert messages(collected_without_end(listener, 1)) == ["last"]
    silent.close()
    talker.close()
    assert (listener.received.closed, listener.received.refused) == (2, 0)


def test_what_waits_in_a_connection_is_not_closed_with_it(listening: Callable[..., SyslogListener]) -> None:
    """It seemed silent because the listener was busy: one more is refused, nothing is lost."""
    clock = Clock(NOW_US)
    listener = listening("tcp://127.0.0.1:0", max_peers=1, clock_us=clock)
    with connected(listener.addresses[0]) as inside:
        collected_without_end(listener, 0, until=lambda: listener.received.peers == 1)
        clock.forward(s=60)
        inside.sendall(b"<13>waiting\n")
        assert not listener._make_room()
        assert messages(collected_without_end(listener, 1)) == ["waiting"]
    assert listener.received.closed == 0


def test_a_silent_connection_that_is_over_makes_room(listening: Callable[..., SyslogListener]) -> None:
    """Nobody was closed for that, and its turn in the same round is none."""
    clock = Clock(NOW_US)
    listener = listening("tcp://127.0.0.1:0", max_peers=1, clock_us=clock)
    connected(listener.addresses[0]).close()
    collected_without_end(listener, 0, until=lambda: listener.received.peers == 1)
    for peer in list(listener._peers):
        clock.forward(s=60)
        assert listener._make_room()
        assert not listener._read(peer)
    assert (listener._peers, listener.received.closed) == (set(), 0)


def collected_without_end(
    listener: SyslogListener, count: int, *, until: Callable[[], bool] = lambda: True
) -> list[Record]:
    """`count` records, while the peers stay connected."""
    records: list[Record] = []
    deadline = time.monotonic() + 20
    while (len(records) < count or not until()) and time.monotonic() < deadline:
        if listener._receive(0.1):
            listener._gather()
        for batch in listener._handed_over():
            records += batch
    return records


def test_empty_messages_are_counted_and_no_records(
    listening: Callable[..., SyslogListener], tmp_path: Path
) -> None:
    """An empty datagram is neither the end of anything nor a log."""
    listener = listening(*places(tmp_path))
    for address in listener.addresses:
        with connected(address) as sender:
            for data in (b"", b"\n", b"\0\n", b"<13>x\n"):
                sender.send(data)

    assert messages(collected(listener, 5)) == ["x"] * 5
    assert listener.received.empty == 3 * 3 + 2 * 2  # a stream knows no empty sends


def test_a_datagram_that_the_system_cut_says_so(
    listening: Callable[..., SyslogListener], tmp_path: Path
) -> None:
    """A datagram larger than can be taken is kept as far as it was, with a mark."""
    listener = listening(f"unix://{tmp_path}/s", limit=1_000)
    with connected(listener.addresses[0]) as sender:
        sender.send(b"<13>" + b"x" * 100_000)
        sender.send(b"<13>y")

    *parts, last = collected(listener, 67)
    assert "".join(messages(parts)) == "x" * (65_536 - 4)
    assert all((record.attributes or {})["truncated"] is True for record in parts)
    assert last.message == "y"
    assert "truncated" not in (last.attributes or {})
    assert listener.received.truncated == 1


def test_the_largest_datagram_is_one_record(listening: Callable[..., SyslogListener]) -> None:
    """65,507 bytes, the most that UDP can carry."""
    listener = listening("udp://127.0.0.1:0")
    with connected(listener.addresses[0]) as sender:
        sender.send(b"<13>" + b"x" * 65_503)

    assert messages(collected(listener, 1)) == ["x" * 65_503]
    assert listener.received.truncated == 0


def test_what_the_system_had_to_drop_is_counted_and_said(
    listening: Callable[..., SyslogListener],
) -> None:
    """Datagrams that came faster than they were taken: records and lost make what was sent."""
    listener = listening("udp://127.0.0.1:0")
    listener._doors[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
    with connected(listener.addresses[0]) as sender:
        for number in range(500):
            sender.send(b"<13>m%d " % number + b"x" * 1_000)
        *held, said = collected_without_end(listener, 1)
        assert 0 < len(held) < 500
        sender.send(b"<13>after")  # with it the system tells the same count again
        after = collected_without_end(listener, 1)

    assert listener.received.lost == 500 - len(held)
    assert (said.source, said.level) == ("logstore", "warning")
    assert said.message.startswith(f"{listener.received.lost} datagrams were lost")
    assert messages(after) == ["after"]


def test_what_was_dropped_last_is_counted_at_the_end(listening: Callable[..., SyslogListener]) -> None:
    listener = listening("udp://127.0.0.1:0")
    listener._doors[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
    with connected(listener.addresses[0]) as sender:
        for _ in range(100):
            sender.send(b"<13>" + b"x" * 1_000)
    listener.close()
    assert listener.received.lost > 0


def test_where_the_system_does_not_say_what_it_dropped_the_datagrams_do(
    listening: Callable[..., SyslogListener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_SO_MEMINFO", 9_999)
    listener = listening("udp://127.0.0.1:0")
    listener._doors[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
    with connected(listener.addresses[0]) as sender:
        for _ in range(100):
            sender.send(b"<13>" + b"x" * 1_000)
        held = collected_without_end(listener, 1)
        sender.send(b"<13>after")
        after = collected_without_end(listener, 1)
    assert listener.received.lost == 100 - len(held)
    assert [record.source for record in after][1:] == ["logstore"]


# -- addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("udp", "udp://127.0.0.1:514"),
        ("tcp", "tcp://127.0.0.1:514"),
        ("udp://", "udp://127.0.0.1:514"),
        ("tcp://:5514", "tcp://127.0.0.1:5514"),
        ("UDP://LocalHost:5514", "udp://localhost:5514"),
        ("udp://0.0.0.0", "udp://0.0.0.0:514"),
        ("tcp://[::1]:0", "tcp://[::1]:0"),
        ("unix:///run/x.sock", "unix:///run/x.sock"),
    ],
)
def test_an_address_means_the_loopback_unless_it_names_a_host(text: str, address: str) -> None:
    assert str(parse(text)) == address
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "514", "http://x", "udp://x:y", "udp://x:70000", "unix://run/x", "unix", "tcp://h/x", "tcp://[::1"],
)
def test_what_is_no_address_is_an_invalid_setting(text: str) -> None:
    with pytest.raises(errors.InvalidSetting, match="write udp://HOST:PORT"):
        parse(text)


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_a_port_in_use_is_refused(listening: Callable[..., SyslogListener], kind: str) -> None:
    """The error names the address and the way out; the first listener goes on."""
    (address,) = listening(f"{kind}://127.0.0.1:0").addresses
    with pytest.raises(errors.InputUnreadable, match=rf"{address}: cannot listen: .*another program"):
        listening(address)


def test_an_address_of_another_machine_is_refused(listening: Callable[..., SyslogListener]) -> None:
    with pytest.raises(errors.InputUnreadable, match="name an address of this machine"):
        listening("udp://192.0.2.1:0")


def test_a_live_unix_socket_is_refused_and_a_stale_one_replaced(
    listening: Callable[..., SyslogListener], tmp_path: Path
) -> None:
    """A socket file outlives a crash: it is replaced if nobody listens there any more."""
    address = f"unix://{tmp_path}/s"
    first = listening(address)
    with pytest.raises(errors.InputUnreadable, match="another program listens there"):
        listening(address)
    first._doors.pop().socket.close()  # as by a crash: the file stays
    assert (tmp_path / "s").is_socket()
    second = listening(address)
    with connected(address) as sender:
        sender.send(b"<13>x")
    assert messages(collected(second, 1)) == ["x"]
    second.close()
    assert not (tmp_path / "s").exists()


def test_a_live_socket_of_another_kind_is_refused(
    listening: Callable[..., SyslogListener], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()
        with pytest.raises(errors.InputUnreadable, match="another program listens there"):
            listening(f"unix://{tmp_path}/s")


def test_a_closed_listener_leaves_alone_what_took_its_place(
    listening: Callable[..., SyslogListener], tmp_path: Path
) -> None:
    """Closing removes the listener's own socket file, and no other."""
    listener = listening(f"unix://{tmp_path}/s")
    (tmp_path / "s").unlink()
    (tmp_path / "s").write_text("mine")
    listener.close()
    listener.close()
    assert (tmp_path / "s").read_text() == "mine"


@pytest.mark.parametrize("place", ["file", "no/folder", "x" * 200], ids=["a file", "no folder", "too long"])
def test_a_path_that_cannot_be_a_socket_is_refused(
    listening: Callable[..., SyslogListener], tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("keep me")
    with pytest.raises(errors.InputUnreadable, match=str(tmp_path)):
        listening(f"unix://{tmp_path}/{place}")
    assert (tmp_path / "file").read_text() == "keep me"


def test_a_port_of_the_system_needs_permission(forked: Forked) -> None:
    """The error names the way out."""
    if os.getuid() != 0 or int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 514:
        pytest.skip("EVERYBODY MAY LISTEN ON PORT 514 HERE, or we are not root: nothing to be refused")

    def listen() -> None:
        SyslogListener(["udp"], tz=UTC, clock_us=Clock(NOW_US))

    assert "need root: use another address" in forked(listen, uid=65534)


def test_a_listener_that_cannot_have_all_its_addresses_has_none(
    listening: Callable[..., SyslogListener], tmp_path: Path
) -> None:
    """It does not listen with one ear: what it had opened is closed again."""
    with pytest.raises(errors.InputUnreadable):
        listening(f"unix://{tmp_path}/s", f"unix://{tmp_path}/no/folder")
    assert not (tmp_path / "s").exists()


# -- real peers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["udp", "tcp", "unix"])
def test_pythons_syslog_handler_is_understood(
    listening: Callable[..., SyslogListener], tmp_path: Path, kind: str
) -> None:
    """Its messages have no header but the PRI, end with a NUL, and name a program by `ident`."""
    listener = listening(f"unix://{tmp_path}/s" if kind == "unix" else f"{kind}://127.0.0.1:0")
    target = parse(listener.addresses[0])
    handler = logging.handlers.SysLogHandler(
        target.place if kind == "unix" else (target.place, target.port),
        facility="daemon",
        socktype=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM,
    )
    if kind == "tcp":
        handler.append_nul = False  # over TCP a program has to end its messages itself
        handler.setFormatter(logging.Formatter("%(message)s\n"))
    handler.ident = "app: "
    for level, text in ((logging.ERROR, "it failed"), (logging.INFO, "ünïcode")):
        handler.handle(
            logging.makeLogRecord({"levelno": level, "levelname": logging.getLevelName(level), "msg": text})
        )
    handler.close()

    host = "here" if kind == "unix" else "127.0.0.1"
    assert [record[:3] for record in collected(listener, 2)] == [
        ("it failed", "error", f"{host}/app"),
        ("ünïcode", "info", f"{host}/app"),
    ]


LOGGER = ["logger", "--tag", "app", "--priority", "user.warning", "--id=42"]


@pytest.mark.parametrize("form", ["--rfc3164", "--rfc5424"])
@pytest.mark.parametrize("kind", ["udp", "tcp", "octets", "unix"])
def test_the_logger_command_is_understood(
    listening: Callable[..., SyslogListener], tmp_path: Path, kind: str, form: str
) -> None:
    """util-linux's `logger`, in both formats, over each socket, by lines and counted."""
    if shutil.which("logger") is None:
        pytest.skip("NO logger HERE, so no real peer proves the listener: apt-get install bsdutils")
    name = {"octets": "tcp", "unix": "unix"}.get(kind, kind)
    listener = listening(
        f"unix://{tmp_path}/s" if kind == "unix" else f"{name}://127.0.0.1:0",
        clock_us=lambda: time.time_ns() // 1000,
        this_host=socket.gethostname(),
    )
    target = parse(listener.addresses[0])
    if kind == "unix":
        where = ["--socket", target.place]
    else:
        where = ["--server", target.place, "--port", str(target.port), f"--{name}"]
    octets = ["--octet-count"] if kind == "octets" else []
    environment = {**os.environ, "TZ": "UTC"}
    started_us = time.time_ns() // 1000
    with subprocess.Popen([*LOGGER, form, *where, *octets, "disk 81 % full"], env=environment):
        (record,) = collected(listener, 1)

    assert (record.message, record.level) == ("disk 81 % full", "warning")
    assert record.source == f"{socket.gethostname()}/app"
    assert record.timestamp_us is not None
    assert -SECOND_US < record.timestamp_us - started_us < 60 * SECOND_US
    assert (record.attributes or {})["pid"] == 42


RSYSLOG = """
global(workDirectory="{folder}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/in" CreatePath="off")
action(type="omfwd" target="127.0.0.1" port="{udp}" protocol="udp")
action(type="omfwd" target="127.0.0.1" port="{tcp}" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format")
action(type="omfwd" target="127.0.0.1" port="{tcp}" protocol="tcp" TCP_Framing="octet-counted")
"""


def test_rsyslog_is_understood(listening: Callable[..., SyslogListener], tmp_path: Path) -> None:
    """A real rsyslogd forwards by UDP, by lines and counted: each message arrives once by each way."""
    program = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("NO rsyslogd HERE, so no real peer proves the listener: apt-get install rsyslog")
    listener = listening("udp://127.0.0.1:0", "tcp://127.0.0.1:0")
    udp, tcp = (parse(address).port for address in listener.addresses)
    config = tmp_path / "rsyslog.conf"
    config.write_text(RSYSLOG.format(folder=tmp_path, udp=udp, tcp=tcp))
    arguments = [program, "-n", "-f", str(config), "-i", str(tmp_path / "pid")]
    with subprocess.Popen(arguments) as daemon:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                _connect_when_there(sender, tmp_path / "in")
                for number in range(100):
                    sender.send(b"<11>Dec  7 00:00:00 app[%d]: said %d" % (number, number))
            records = collected(listener, 300)
        finally:
            daemon.terminate()

    # by its template for RFC 5424 the blank behind the tag is part of the text
    assert sorted(text.lstrip() for text in messages(records)) == sorted(
        f"said {number}" for number in range(100) for _ in range(3)
    )
    assert {record.level for record in records} == {"error"}
    assert {record.source.partition("/")[2] for record in records} == {"app"}


def _connect_when_there(sender: socket.socket, path: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            sender.connect(str(path))
        except OSError as error:
            assert error.errno in (errno.ENOENT, errno.ECONNREFUSED)  # noqa: PT017  # it is still starting
            time.sleep(0.02)
        else:
            return
    pytest.fail("rsyslogd does not listen")
