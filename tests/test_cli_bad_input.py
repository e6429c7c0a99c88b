"""Hostile logs, files that are no logs, stores that are no stores: exact, escaped, refused; no traceback."""

import csv
import gzip
import io
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from cli import HOSTILE, NO_POWERS, Cli

MIB = 1024 * 1024
STAMP = b"2026-05-15 18:00:00 INFO "
EVIL = (
    b"\x1b[31mred\x1b[0m \x1b]0;title\x07 nul\x00 bad\xff\xc3( cr\rover bell\x07 c1\xc2\x9b31m del\x7f tab\t "
    b"rtl\xe2\x80\xaetxt\xe2\x80\xac iso\xe2\x81\xa6x\xe2\x81\xa9 ls\xe2\x80\xa8ps\xe2\x80\xa9 "
    b"mark\xe2\x80\x8f bs\x08"
)
KEPT = EVIL.replace(b"\x00", b"\\x00").replace(b"\xff", b"\\xff").replace(b"\xc3(", b"\\xc3(").decode()
"""As SPEC 3 has it: NUL and what is no UTF-8 written out, everything else exactly as it came."""

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: a small file system cannot be mounted")
can_drop = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None,
    reason="ROOT WITHOUT setpriv: rights of files do not hold for it: apt-get install util-linux",
)
POWERLESS = NO_POWERS if os.geteuid() == 0 else ()


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A store with hostile messages, sources and attributes; nobody changes it."""
    cli = Cli(tmp_path_factory.mktemp("evil"))
    cli.write("a.log", b"".join((STAMP, EVIL, b"\n", STAMP, EVIL, b"\n")))
    cli.ok("ingest", "--host", "no\x1bde\u202e1", "a.log")
    attributes = {
        "ts": 1_700_000_000,
        "msg": "x\u001b[2J\u2028\ud800",
        "app": "p\u009b\u202e",
        "k\u001b": "\u202e",
    }
    cli.write("b.jsonl", json.dumps(attributes) + "\n")
    cli.ok("ingest", "b.jsonl")
    cli.ok("log", "-s", b"s\xff\x1b/\xe2\x80\xae", EVIL.replace(b"\x00", b""))
    return cli


def raw(text: str) -> set[str]:
    """The characters of a text that no terminal may get."""
    return {letter for letter in text if letter in HOSTILE or "\ud800" <= letter <= "\udfff"} - {"\n"}


# -- hostile text ------------------------------------------------------------------------------------


def test_hostile_text_is_kept_exactly(evil: Cli) -> None:
    """Message, source and attributes: only NUL and what UTF-8 cannot carry are written out."""
    rows = evil.select("SELECT source, message, count FROM log ORDER BY content_id")
    assert rows[0] == ("no\x1bde\u202e1", KEPT, 2)
    assert rows[1][1] == "x\u001b[2J\u2028\\ud800"
    assert rows[1][0].endswith("/p\u009b\u202e")
    assert rows[2][0] == "s\\xff\x1b/\u202e"
    assert rows[2][1] == KEPT.replace("\\x00", "")
    ((text,),) = evil.select("SELECT first_attributes FROM episode WHERE content_id = 2")
    assert json.loads(text) == {"k\u001b": "\u202e"}


SHOWN = [
    ("query",),
    ("query", "--episodes", "--ids", "--ago"),
    ("query", "-o", "json"),
    ("query", "-o", "jsonl"),
    ("query", "-o", "csv"),
    ("query", "--sql", "SELECT * FROM episode"),
    ("query", "--sql", "SELECT * FROM episode", "-o", "csv"),
    ("query", "--sql", "SELECT message AS 'a\x1b\u202e' FROM log", "-o", "json"),
    ("show", "c1"),
    ("show", "c2"),
    ("show", "e3"),
    ("stats",),
]


def test_hostile_text_is_never_shown_raw(evil: Cli) -> None:
    """No control, no escape, no bidi override in any output; one line a row."""
    for command, done in evil.each(SHOWN):
        assert done.code == 0, command
        assert raw(done.out) == raw(done.err) == set(), command
        if command[0] == "query" and "json" not in command:
            assert done.out.count("\n") == 3 + (command[-1] != "jsonl"), command


def test_machines_get_back_what_was_stored(evil: Cli) -> None:
    """json and jsonl carry the very text, csv the escaped one."""
    texts = [KEPT, "x\u001b[2J\u2028\\ud800", KEPT.replace("\\x00", "")]
    order = ["--sort", "first", "-r"]
    assert {row["message"] for row in evil.jsonl(*order)} == set(texts)
    assert {row["message"] for row in json.loads(evil.ok("query", "-o", "json").out)} == set(texts)
    (first, *_) = csv.DictReader(io.StringIO(evil.ok("query", "-o", "csv", "-s", "*de*").out))
    assert "\\x1b[31mred" in first["message"]
    assert "\\u202e" in first["source"]


def test_a_heading_of_a_user_is_escaped_in_a_table_too(evil: Cli) -> None:
    """The name of a column is text like any other."""
    assert raw(evil("query", "--sql", "SELECT 1 AS 'a\x1b\u202e'").out) == set()


QUOTING: list[tuple[str, ...]] = [
    ("ingest", "no\x1b[31m\u202efile\r"),
    ("query", "-S", "\x1b[31m\u202e"),
    ("query", "-E", "(\x1b"),
    ("query", "-p", "\x1b\u202e"),
    ("query", "-n", "\x1b"),
    ("query", "--sql", "SELECT \x1b\u202e"),
    ("query", "--state", "\x1b[31m\u202e"),
    ("show", "\x1b\u202e"),
    ("config", "get", "\x1b"),
    ("log", "-p", "\x1b", "x"),
    ("--no\x1b[31m",),
]


def test_errors_never_show_hostile_text_raw(evil: Cli) -> None:
    """What is quoted in an error is escaped as well."""
    for command, done in evil.each(QUOTING):
        assert done.code == 2, command
        assert done.err
        assert raw(done.err) == set(), command


def test_a_hostile_file_name_is_escaped_in_the_closing_line(cli: Cli) -> None:
    """It stands on stdout and, as the source, in the store."""
    cli.write("a\x1b[31m\u202e.log", STAMP + b"x\n")
    done = cli.ok("ingest", "a\x1b[31m\u202e.log")
    assert raw(done.out) == raw(done.err) == set()
    assert cli.select("SELECT source FROM content") == [("a\x1b[31m\u202e.log",)]


def test_a_file_name_cannot_forge_a_message(cli: Cli) -> None:
    """One error, one or two lines, none of which the file's name can begin."""
    done = cli("ingest", "a\nlogstore: all is well\nb.log")
    assert done.is_refusal()
    assert not [line for line in done.err.splitlines() if line.startswith("logstore: all is well")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", b"\xff.log"),
        ("query", "-s", b"\xff"),
        pytest.param(
            ("query", "--sql", b"SELECT '\xff'"),
        ),
    ],
    ids=repr,
)
def test_arguments_that_are_no_utf8_are_no_traceback(cli: Cli, arguments: tuple[str | bytes, ...]) -> None:
    """A file of any name can be read, and a question in any bytes be asked."""
    cli.have("x")
    with Path(os.fsdecode(os.fsencode(cli.folder) + b"/\xff.log")).open("wb") as file:
        file.write(b"hello\n")
    done = cli(*arguments)
    assert done.code in (0, 1) if arguments[0] == "ingest" or arguments[1] == "-s" else done.code in (0, 1, 2)


def test_a_store_may_have_any_name(cli: Cli) -> None:
    """Bytes that are no UTF-8 are a name like any other."""
    name = os.fsdecode(os.fsencode(cli.folder) + b"/\xff.db")
    assert cli("log", "x", db=name).code == 0
    assert cli("query", "-c", db=name).out == "1\n"


def test_a_message_is_found_with_the_bytes_it_was_logged_with(cli: Cli) -> None:
    """The pattern is escaped as the message is."""
    cli.ok("log", b"caf\xe9 is open")
    assert cli("query", "-c", b"caf\xe9").out == "1\n"


# -- inputs that are no logs -------------------------------------------------------------------------


def test_long_lines_are_kept_whole(cli: Cli) -> None:
    """1 MiB is one record; of 3 MiB the first 2 MiB are one and the rest another, marked as a part."""
    one, three = b"a" * MIB, b"b" * (3 * MIB - 2) + "é".encode()
    cli.write("a.log", b"\n".join((STAMP + one, STAMP + three, STAMP + b"after", b"")))
    done = cli.ok("ingest", "a.log")
    assert done.out.startswith("a.log: 3 lines -> 4 records")
    rows = cli.select("SELECT message, first_attributes FROM episode ORDER BY id")
    assert [len(message.encode()) for message, _ in rows] == [MIB, 2 * MIB, MIB, 5]
    assert (rows[1][0] + rows[2][0]).encode() == three
    assert [attributes for _, attributes in rows] == [None, None, '{"part":1}', None]
    assert len(cli.ok("query", "-o", "csv").out) > 4 * MIB
    assert cli.ok("ingest", "a.log").out == "a.log: nothing new\n"


def test_a_block_of_nuls_stops_nothing(cli: Cli) -> None:
    """What a power cut leaves in a log: 1 MiB of zeros. The lines around it are stored, and the zeros too."""
    cli.write("a.log", b"before\n" + bytes(MIB) + b"\nafter\n")
    cli.ok("ingest", "a.log")
    ((size,),) = cli.select("SELECT sum(length(message) * count) FROM log WHERE message LIKE '\\x00%'")
    assert size == 4 * MIB
    assert {"before", "after"} <= set(cli.counts())


def test_an_empty_file_is_nothing_new(cli: Cli) -> None:
    """No error: a rotated log is empty for a while."""
    cli.write("a.log", "")
    done = cli.ok("ingest", "a.log")
    assert (done.out, done.err) == ("a.log: nothing new\n", "")
    assert cli.ok("ingest", "-").out == "stdin: nothing new\n"


def test_a_file_without_a_line_end_at_its_end_is_read_once(cli: Cli) -> None:
    """Its last line counts, once."""
    cli.write("a.log", "one\ntwo")
    for _ in range(2):
        cli.ok("ingest", "a.log")
    assert cli.counts() == {"one": 1, "two": 1}


def test_a_file_with_a_byte_order_mark_is_read_to_the_byte(cli: Cli) -> None:
    """However it comes, packed and by stdin too; later lines are read from where it ended."""
    line = "2026-11-22 00:00:00 ERROR {}\n"
    data = ("\ufeff" + line.format("a") + line.format("b")).encode()
    path = cli.write("a.log", data)
    cli.write("packed.gz", gzip.compress(data))
    ended = [cli.ok("ingest", name, stdin=data) for name in ("a.log", "-", "packed.gz")]
    assert all("2 records" in done.out and "receipt" not in done.out for done in ended)
    assert cli.counts() == {"a": 3, "b": 3}
    assert cli.select("SELECT DISTINCT offset FROM checkpoint") == [(len(data),)]
    path.write_bytes(data + line.format("c").encode())
    assert "1 line -> 1 record" in cli.ok("ingest", "a.log").out


def test_a_file_of_the_kernel_is_read_though_its_size_is_0(cli: Cli) -> None:
    done = cli.ok("ingest", "/proc/cpuinfo")
    assert "nothing new" not in done.out
    lines = Path("/proc/cpuinfo").read_text().count("\n")
    assert f"{lines:,} lines -> " in done.out
    assert cli.select("SELECT count(*) FROM checkpoint") == [(0,)]


def test_a_fifo_is_read_to_its_end(cli: Cli) -> None:
    """As a pipe is."""
    os.mkfifo(cli.folder / "pipe")
    writer = threading.Thread(target=lambda: (cli.folder / "pipe").write_bytes(b"hello\nworld\n"))
    writer.start()
    done = cli.ok("ingest", "pipe")
    writer.join()
    assert done.out.startswith("pipe: 2 lines -> 2 records")


def test_an_empty_name_cannot_be_followed(cli: Cli) -> None:
    """It would be waited for for ever."""
    done = cli("ingest", "--follow", "")
    assert (done.code, done.out) == (2, "")
    assert "a file name is empty" in done.err


def test_what_is_no_log_is_refused_by_name(cli: Cli) -> None:
    """A folder, a device, a socket, a packed file: exit 2, a line each with the way out, nothing stored."""
    (cli.folder / "folder").mkdir()
    cli.write("packed.gz", b"\x1f\x8b\x08" + bytes(20))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(cli.folder / "sock"))
        names = ["folder", "/dev/zero", "/dev/null", "sock", "packed.gz", "", "a/b", "n" * 300]
        done = cli("ingest", *names)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == len(names)
    for name, line in zip(names, done.err.splitlines(), strict=True):
        assert line.startswith(f"logstore: {name}")
        assert ";" in line
    assert cli.counts() == {}


@can_drop
def test_a_file_that_may_not_be_read_is_named(cli: Cli) -> None:
    """Exit 2 and what to do; the others go on."""
    cli.write("secret.log", "x\n").chmod(0)
    cli.write("open.log", "y\n")
    done = cli("ingest", "secret.log", "open.log", through=POWERLESS)
    assert done.code == 2
    assert "secret.log: Permission denied; run as a user" in done.err
    assert cli.counts() == {"y": 1}


@pytest.mark.parametrize("closed", ["<&-", "2>&-"])
def test_stdin_and_stderr_may_be_closed(cli: Cli, closed: str) -> None:
    """A service without a terminal can ingest a file."""
    cli.write("a.log", "x\n")
    assert cli.shell(f"$L ingest a.log {closed}").code == 0
    assert cli.counts() == {"x": 1}


# -- stores that are no stores -----------------------------------------------------------------------


def foreign(kind: str, path: Path) -> None:
    """Make a file that is no store of ours."""
    if kind == "text":
        path.write_text("These are my notes.\n" * 30)
    elif kind == "short text":
        path.write_text("hi\n")
    elif kind == "one byte":
        path.write_text("x")
    elif kind == "zeros":
        path.write_bytes(bytes(8192))
    else:
        connection = apsw.Connection(str(path))
        connection.execute("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')")
        if kind == "application":
            connection.execute("PRAGMA application_id = 77; PRAGMA user_version = 3")
        if kind == "application, no table":
            connection.execute("DROP TABLE notes; PRAGMA application_id = 77")
        connection.close()


KINDS = ["text", "short text", "zeros", "database", "application", "one byte", "application, no table"]
COMMANDS = [
    ("log", "x"),
    ("ingest", "-"),
    ("query",),
    ("sweep",),
    ("upgrade",),
    ("config", "set", "window", "9s"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_file_is_refused_and_left_as_it_is(cli: Cli, kind: str) -> None:
    """By readers and writers: exit 2, its name and the way out, not a byte changed, no file beside it."""
    path = cli.folder / "foreign.db"
    foreign(kind, path)
    before = path.read_bytes()
    commands = COMMANDS if kind == "application" else COMMANDS[:3]
    for command, done in cli.each(commands, db=path):
        assert done.is_refusal(str(path), "another"), (command, done)
    assert path.read_bytes() == before
    assert [found.name for found in cli.folder.iterdir()] == ["foreign.db"]


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_store_of_a_newer_version_is_left_as_it_is(cli: Cli, journal: str) -> None:
    """Major 2 is not ours to touch, and the error says that it was not."""
    newer(cli, journal)
    before = cli.db.read_bytes()
    for command in COMMANDS[1:5]:
        cli(*command)
        assert cli.db.read_bytes() == before


def test_a_store_of_a_newer_version_is_refused(cli: Cli) -> None:
    """By readers and writers, and the error says which way out there is."""
    newer(cli, "wal")
    for command in COMMANDS[1:5]:
        assert cli(*command).is_refusal(str(cli.db), "newer", "install")
    assert cli.counts() == {"x": 1}


def newer(cli: Cli, journal: str) -> None:
    """Make a store of major version 2."""
    cli.have("x")
    connection = apsw.Connection(str(cli.db))
    connection.execute(f"PRAGMA user_version = 2000; PRAGMA journal_mode = {journal}")
    connection.close()


def test_a_damaged_store_is_refused(cli: Cli) -> None:
    """Broken pages and a file that was cut are exit 2 with the way out."""
    cli.have("x")
    whole = cli.db.read_bytes()
    cli.db.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    assert cli("query").is_refusal(str(cli.db), "damaged")
    assert cli("log", "y").is_refusal(str(cli.db), "damaged")
    cli.db.write_bytes(whole[: len(whole) // 2 // 4096 * 4096])
    assert cli("query").is_refusal(str(cli.db))


@can_drop
def test_a_folder_that_may_not_be_written_is_said(cli: Cli) -> None:
    """A store in it can be neither made nor written; at rest it can be read; nothing is changed."""
    folder = cli.folder / "locked"
    folder.mkdir()
    path = folder / "log.db"
    assert cli("log", "x", db=path).code == 0
    folder.chmod(0o555)
    before = path.read_bytes()
    try:
        assert cli("log", "x", db=folder / "new.db", through=POWERLESS).is_refusal("new.db", "rights")
        assert cli("log", "x", db=path, through=POWERLESS).is_refusal(str(path), "permission")
        assert cli("query", "-c", db=path, through=POWERLESS).out == "1\n"
        assert {found.name for found in folder.iterdir()} == {"log.db", "log.db-reserve"}
        assert path.read_bytes() == before
    finally:
        folder.chmod(0o755)


@can_drop
def test_a_store_that_may_not_be_read_is_said(cli: Cli) -> None:
    """Mode 0600 of another user, as it looks to everyone else."""
    cli.have("x")
    cli.db.chmod(0)
    for command in (("query",), ("log", "y"), ("stats",)):
        assert cli(*command, through=POWERLESS).is_refusal(str(cli.db))
    cli.db.chmod(0o600)
    assert cli.counts() == {"x": 1}


@can_drop
def test_a_folder_that_may_not_be_entered_is_no_traceback(cli: Cli) -> None:
    """What a user without rights meets at /var/lib/logstore of mode 0700."""
    folder = cli.folder / "closed"
    folder.mkdir(mode=0)
    for command in (("query",), ("log", "x")):
        assert cli(*command, db=folder / "log.db", through=POWERLESS).is_refusal("closed/log.db")


def test_a_name_that_is_too_long_is_no_traceback(cli: Cli) -> None:
    """Exit 2, as for any store that cannot be opened."""
    assert cli("query", db="n" * 300).is_refusal("n" * 300)


def test_what_is_no_file_is_no_store(cli: Cli) -> None:
    """A folder and a device."""
    for path in (cli.folder, Path("/dev/null")):
        for command in (("log", "x"), ("query",)):
            assert cli(*command, db=path).is_refusal(str(path))


def test_a_fifo_is_no_store(cli: Cli) -> None:
    """Refused by readers too, without waiting for someone to write."""
    os.mkfifo(cli.folder / "pipe")
    command = cli.command("query", db=cli.folder / "pipe")
    done = subprocess.run(command, env=cli.env, capture_output=True, timeout=2, check=False)
    assert done.returncode == 2


def test_a_store_that_is_busy_is_exit_5(cli: Cli) -> None:
    """When the patience is over: one line, the file, try again; nothing is stored."""
    cli.have("x")
    writer = apsw.Connection(str(cli.db))
    writer.execute("BEGIN IMMEDIATE")
    soon = "from logstore.store import LogStore as S; S.__init__.__kwdefaults__['busy_timeout'] = 0.2"
    try:
        done = cli("log", "y", patch=soon)
        assert done.is_refusal(str(cli.db), "busy", "try again", code=5)
        assert cli("sweep", patch=soon).code == 5
    finally:
        writer.execute("ROLLBACK")
        writer.close()
    assert cli.counts() == {"x": 1}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"NO SMALL FILE SYSTEM HERE, a full disk is not tested: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Leave not a byte."""
    left = os.statvfs(folder)
    (folder / "filler").write_bytes(bytes(left.f_bavail * left.f_frsize))
    return folder / "filler"


@is_root
def test_a_full_disk_is_said_and_nothing_is_lost(cli: Cli, small_disk: Path) -> None:
    """Exit 2 with the way out; what was accepted stays; when there is space again, writing goes on."""
    path = small_disk / "log.db"
    assert cli("log", "first", db=path).code == 0
    cli.write("a.log", "".join(f"line {number} {'x' * 100}\n" for number in range(60_000)))
    assert cli("ingest", "a.log", db=path).is_refusal(str(path), "space")
    filler = fill(small_disk)
    done = cli("log", "x", db=path)
    assert done.code == 2
    assert str(path) in done.err
    assert cli("log", "x", db=small_disk / "new.db").is_refusal("new.db", "space")
    filler.unlink()
    assert cli("log", "second", db=path).code == 0
    rows = cli("query", "-o", "jsonl", db=path).rows
    assert {row["message"] for row in rows if "line" not in row["message"]} == {"first", "second"}
    assert all(row["count"] == 1 for row in rows)


@is_root
def test_a_full_disk_does_not_blind_the_reader(cli: Cli, small_disk: Path) -> None:
    """The hour in which one asks what happened: nobody writes, nothing is free, a query answers."""
    path = small_disk / "log.db"
    assert cli("log", "first", db=path).code == 0
    fill(small_disk)
    assert cli("query", "-c", db=path).out == "1\n"


@is_root
def test_a_full_disk_is_called_so_when_a_store_is_opened(cli: Cli, small_disk: Path) -> None:
    """Not a failing disk: someone would replace it."""
    path = small_disk / "log.db"
    assert cli("log", "first", db=path).code == 0
    fill(small_disk)
    assert cli("log", "second", db=path).is_refusal(str(path), "space")


# -- questions that make no sense --------------------------------------------------------------------


SENSELESS: dict[tuple[str | bytes, ...], str] = {
    ("query", "-p", "loud"): "emergency",
    ("query", "-p", "8"): "0 to 7",
    ("query", "-E", "["): "does not compile",
    ("query", "-E", "(" * 5000): "does not compile",
    ("query", "-S", "2026-11-23", "-U", "2026-11-22"): "turn them round",
    ("query", "-S", "now", "-U", "now"): "turn them round",
    ("query", "-S", "10/11/2026"): "2026-11-22",
    ("query", "-U", "soon"): "yesterday",
    ("query", "-n", "0"): "all",
    ("query", "-n", "-1"): "all",
    ("query", "-n", "ten"): "all",
    ("query", "-v"): "PATTERN",
    ("show", "c77"): "77",
}


def test_a_question_that_makes_no_sense_is_exit_2(evil: Cli) -> None:
    """One or two lines that name the fix, and no answer."""
    for command, done in evil.each(SENSELESS):
        assert done.is_refusal(SENSELESS[command]), (command, done)


def test_a_wrong_command_line_is_exit_2(evil: Cli) -> None:
    """Usage errors as every program has them."""
    wrong: list[tuple[str, ...]] = [(), ("query", "--sort", "size"), ("query", "-o", "xml"), ("frobnicate",)]
    for command, done in evil.each(wrong):
        assert done.code == 2, command
        assert done.out + done.err


LONG_NUMBERS: list[tuple[str, ...]] = [
    ("query", "-n", "9" * 20),
    ("query", "-n", "9" * 5000),
    ("query", "-p", "9" * 5000),
    ("query", "-S", "9" * 400 + "s"),
    ("query", "-S", "@" + "9" * 5000),
    ("show", "c1", "-n", "9" * 20),
    ("config", "set", "max_open", "9" * 20),
]


def test_a_number_of_any_length_is_no_traceback(evil: Cli) -> None:
    """Taken or refused, but by us."""
    for command, done in evil.each(LONG_NUMBERS):
        assert done.code in (0, 2), command


def test_the_end_of_time_is_no_traceback(cli: Cli) -> None:
    """A wrong clock of one node must not blind the reader."""
    cli.ok("log", "--time", "9999-12-31T23:59:59Z", "far")
    assert "far" in cli.ok("query", TZ="Asia/Tokyo").out


def test_a_database_is_no_log(cli: Cli) -> None:
    """A store, or any SQLite file, is not ingested as text."""
    cli.ok("log", "x")
    assert cli("ingest", str(cli.db)).is_refusal(str(cli.db), "--db")
    assert cli.counts() == {"x": 1}


def test_sql_stands_alone(cli: Cli) -> None:
    """A filter beside --sql would be ignored, so it is refused."""
    cli.ok("log", "x")
    assert cli("query", "--sql", "SELECT 1", "-p", "error").code == 2


def test_a_store_without_its_rows_is_damaged(cli: Cli) -> None:
    """The schema alone is no store: what reads it says so, without a traceback."""
    from logstore import statements

    connection = apsw.Connection(str(cli.db))
    connection.execute(statements.SCHEMA).fetchall()
    connection.close()
    for command in (("query",), ("stats",), ("log", "x"), ("config",)):
        assert cli(*command).is_refusal(str(cli.db)), command
