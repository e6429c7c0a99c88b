"""How large a store is beside the text that it was made of, and beside that text packed."""

import gzip
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from bench_common import LOGSTORE, Row, Sizes, check_total, has, progress, ratio_row, seconds_of
from bench_input import PACEMAKER, by_chance, numbers, write_lines, write_pacemaker

SPAN_S: Final = 500  # within one max span, which is 600 s
KIB: Final = 1024


def size_rows(folder: Path, _rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure sizes; once, as they are the same each time."""
    captured = unpacked(Path(sizes.capture) if sizes.capture else PACEMAKER, folder)
    stored = stored_bytes(folder, captured, captured.read_bytes().count(b"\n"), "auto")
    yield size_row("size, captured Pacemaker log, to its text", "<= 0.25", stored, captured.stat().st_size)
    lines = folder / "pacemaker.log"
    write_pacemaker(lines, sizes.cluster_lines)
    stored = stored_bytes(folder, lines, sizes.cluster_lines, "auto")
    name = f"size, start of a cluster over and over, {sizes.cluster_lines:,} lines"
    yield size_row(name, "", stored, lines.stat().st_size)
    if has(["zstd"], "the size beside its packed text is not measured"):
        yield from packed_rows(folder, sizes)
    lines.unlink()


def unpacked(capture: Path, folder: Path) -> Path:
    """Return a capture as text, of the same time, in a folder of ours."""
    text = folder / capture.name.removesuffix(".gz")
    with (gzip.open if capture.suffix == ".gz" else open)(capture, "rb") as packed:
        text.write_bytes(packed.read())
    shutil.copystat(capture, text)
    return text


def packed_rows(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Measure a load that repeats within one max span: in no order, and always in the same order."""
    lines = folder / "syslog"
    for kind, goal, which in (("by chance", "<= 0.15", by_chance), ("in the same order", "", numbers)):
        write_lines(lines, which(sizes.lines, sizes.few), rate=-(-sizes.lines // SPAN_S))
        stored = stored_bytes(folder, lines, sizes.lines, "none")
        name = f"size, {sizes.few:,} texts {kind}, to zstd -19"
        yield size_row(name, goal, stored, packed_bytes(lines))
        lines.unlink()


def stored_bytes(folder: Path, lines: Path, expected: int, masks: str) -> int:
    """Return how large the store of a file is when it is closed."""
    progress(f"size of the store of {lines.name}")
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(fresh) / "log.db"
        seconds_of([*LOGSTORE, "--db", str(path), "ingest", "--masks", masks, str(lines)])
        left = {each.name for each in Path(fresh).iterdir()} - {path.name, f"{path.name}-reserve"}
        if left:
            sys.exit(f"the store was closed and left {left}")
        size = path.stat().st_size
        check_total(path, expected)
    return size


def packed_bytes(lines: Path) -> int:
    """Return how large a file is when zstd has packed it as well as it usually can."""
    progress(f"zstd -19 {lines.name}")
    with subprocess.Popen(["zstd", "-19", "-q", "-c", str(lines)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        size = sum(map(len, iter(partial(process.stdout.read, 1 << 20), b"")))
    if process.returncode:
        sys.exit(f"zstd ended with {process.returncode}")
    return size


def size_row(name: str, goal: str, ours: int, peer: int) -> Row:
    """Compare two sizes in bytes."""
    return ratio_row(name, goal, [{"ours": ours / KIB, "peer": peer / KIB}], "KiB")
