"""Which file a command works on."""

import os
from pathlib import Path

from logstore.database import is_there
from logstore.errors import StoreMissing, StoreUnavailable

SYSTEM_STORE = Path("/var/lib/logstore/logstore.db")


def places(named: str | None) -> list[Path]:
    """Return where a store is looked for, in order: `--db`, LOGSTORE_DB, the system's, the user's."""
    if named:
        return [Path(named)]
    if os.environ.get("LOGSTORE_DB"):
        return [Path(os.environ["LOGSTORE_DB"])]
    state = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return [SYSTEM_STORE, Path(state) / "logstore" / "logstore.db"]


def found_or_none(named: str | None) -> Path | None:
    """Return the store, None if there is none."""
    return next((path for path in places(named) if is_there(path)), None)


def to_read(named: str | None) -> Path:
    """Return the store to read. Raises StoreMissing, naming the places looked at."""
    found = found_or_none(named)
    if found is not None:
        return found
    raise StoreMissing(
        f"no store at {' or '.join(map(str, places(named)))}; name one with --db PATH or LOGSTORE_DB, "
        "or make one with `logstore ingest FILE`"
    )


def to_write(named: str | None) -> Path:
    """Return the store to write: the first that is there, else the last place, its folder made if need be."""
    found = found_or_none(named)
    if found is not None:
        return found
    path = places(named)[-1]
    if not named and not os.environ.get("LOGSTORE_DB"):
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            why = f"{path.parent}: cannot be made ({error.strerror}); name another place with --db"
            raise StoreUnavailable(why) from error
    return path
