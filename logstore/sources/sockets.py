"""Addresses like `udp://127.0.0.1:514`, and the sockets that listen on them."""

import errno
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from logstore.errors import InputUnreadable, InvalidSetting

LOOPBACK: Final = "127.0.0.1"
SYSLOG_PORT: Final = 514
SO_RXQ_OVFL: Final = 40  # Linux; the module socket does not name it: dropped datagrams are told

_SO_MEMINFO: Final = 55  # Linux; nine numbers of 32 bits, the last is how many datagrams were dropped
_MEMINFO: Final = struct.Struct("=9I")
_RECEIVE_BYTES: Final = 8 * 1024 * 1024  # what may wait while a commit waits for the disk
_BACKLOG: Final = 128
_ANYBODY: Final = 0o666  # as with /dev/log: who may reach the folder may log
_FORMS: Final = "udp://HOST:PORT, tcp://HOST:PORT, unix:///PATH, or udp or tcp alone"


class Address(NamedTuple):
    """Where to listen; `kind` is udp, tcp or unix, `place` the path of a unix socket, else the host."""

    kind: str
    place: str
    port: int = 0

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix://{self.place}"
        host = f"[{self.place}]" if ":" in self.place else self.place
        return f"{self.kind}://{host}:{self.port}"


def parse(text: str) -> Address:
    """Return the address that a text names; without a host it is the loopback. Raises InvalidSetting."""
    try:
        url = urlsplit(text if "://" in text else f"{text}://")
        host, port = url.hostname or LOOPBACK, SYSLOG_PORT if url.port is None else url.port
    except ValueError as error:
        raise InvalidSetting(f"no address to listen on: {text!r} ({error}); write {_FORMS}") from error
    extra = url.query or url.fragment or url.username
    if url.scheme == "unix" and url.path.startswith("/") and not (url.netloc or extra):
        return Address("unix", url.path)
    if url.scheme in ("udp", "tcp") and url.path in ("", "/") and not extra:
        return Address(url.scheme, host, port)
    raise InvalidSetting(f"no address to listen on: {text!r}; write {_FORMS}")


def bind(address: Address) -> socket.socket:
    """Return a socket that receives what is sent to the address, and does not block.

    A unix socket that its last listener left behind is replaced. Raises InputUnreadable if the
    address is in use, not one of this machine, or not permitted.
    """
    try:
        return _bound_unix(address) if address.kind == "unix" else _bound_inet(address)
    except OSError as error:
        raise _refused(address, error) from error


def real_address(address: Address, bound: socket.socket) -> Address:
    """Return the address with the port that the system chose for port 0."""
    return address if address.kind == "unix" else address._replace(port=bound.getsockname()[1])


def dropped(bound: socket.socket) -> int | None:
    """Return how many datagrams the system dropped so far, modulo 2**32; None where it does not say."""
    try:
        counts = _MEMINFO.unpack(bound.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
    except (OSError, struct.error):
        return None
    return int(counts[-1])


def _bound_inet(address: Address) -> socket.socket:
    kind = socket.SOCK_STREAM if address.kind == "tcp" else socket.SOCK_DGRAM
    family, _, _, _, name = socket.getaddrinfo(address.place, address.port, type=kind)[0]
    bound = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(name)
        if kind == socket.SOCK_STREAM:
            bound.listen(_BACKLOG)
        else:
            _prepare_datagrams(bound)
        bound.settimeout(0)
    except BaseException:
        bound.close()
        raise
    return bound


def _bound_unix(address: Address) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        _remove_stale(address)
        bound.bind(address.place)
        Path(address.place).chmod(_ANYBODY)
        _prepare_datagrams(bound)
        bound.settimeout(0)
    except BaseException:
        bound.close()
        raise
    return bound


def _prepare_datagrams(bound: socket.socket) -> None:
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)  # the system may grant less
    bound.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)


def _remove_stale(address: Address) -> None:
    path = Path(address.place)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise InputUnreadable(f"{address}: there is a file that is no socket; remove it or name another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect(address.place)
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:  # that is a live socket of the other kind
                raise
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _refused(address: Address, error: OSError) -> InputUnreadable:
    if error.errno == errno.EADDRINUSE:
        way_out = "another program listens there: stop it, or use another address"
    elif isinstance(error, PermissionError):
        way_out = (
            "ports below 1024 and system folders need root: use another address, e.g. udp://127.0.0.1:5514"
        )
    elif isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        way_out = "name an address of this machine"
    else:
        way_out = "use another address"
    return InputUnreadable(f"{address}: cannot listen: {error.strerror or error}; {way_out}")
