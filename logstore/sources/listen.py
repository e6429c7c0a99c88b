"""A syslog listener: UDP, TCP and unix datagram sockets to batches of records, in one thread."""

import contextlib
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import Final, Self

from logstore.identity import MAX_MESSAGE_BYTES
from logstore.record import SECOND_US, Record
from logstore.sources.framing import Frame, Framer, trimmed
from logstore.sources.sockets import SO_RXQ_OVFL, Address, bind, dropped, parse, real_address
from logstore.sources.syslog import MessageReader, Messages

BATCH_RECORDS: Final = 10_000
BATCH_BYTES: Final = 16 * 1024 * 1024
MAX_PEERS: Final = 128

_POLL_S: Final = 0.25
_GATHER_S: Final = 0.5  # under a stream that never pauses a batch is handed over after this time
_LAST_READ_S: Final = 1.0
_PAUSE_S: Final = 0.05
_IDLE_US: Final = 60 * SECOND_US  # who was silent so long makes room for another
_READ_BYTES: Final = 65_536
_DATAGRAMS: Final = 200  # of one socket before the others have their turn
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(4)
_DISTINCT_HOSTS: Final = 10_000
_HALF_OF_32_BITS: Final = 1 << 31
_MAPPED: Final = "::ffff:"  # an IPv4 peer of an IPv6 socket

Clock = Callable[[], int]
Stop = Callable[[], bool]


@dataclass(slots=True)
class Received:
    """What a listener was sent so far.

    `peers` counts connections and the hosts that sent datagrams, `refused` connections beyond the
    limit, `closed` silent connections that made room for others, `empty` messages without a byte,
    `truncated` datagrams cut by the system, `lost` datagrams that the system dropped because they
    came faster than they were stored.
    """

    records: int = 0
    bytes: int = 0
    peers: int = 0
    refused: int = 0
    closed: int = 0
    empty: int = 0
    truncated: int = 0
    lost: int = 0


@dataclass(slots=True, eq=False)
class _Door:
    """A socket that was bound to an address; `lost` is what the system said of it last."""

    address: Address
    socket: socket.socket
    lost: int = 0
    inode: int | None = None

    def __post_init__(self) -> None:
        if self.address.kind == "unix":
            self.inode = Path(self.address.place).stat().st_ino

    def close(self) -> None:
        """Close it, and remove its file unless somebody else's has taken the place."""
        self.socket.close()
        if self.inode is not None:
            with contextlib.suppress(OSError):
                if Path(self.address.place).stat().st_ino == self.inode:
                    Path(self.address.place).unlink()


@dataclass(slots=True, eq=False)
class _Peer:
    socket: socket.socket
    framer: Framer
    messages: Messages
    heard_us: int


class SyslogListener:
    """Listens for syslog messages, and hands them over in batches to be committed together.

    `addresses` are like `udp://127.0.0.1:5514`, `tcp://[::1]:5514`, `unix:///run/x.sock`; `udp` and
    `tcp` alone mean the loopback, port 514. `clock_us` gives the time of receipt, `tz` is the zone of
    stamps that name none, `this_host` the host of what comes by unix socket. No more than `max_peers`
    connections are open at a time; each may hold two messages of `limit` bytes in memory. One more
    takes the place of the one that has been silent longest, if that was a minute, or is refused.

    `addresses` are the real ones, after the system chose for port 0; `received` counts what came.
    Raises InvalidSetting for what is no address, InputUnreadable for one that cannot be had.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        tz: tzinfo,
        clock_us: Clock,
        this_host: str = "localhost",
        max_peers: int = MAX_PEERS,
        batch_records: int = BATCH_RECORDS,
        limit: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self.received = Received()
        self._clock_us, self._this_host = clock_us, this_host
        self._max_peers, self._batch, self._limit = max_peers, batch_records, limit
        self._reader = MessageReader(tz)
        self._buffer = bytearray(max(limit, _READ_BYTES))
        self._hosts: set[str] = set()
        self._records: list[Record] = []
        self._handed_bytes = self._said_lost = 0
        self._selector = selectors.DefaultSelector()
        self._doors: list[_Door] = []
        self._peers: set[_Peer] = set()
        try:
            for address in map(parse, addresses):
                self._open(address)
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> list[str]:
        """The addresses listened on, with their real ports."""
        return [str(door.address) for door in self._doors]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening; closing twice is harmless. What no batch has handed over is lost."""
        self._ask_lost()
        for peer in self._peers:
            peer.socket.close()
        for door in self._doors:
            door.close()
        self._doors, self._peers = [], set()
        self._selector.close()

    def batches(self, stop: Stop) -> Iterator[list[Record]]:
        """Yield batches of at least one record until `stop()`, then what was received by then.

        `stop` is asked four times a second, and after each batch. A batch ends when nothing more
        has arrived, or when it is large or has gathered for half a second.
        """
        while not stop():
            if self._receive(_POLL_S):
                self._gather()
            yield from self._handed_over()
        deadline = time.monotonic() + _LAST_READ_S
        while self._gather() and time.monotonic() < deadline:
            yield from self._handed_over()
        for peer in list(self._peers):
            self._part_with(peer)
        yield from self._handed_over()

    def _handed_over(self) -> Iterator[list[Record]]:
        self._say_lost()
        if self._records:
            batch, self._records = self._records, []
            self._handed_bytes = self.received.bytes
            yield batch

    def _gather(self) -> bool:
        """Receive what has arrived, as much as a batch may hold; False if that was all."""
        deadline = time.monotonic() + _GATHER_S
        while (
            len(self._records) < self._batch
            and self.received.bytes - self._handed_bytes < BATCH_BYTES
            and time.monotonic() < deadline
        ):
            if not self._receive(0):
                return False
        return True

    def _receive(self, timeout_s: float) -> bool:
        """Wait until something arrives, and give each socket its turn; False if nothing did."""
        ready = self._selector.select(timeout_s)
        for key, _ in ready:
            key.data()
        return bool(ready)

    def _open(self, address: Address) -> None:
        bound = bind(address)
        door = _Door(real_address(address, bound), bound)
        self._doors.append(door)
        take = self._accept if address.kind == "tcp" else self._take_datagrams
        self._selector.register(bound, selectors.EVENT_READ, partial(take, door))

    # -- connections -----------------------------------------------------------------------------

    def _accept(self, door: _Door) -> None:
        try:
            connection, name = door.socket.accept()
        except (BlockingIOError, ConnectionError):
            return  # it has gone away again
        except OSError as error:  # no file descriptor or memory is left: the others go on, it may try again
            self._refuse(error.strerror or str(error))
            time.sleep(_PAUSE_S)
            return
        if len(self._peers) >= self._max_peers and not self._make_room():
            self._refuse(f"{self._max_peers} are open, none of them silent")
            connection.close()
            return
        connection.settimeout(0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        messages = Messages(self._reader, _host(name[0]), self._limit)
        peer = _Peer(connection, Framer(self._limit), messages, self._clock_us())
        self._peers.add(peer)
        self.received.peers += 1
        self._selector.register(connection, selectors.EVENT_READ, partial(self._read, peer))

    def _refuse(self, why: str) -> None:
        if not self.received.refused:
            text = f"a connection was refused: {why}; further ones that are will not be told"
            self._records.append(Record(text, "warning", "logstore", self._clock_us()))
        self.received.refused += 1

    def _make_room(self) -> bool:
        """Close the connection that has been silent longest; False if none was for long."""
        idle_since_us = self._clock_us() - _IDLE_US
        for peer in sorted(self._peers, key=lambda peer: peer.heard_us):
            if peer.heard_us > idle_since_us:
                return False
            if not self._read(peer):  # what waits in a connection would be lost with it
                self._close_idle(peer)
                return True
        return False

    def _close_idle(self, peer: _Peer) -> None:
        if peer not in self._peers:  # it was over
            return
        self._part_with(peer)
        if not self.received.closed:
            text = f"{self._max_peers} connections are open, and no more can be: silent ones are closed"
            self._records.append(Record(text, "warning", "logstore", self._clock_us()))
        self.received.closed += 1

    def _read(self, peer: _Peer) -> bool:
        """Take what a peer sent; False if that is nothing, or was all."""
        if peer not in self._peers:  # closed to make room, since it was found ready
            return False
        try:
            data = peer.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:  # reset, or timed out: what came before is kept
            data = b""
        self.received.bytes += len(data)
        if data:
            peer.heard_us = self._clock_us()
            self._take(peer.messages, peer.framer.feed(data))
        else:
            self._part_with(peer)
        return bool(data)

    def _part_with(self, peer: _Peer) -> None:
        """Keep what a peer sent last, ended or not, and close its connection."""
        self._take(peer.messages, peer.framer.end())
        self._selector.unregister(peer.socket)
        self._peers.remove(peer)
        peer.socket.close()

    # -- datagrams -------------------------------------------------------------------------------

    def _take_datagrams(self, door: _Door) -> None:
        for _ in range(_DATAGRAMS):
            try:
                length, ancillary, flags, name = door.socket.recvmsg_into([self._buffer], _ANCILLARY_BYTES)
            except OSError:  # no more, or the echo of an error of ours
                return
            host = self._this_host if door.address.kind == "unix" else _host(name[0])
            self._count_lost(door, ancillary)
            self._count_host(host)
            self.received.bytes += length
            messages = Messages(self._reader, host, self._limit, local=door.address.kind == "unix")
            before = len(self._records)
            self._take(messages, [Frame(trimmed(bytes(memoryview(self._buffer)[:length])), ends=True)])
            if flags & socket.MSG_TRUNC:
                self._mark_truncated(before)

    def _mark_truncated(self, first: int) -> None:
        self.received.truncated += 1
        for place, record in enumerate(self._records[first:], first):
            self._records[place] = record._replace(
                attributes={**(record.attributes or {}), "truncated": True}
            )

    def _count_lost(self, door: _Door, ancillary: Sequence[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
                (total,) = struct.unpack("=I", data[:4])
                self._add_lost(door, total)

    def _add_lost(self, door: _Door, total: int) -> None:
        """Take what the system says it dropped; an earlier count may come after a later one."""
        new = (total - door.lost) & 0xFFFFFFFF
        if new < _HALF_OF_32_BITS:
            self.received.lost += new
            door.lost = total

    def _count_host(self, host: str) -> None:
        if host not in self._hosts and len(self._hosts) < _DISTINCT_HOSTS:
            self._hosts.add(host)
            self.received.peers += 1

    def _ask_lost(self) -> None:
        """Ask the system what it dropped: with a datagram comes only what was dropped before it."""
        for door in self._doors:
            if door.address.kind != "tcp" and (total := dropped(door.socket)) is not None:
                self._add_lost(door, total)

    def _say_lost(self) -> None:
        """Say in the store what the system had to drop: nobody may look at the counters."""
        self._ask_lost()
        new = self.received.lost - self._said_lost
        if new:
            text = f"{new} datagrams were lost: they came faster than they were stored"
            self._records.append(Record(text, "warning", "logstore", self._clock_us()))
            self._said_lost = self.received.lost

    # -- messages --------------------------------------------------------------------------------

    def _take(self, messages: Messages, frames: list[Frame]) -> None:
        if not frames:
            return
        now_us = self._clock_us()
        for frame in frames:
            made = messages.take(frame, now_us)
            if not made and frame.ends:
                self.received.empty += 1
            self._records += made
            self.received.records += len(made)


def _host(name: str) -> str:
    return name.removeprefix(_MAPPED)
