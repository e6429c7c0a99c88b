"""Processing functions: whatever they do, no record is lost, and what they did is counted."""

import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore import LogStore, Record, errors
from logstore.identity import MAX_MESSAGE_BYTES
from logstore.sources.processing import Function, Processor, load

RECORD = Record("p_web is up", "notice", "alfa2/monitor", 1_000_000, {"pid": 7, "where": {"node": "alfa2"}})


def processed(function: Callable[[Record], Any], *records: Record) -> tuple[list[Record], Processor]:
    processor = Processor(function)
    return list(processor(records or (RECORD,))), processor


def outcome(processor: Processor) -> tuple[int, int, int]:
    return processor.dropped, processor.split, processor.failed


def halves(record: Record) -> Iterator[Record]:
    for part in record.message.split(" is "):
        yield record._replace(message=part)


def without_pid(record: Record) -> Record:
    assert record.attributes is not None
    return record._replace(attributes={"pid_seen": record.attributes["pid"]})


@pytest.mark.parametrize(
    ("function", "expected", "counters"),
    [
        (lambda record: record, [RECORD], (0, 0, 0)),
        (lambda record: record._replace(level="debug"), [RECORD._replace(level="debug")], (0, 0, 0)),
        (lambda _record: None, [], (1, 0, 0)),
        (lambda _record: [], [], (1, 0, 0)),
        (halves, [RECORD._replace(message="p_web"), RECORD._replace(message="up")], (0, 1, 0)),
        (lambda record: (record,), [RECORD], (0, 0, 0)),
        (without_pid, [RECORD._replace(attributes={"pid_seen": 7})], (0, 0, 0)),
    ],
    ids=["keep", "set the level", "drop", "drop by an empty list", "split", "one in a tuple", "a field out"],
)
def test_a_function_decides_what_becomes_of_a_record(
    function: Function, expected: list[Record], counters: tuple[int, int, int]
) -> None:
    made, processor = processed(function)

    assert made == expected
    assert outcome(processor) == counters
    assert processor.last_error is None


def raises(_record: Record) -> Record:
    raise ValueError("no \0 such \udcff node")


def raises_midway(record: Record) -> Iterator[Record]:
    yield record
    raise ValueError("midway")


def never_ends(record: Record) -> Iterator[Record]:
    while True:
        yield record


def changes_what_it_got_and_raises(record: Record) -> Record:
    assert isinstance(record.attributes, dict)
    record.attributes["where"]["node"] = "nowhere"
    record.attributes.clear()
    raise ValueError("too late")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


def raises_what_cannot_be_printed(_record: Record) -> Record:
    raise UnprintableError


def stops(_record: Record) -> Record:
    raise StopIteration


def changing(**fields: Any) -> Callable[[Record], Record]:
    return lambda record: record._replace(**fields)


FAILURES: dict[str, tuple[Callable[[Record], Any], str]] = {
    "raises": (raises, r"ValueError: no \x00 such \xff node"),
    "raises midway": (raises_midway, "ValueError: midway"),
    "raises StopIteration": (stops, "StopIteration: "),
    "raises what cannot be printed": (raises_what_cannot_be_printed, "UnprintableError: ?"),
    "changes what it got": (changes_what_it_got_and_raises, "ValueError: too late"),
    "returns text": (lambda record: record.message, "TypeError: a Record is needed, not str"),
    "returns a number": (lambda _record: 5, "TypeError: "),
    "returns a plain tuple": (tuple, "TypeError: a Record is needed, not str"),
    "never ends": (never_ends, "OverflowError: more than 10,000 records of one"),
    "an unknown level": (
        changing(level="loud"),
        "InvalidRecord: no such level: 'loud'",
    ),
    "a level that is no level": (changing(level=True), "InvalidRecord: "),
    "a level that cannot be hashed": (changing(level=[]), "InvalidRecord: "),
    "a time out of range": (changing(timestamp_us=-1), "InvalidRecord: timestamp_us"),
    "a time that is no time": (changing(timestamp_us=1.5), "InvalidRecord: timestamp"),
    "a message that is no text": (changing(message=b"x"), "InvalidRecord: source and"),
    "a message too long": (
        changing(message="x" * (MAX_MESSAGE_BYTES + 1)),
        "InvalidRecord: a message of",
    ),
    "attributes that are no JSON": (
        changing(attributes={"x": object()}),
        "InvalidRecord: attributes are a JSON object",
    ),
    "one bad among good": (lambda record: [record, record._replace(level=9)], "InvalidRecord: no such level"),
}


@pytest.mark.parametrize(("function", "said"), FAILURES.values(), ids=FAILURES)
def test_a_function_that_fails_loses_no_record(function: Callable[[Record], Any], said: str) -> None:
    """The record is stored as it came, marked, and counted; what else the function made of it is not."""
    (kept,), processor = processed(function)

    assert kept.attributes is not None
    assert RECORD.attributes is not None
    assert kept.attributes["unprocessed"].startswith(said)
    assert kept._replace(attributes=None) == RECORD._replace(attributes=None)
    assert {**kept.attributes, "unprocessed": 0} == {**RECORD.attributes, "unprocessed": 0}
    assert outcome(processor) == (0, 0, 1)
    assert processor.last_error == kept.attributes["unprocessed"]


def test_what_a_failure_says_is_cut() -> None:
    """An error may quote a whole log; the mark stays short."""

    def fails(_record: Record) -> Record:
        raise ValueError("x" * 1_000_000)

    (kept,), _ = processed(fails)

    assert kept.attributes is not None
    assert len(kept.attributes["unprocessed"]) == 300


def test_the_user_may_end_the_program() -> None:
    """Ctrl-C inside a function is the user's, not the function's."""

    def is_interrupted(_record: Record) -> Record:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        processed(is_interrupted)


def test_a_function_does_not_end_the_program() -> None:
    """Code that was written as a script may call sys.exit: that is a failure as any other."""
    (kept,), processor = processed(lambda _record: sys.exit("no such host"))

    assert kept.attributes is not None
    assert kept.attributes["unprocessed"] == "SystemExit: no such host"
    assert outcome(processor) == (0, 0, 1)


class OwnExit(BaseException):  # as a library may name it
    def __str__(self) -> str:
        raise GeneratorExit


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OwnExit(), "OwnExit: ?"),
        (GeneratorExit("x"), "GeneratorExit: x"),
        (BaseException("x"), "BaseException: x"),
    ],
)
def test_an_error_that_is_no_exception_is_a_failure_as_any_other(error: BaseException, said: str) -> None:
    def fails(_record: Record) -> Record:
        raise error

    (kept,), processor = processed(fails)

    assert kept.attributes is not None
    assert kept.attributes["unprocessed"] == said
    assert outcome(processor) == (0, 0, 1)


def test_who_asks_for_no_more_records_fails_none() -> None:
    """To close the stream is no failure of the function."""
    processor = Processor(halves)
    stream = processor([RECORD, RECORD])
    next(stream)
    assert isinstance(stream, Generator)
    stream.close()

    assert outcome(processor) == (0, 1, 0)


def test_a_function_may_change_the_attributes_it_got() -> None:
    """A reader gives one attributes object to many records: a change in one is not seen in another."""
    shared = {"tags": ["a"], "where": {"node": "alfa2"}}

    def changes(record: Record) -> Record:
        assert isinstance(record.attributes, dict)
        record.attributes["tags"].append(record.message)
        record.attributes["where"]["node"] = record.message
        return record

    made, _ = processed(changes, Record("x", attributes=shared), Record("y", attributes=shared))

    assert [record.attributes for record in made] == [
        {"tags": ["a", name], "where": {"node": name}} for name in "xy"
    ]
    assert shared == {"tags": ["a"], "where": {"node": "alfa2"}}


def test_records_are_processed_as_they_are_asked_for() -> None:
    """A source without an end can be processed: no record is taken before it is needed."""

    def endless() -> Iterator[Record]:
        while True:
            yield RECORD

    stream = Processor(lambda record: record)(endless())

    assert [next(stream), next(stream)] == [RECORD, RECORD]


@given(st.lists(st.sampled_from(["keep", "drop", "split", "fail"])))
def test_the_counters_account_for_every_record(verdicts: list[str]) -> None:
    """Records out = records in, less the dropped, plus one for each split in two."""

    def judge(record: Record) -> Record | list[Record] | None:
        answers: dict[str, Callable[[], Any]] = {
            "keep": lambda: record,
            "drop": lambda: None,
            "split": lambda: [record, record],
            "fail": lambda: 1 // 0,
        }
        answer: Record | list[Record] | None = answers[record.message]()
        return answer

    processor = Processor(judge)
    made = list(processor(Record(verdict) for verdict in verdicts))

    assert outcome(processor) == tuple(verdicts.count(verdict) for verdict in ("drop", "split", "fail"))
    assert len(made) == len(verdicts) - processor.dropped + processor.split


def test_what_comes_out_can_be_stored(store: LogStore) -> None:
    """A batch with failures of every kind is taken whole."""
    for function, _said in FAILURES.values():
        assert store.log_many(Processor(function)([RECORD])) == 1

    (episode,) = store.episodes()
    assert episode.count == len(FAILURES)


# -- functions by name ---------------------------------------------------------------------------------

MODULE = """
from logstore import Record

def quiet(record):
    return record._replace(level="debug")

class Rules:
    @staticmethod
    def drop(record):
        return None

async def slow(record):
    return record

number = 5
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with modules of a user's in it; imports are forgotten afterwards."""
    (tmp_path / "my_rules.py").write_text(MODULE)
    (tmp_path / "my_broken.py").write_text("1 / 0\n")
    (tmp_path / "my_own_exit.py").write_text("raise BaseException('gone')\n")
    (tmp_path / "my_script.py").write_text("raise SystemExit('usage: my_script FILE')\n")
    (tmp_path / "my_needy.py").write_text("import no_such_library_here\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


@pytest.mark.parametrize("name", ["my_rules:quiet", "my_rules.quiet"])
def test_a_function_is_found_by_its_name_in_the_current_folder(folder: Path, name: str) -> None:
    made, _ = processed(load(name))

    assert made == [RECORD._replace(level="debug")]


def test_a_name_may_lead_into_a_class(folder: Path) -> None:
    assert processed(load("my_rules:Rules.drop"))[0] == []


def test_a_file_in_the_current_folder_does_not_stand_in_for_a_module_of_python(folder: Path) -> None:
    (folder / "colorsys.py").write_text("raise SystemExit\n")

    assert load("colorsys:rgb_to_hls").__module__ == "colorsys"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "names no function"),
        ("quiet", "names no function"),
        (":quiet", "names no function"),
        ("my_rules:", "names no function"),
        ("no_such_module_here:quiet", "No module named 'no_such_module_here'; check the name"),
        ("my_rules.deeper:quiet", "my_rules.*not a package; check the name"),
        ("my_rules:loud", "no attribute 'loud'; check the name of the function"),
        ("my_rules:number", "is of type int; name a plain function"),
        ("my_rules:slow", "is asynchronous; name a plain function"),
        ("my_broken:quiet", "fails when imported: ZeroDivisionError: "),
        ("my_own_exit:quiet", "fails when imported: BaseException: gone"),
        ("my_script:quiet", "fails when imported: SystemExit: usage"),
        ("my_needy:quiet", "fails when imported: ModuleNotFoundError: No module named 'no_such_library"),
        (".relative:quiet", "fails when imported: "),
    ],
)
def test_a_name_that_leads_nowhere_is_an_invalid_setting(folder: Path, name: str, said: str) -> None:
    """Each error repeats the name and says what to do."""
    with pytest.raises(errors.InvalidSetting, match=said) as raised:
        load(name)
    assert repr(name) in str(raised.value)
