"""A disk in Python: it notes what SQLite does to it, and gives what a power cut could have left of that.

Inodes and directory entries are apart. A sync makes the data and the size of its file durable; the names
become durable, in their order, by a sync of the folder, which SQLite makes at the first sync of a new log or
journal, and in a delete that asks for it. What was not synced may be there, or not, or torn.

Not modelled: several processes, a mapped file, a disk that lies about a sync, faults of a filesystem.
"""

import os
import random
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import apsw

SECTOR: Final = 512
PAGE: Final = 4096
BLAST: Final = 4096
"""What a torn write takes along, where the disk has larger sectors than it says."""


class Op(NamedTuple):
    """One thing that was done to the disk."""

    kind: Literal["create", "delete", "write", "truncate", "sync", "sync-failed", "sync-names"]
    inode: int
    name: str = ""
    offset: int = 0
    data: bytes = b""


class Disk(apsw.VFS):
    """A VFS that notes each change. Nothing is really synced: the notes say what is durable.

    It is the default VFS while it lives, as SQLite takes its random numbers from that: from `seed`, here.
    """

    name: Final = "noting-disk"

    def __init__(self, seed: str, image: "Image | None" = None) -> None:
        super().__init__(self.name, "unix", makedefault=True)
        self._chance = random.Random(seed)
        apsw.randomness(0)
        self.ops: list[Op] = []
        self.lock = threading.Lock()
        self._inodes = _numbered(image or {})

    def xRandomness(self, nbytes: int) -> bytes:  # noqa: N802
        return self._chance.randbytes(nbytes)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "DiskFile":  # noqa: N802
        return DiskFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        with self.lock:
            super().xDelete(filename, syncdir)
            name = Path(filename).name
            self.ops.append(Op("delete", self._inodes.pop(name, 0), name))
            if syncdir:
                self.ops.append(Op("sync-names", 0))

    def inode_of(self, name: str) -> int:
        """Return the inode of a file, a new one for a new name."""
        with self.lock:
            if name not in self._inodes:
                self._inodes[name] = len(self.ops) + 1
                self.ops.append(Op("create", self._inodes[name], name))
            return self._inodes[name]

    def sync(self, descriptor: int) -> None:
        """Note that a folder was synced: stands in for os.fsync, which logstore calls without SQLite."""
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self.note(Op("sync-names", 0))

    def note(self, op: Op) -> None:
        with self.lock:
            self.ops.append(op)


class DiskFile(apsw.VFSFile):
    """A file of a Disk."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._noted = path is not None
        self._inode = disk.inode_of(Path(path).name) if path else 0
        kinds = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL
        self._syncs_names = bool(flags[0] & kinds and flags[0] & apsw.SQLITE_OPEN_CREATE)
        self._reads_only = bool(flags[0] & apsw.SQLITE_OPEN_READONLY)

    def xLock(self, level: int) -> None:  # noqa: N802
        """Lock. A reader that closes tries for more than it may have, and SQLite expects to be refused."""
        if self._reads_only and level > apsw.SQLITE_LOCK_SHARED:
            raise apsw.BusyError  # the only error that apsw does not also raise out of close()
        super().xLock(level)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        with self._disk.lock:
            super().xWrite(data, offset)
            if self._noted:
                self._disk.ops.append(Op("write", self._inode, offset=offset, data=bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        with self._disk.lock:
            super().xTruncate(size)
            if self._noted:
                self._disk.ops.append(Op("truncate", self._inode, offset=size))

    def xSync(self, _flags: int) -> None:  # noqa: N802
        if self._noted:
            self._disk.note(Op("sync", self._inode))
            if self._syncs_names:
                self._syncs_names = False
                self._disk.note(Op("sync-names", 0))


# -- what a power cut leaves ---------------------------------------------------------------------------

Image = dict[str, bytes]
"""The files of a folder by name."""


def _numbered(image: Image) -> dict[str, int]:
    """Inodes of files that were there before."""
    return {name: -number for number, name in enumerate(image, 1)}


class Platter:
    """What of the notes is durable, and what waits for a sync."""

    def __init__(self, image: Image | None = None) -> None:
        self.at = 0
        image = image or {}
        self._names = _numbered(image)
        self._data = {self._names[name]: data for name, data in image.items()}
        self._waiting: dict[int, list[Op]] = {}
        self._names_waiting: list[Op] = []
        self._forgotten: dict[tuple[int, int], list[Op]] = {}

    def advance(self, ops: Sequence[Op], until: int) -> None:
        """Let what was noted up to a place happen."""
        for op in ops[self.at : until]:
            match op.kind:
                case "create" | "delete":
                    self._names_waiting.append(op)
                case "sync-names":
                    self._names = self._named(self._names_waiting)
                    self._names_waiting = []
                case "sync":
                    data = bytearray(self._data.get(op.inode, b""))
                    for waiting in self._waiting.pop(op.inode, ()):
                        _do(data, waiting)
                    self._data[op.inode] = bytes(data)
                case "sync-failed":
                    self._forget(op.inode)
                case _:
                    self._remember(op)
                    self._waiting.setdefault(op.inode, []).append(op)
        self.at = until

    def image(self, chance: random.Random, *, blast: bool = False) -> Image:
        """Draw what the power cut leaves: of the names the first few, of the data anything."""
        kept = chance.choice((0, len(self._names_waiting), chance.randint(0, len(self._names_waiting))))
        names = self._named(self._names_waiting[:kept])
        keep = chance.choice((0.0, 0.5, 0.9, 1.0))
        return {name: self._survived(inode, keep, chance, blast=blast) for name, inode in names.items()}

    def _forget(self, inode: int) -> None:
        """After a sync that failed the system takes its pages for clean, and writes them no more."""
        waiting = self._waiting.pop(inode, [])
        self._waiting[inode] = [op for op in waiting if op.kind == "truncate"]
        for op in waiting:
            for start, stop in _cut_at(PAGE, op.offset, op.offset + len(op.data)):
                data = op.data[start - op.offset : stop - op.offset]
                self._forgotten.setdefault((inode, start // PAGE), []).append(
                    op._replace(offset=start, data=data)
                )

    def _remember(self, op: Op) -> None:
        """Who writes to a page that was forgotten makes all of it dirty again."""
        if self._forgotten:
            for page in range(op.offset // PAGE, (op.offset + len(op.data)) // PAGE + 1):
                self._waiting.setdefault(op.inode, []).extend(self._forgotten.pop((op.inode, page), ()))

    def _named(self, ops: Sequence[Op]) -> dict[str, int]:
        names = dict(self._names)
        for op in ops:
            if op.kind == "create":
                names[op.name] = op.inode
            else:
                names.pop(op.name, None)
        return names

    def _survived(self, inode: int, keep: float, chance: random.Random, *, blast: bool) -> bytes:
        durable = self._data.get(inode, b"")
        waiting = self._waiting.get(inode)
        if not waiting:
            return durable
        data = bytearray(durable)
        for op in waiting:
            if chance.random() < keep:
                _do(data, op)
            elif op.kind == "write" and chance.random() < 0.5:
                _tear(data, op, chance, blast=blast)
        return bytes(data)


def _do(data: bytearray, op: Op) -> None:
    if op.kind == "truncate":
        del data[op.offset :]
        return
    if len(data) < op.offset:
        data.extend(bytes(op.offset - len(data)))
    data[op.offset : op.offset + len(op.data)] = op.data


def _tear(data: bytearray, op: Op, chance: random.Random, *, blast: bool) -> None:
    """Write some sectors of a write, leave some as they were and fill some with garbage."""
    end = op.offset + len(op.data)
    if blast:
        _wreck(data, op.offset // BLAST * BLAST, -(-end // BLAST) * BLAST, chance)
        return
    for start, stop in _cut_at(SECTOR, op.offset, end):
        fate = chance.randrange(4)
        if fate == 0:
            _wreck(data, start, stop, chance)
        elif fate == 1:
            _do(data, Op("write", 0, offset=start, data=op.data[start - op.offset : stop - op.offset]))


def _wreck(data: bytearray, start: int, stop: int, chance: random.Random) -> None:
    _do(data, Op("write", 0, offset=start, data=chance.randbytes(stop - start)))


def _cut_at(size: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a stretch at the multiples of a size."""
    while start < end:
        stop = min(end, (start // size + 1) * size)
        yield start, stop
        start = stop


def put(image: Image, folder: Path, chance: random.Random | None = None) -> None:
    """Make a folder hold an image, and sometimes the garbage of a -shm that nobody took away."""
    for path in folder.iterdir():
        if not path.name.endswith("-reserve"):  # holds nothing, and takes time to be made anew
            path.unlink()
    for name, data in image.items():
        (folder / name).write_bytes(data)
    if chance and image and chance.random() < 0.1:
        (folder / f"{min(image, key=len)}-shm").write_bytes(chance.randbytes(32768))
