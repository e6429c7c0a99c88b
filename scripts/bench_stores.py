"""Stores with many archived episodes, each built once a run and used by every section."""

from pathlib import Path

from bench_common import progress
from bench_query import build


def archive(folder: Path, episodes: int, contents: int) -> Path:
    """Return a store of so many archived episodes; it is made when it is first asked for."""
    path = folder / f"archive-{episodes}.db"
    if not path.exists():
        progress(f"building a store of {episodes:,} archived episodes")
        build(path, episodes, contents)
    return path
