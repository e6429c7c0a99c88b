"""`query --explain`: the SQL that ran, its plan and its time, in place of the rows."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from io import StringIO

from logstore.cli.text import counted, escaped
from logstore.database import Connection
from logstore.database.connection import Bindings


@contextmanager
def explained(connections: Sequence[Connection]) -> Iterator[None]:
    """Print, in place of what is printed meanwhile, which statements made it."""
    ran: dict[str, _Ran] = {}
    for connection in connections:
        connection.trace(partial(_note, ran, connection))
    instead, begin_s = StringIO(), time.perf_counter()
    with redirect_stdout(instead):
        yield
    taken_ms = (time.perf_counter() - begin_s) * 1000
    for connection in connections:
        connection.trace(None)
    for sql, each in ran.items():
        each.print(sql)
    lines = len(instead.getvalue().splitlines())
    print(f"-- {counted(lines, 'line')} in {taken_ms:,.1f} ms")


class _Ran:
    """A statement that ran, with the bindings of the first time."""

    def __init__(self, connection: Connection, bindings: Bindings) -> None:
        self.times = 0
        self._connection = connection
        self._bindings = bindings

    def print(self, sql: str) -> None:
        print(f"-- {counted(self.times, 'time')}, the first with {escaped(self._bindings)}")
        print("\n".join(escaped(line) for line in sql.strip().splitlines()))
        for depth, step in _plan(self._connection, sql, self._bindings):
            print(f"--{'  ' * depth} {escaped(step)}")
        print()


def _note(ran: dict[str, _Ran], connection: Connection, sql: str, bindings: Bindings) -> None:
    ran.setdefault(sql, _Ran(connection, bindings)).times += 1


def _plan(connection: Connection, sql: str, bindings: Bindings) -> Iterator[tuple[int, str]]:
    """Yield the steps of SQLite's plan, each with its depth in the tree, from 1."""
    depths = {0: 0}
    for number, parent, _, step in connection.rows(f"EXPLAIN QUERY PLAN {sql}", bindings):
        depths[number] = depths.get(parent, 0) + 1
        yield depths[number], step
