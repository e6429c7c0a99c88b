"""Run the real `logstore` program, in a clean environment, and look at what it said."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple

import apsw

from logstore import LogStore

PYTHON = Path(sys.executable)
PROGRAM = PYTHON.parent / "logstore"
NO_POWERS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""Root without its powers: the rights of files hold for it as for everyone."""

HOSTILE = frozenset(
    [
        *map(chr, range(32)),
        *map(chr, range(127, 160)),
        *map(chr, range(8234, 8239)),
        *map(chr, range(8294, 8298)),
        "\u200e",
        "\u200f",
        "\u061c",
        "\u2028",
        "\u2029",
    ]
)
"""Controls, line separators and what turns the direction of text round: never shown raw."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What `-o jsonl` printed."""
        return [json.loads(line) for line in self.out.split("\n")[:-1]]

    def is_refusal(self, *said: str, code: int = 2) -> bool:
        """Whether this is an error as promised: its code, nothing on stdout, one or two lines that say so."""
        lines = self.err.count("\n")
        return (self.code, self.out) == (code, "") and 1 <= lines <= 2 and all(s in self.err for s in said)


class Cli:
    """`logstore` in a folder of its own: `cli("query", "-S", "1h")`, on the store `cli.db`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = folder / "log.db"
        self.env = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")} | {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
        }

    def __call__(
        self,
        *arguments: str | bytes | Path,
        db: str | Path | None = "",
        stdin: bytes = b"",
        through: tuple[str, ...] = (),
        patch: str | None = None,
        **env: str | None,
    ) -> Done:
        """Run a command to its end; it never ends in a traceback.

        `db`: None to name no store, "" for `cli.db`. `through`: a program that runs it. `patch`: Python to
        run before, in the same process. Further names are variables of its environment, None to unset one.
        """
        done = subprocess.run(
            [*through, *self.command(*arguments, db=db, patch=patch)],
            cwd=self.folder,
            env={name: value for name, value in {**self.env, **env}.items() if value is not None},
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        err = done.stderr.decode(errors="surrogateescape")
        assert "Traceback" not in err, err
        return Done(done.returncode, done.stdout.decode(errors="surrogateescape"), err)

    def ok(self, *arguments: str | bytes | Path, stdin: bytes = b"", **env: str) -> Done:
        """Run a command that must succeed."""
        done = self(*arguments, db=self.db, stdin=stdin, through=(), patch=None, **env)
        assert done.code == 0, done
        return done

    def each(
        self,
        commands: Iterable[tuple[str, ...]] | Iterable[tuple[str | bytes, ...]],
        db: str | Path | None = "",
    ) -> list[tuple[tuple[str | bytes, ...], Done]]:
        """Run commands that do not disturb each other, as many at once as there are processors."""
        every = list(commands)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(zip(every, pool.map(lambda each: self(*each, db=db), every), strict=True))

    def start(
        self, *arguments: str | Path, stdout: int | IO[bytes] = subprocess.PIPE, patch: str | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            self.command(*arguments, patch=patch),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )

    def shell(self, script: str, **env: str) -> Done:
        """Run a line of sh; $L is the program with its store."""
        line = f'L="{PROGRAM} --db {self.db}"; {script}'
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def command(
        self, *arguments: str | bytes | Path, db: str | Path | None = "", patch: str | None = None
    ) -> list[str | bytes | Path]:
        """Return the command line."""
        program: list[str | Path] = [PROGRAM]
        if patch is not None:
            program = [PYTHON, "-c", f"{patch}\nfrom logstore.cli.app import main\nmain()"]
        named = [] if db is None else ["--db", db or self.db]
        return [*program, *named, *arguments]

    def have(self, message: str, timestamp_us: int | None = None) -> None:
        """Make a store that holds a record, or add one to it, without a process of its own."""
        with LogStore(self.db) as store:
            store.log(message, source="h/p", timestamp_us=timestamp_us)

    def write(self, name: str, data: bytes | str) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def jsonl(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the rows of a query; [] if nothing matched."""
        done = self("query", "-o", "jsonl", *arguments)
        assert done.code in (0, 1, 3), done
        return done.rows

    def counts(self) -> dict[str, int]:
        """Return how often each message is in the store, asked of SQLite itself."""
        return dict(self.select("SELECT message, sum(count) FROM episode GROUP BY message"))

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask SQLite itself."""
        connection = apsw.Connection(str(self.db), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()
