"""What Python programs log arrives whole, by the usual ways of `logging`, and by structlog."""

import asyncio
import contextlib
import json
import logging
import logging.config
import logging.handlers
import pickle
import queue
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model import NOW_US, Clock

from logstore import Episode, LogStore, LogStoreHandler, Record, errors
from logstore.handler import StructlogProcessor, _plain
from logstore.writer import BackgroundWriter

LONG = 3600.0


class Unprintable:
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


class Colour(IntEnum):
    RED = 3


@contextlib.contextmanager
def logging_to(handler: logging.Handler, name: str = "app") -> Iterator[logging.Logger]:
    """A logger that has only this handler, in a logging set-up of its own."""
    logger = logging.Logger(name)  # noqa: LOG001  # pytest listens to every logger of the usual tree
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        handler.close()


def episodes(path: Path) -> list[Episode]:
    with LogStore(path, readonly=True) as store:
        return list(store.episodes())


def only(path: Path) -> tuple[str, dict[str, Any]]:
    """The message and the attributes of the only log there is, without the process id."""
    (episode,) = episodes(path)
    attributes = dict(episode.last_attributes or {})
    assert isinstance(attributes.pop("pid"), int)
    return episode.message, attributes


# -- fields --------------------------------------------------------------------------------------------


def test_extra_fields_become_attributes(path: Path) -> None:
    """Everything that `logging` did not put on the record itself, and nothing that it did."""
    with logging_to(LogStoreHandler(path)) as logger:
        logger.info("vip is up", extra={"node": "alfa2", "rc": 0, "took": 1.5, "where": {"a": [1, None]}})

    assert only(path) == ("vip is up", {"node": "alfa2", "rc": 0, "took": 1.5, "where": {"a": [1, None]}})


def test_a_record_without_extra_fields_has_only_the_process(path: Path) -> None:
    """Also when a formatter has put its own fields on the record before."""
    handler = LogStoreHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime).0s%(message)s"))
    with logging_to(handler) as logger:
        logger.info("m", stack_info=False)

    assert only(path) == ("m", {})


VALUES: dict[str, tuple[Any, Any]] = {
    "an object": (Decimal("1.5"), "Decimal('1.5')"),
    "bytes": (b"\xff", "b'\\xff'"),
    "not a number": (float("nan"), "nan"),
    "not a number inside": ([float("inf")], "[inf]"),
    "an object inside": ({"a": {1: Decimal(2)}}, {"a": {"1": "Decimal('2')"}}),
    "a tuple": ((1, 2), [1, 2]),
    "keys that are no text": ({(1, 2): 3}, "{(1, 2): 3}"),
    "an enumeration": (Colour.RED, 3),
    "what cannot be shown": (Unprintable(), "<Unprintable that cannot be shown>"),
    "what cannot be shown inside": ([Unprintable()], ["<Unprintable that cannot be shown>"]),
    "a surrogate": ("\udcff", "\udcff"),
    "a large number": (10**400, 10**400),
    "a set": (set(), "set()"),
}


@pytest.mark.parametrize(("value", "stored"), VALUES.values(), ids=VALUES)
def test_a_field_that_is_no_json_is_shown(path: Path, value: Any, stored: Any) -> None:
    """Whatever a program hands over, the record is stored, with the field as it looks."""
    with logging_to(LogStoreHandler(path)) as logger:
        logger.info("m", extra={"x": value})

    assert only(path) == ("m", {"x": stored})


def test_a_field_that_contains_itself_is_shown(path: Path) -> None:
    ring: list[Any] = []
    ring.append(ring)
    with logging_to(LogStoreHandler(path)) as logger:
        logger.info("m", extra={"x": ring})

    assert only(path) == ("m", {"x": "[[...]]"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON)
def test_a_field_that_is_json_is_kept_as_it_is(value: Any) -> None:
    assert _plain(value) == value
    assert json.dumps(_plain(value)) == json.dumps(value)


def test_a_field_is_that_of_the_moment(path: Path) -> None:
    """A program may change what it has logged: what is stored is what was in it then."""
    state = {"nodes": ["alfa1"]}
    with logging_to(LogStoreHandler(path, linger=LONG)) as logger:
        logger.info("m", extra={"state": state})
        state["nodes"].append("alfa2")

    assert only(path) == ("m", {"state": {"nodes": ["alfa1"]}})


def test_an_argument_is_that_of_the_moment(path: Path) -> None:
    """The text is made when it is logged: what a program does to its objects later is not in it."""
    nodes, counts = ["alfa1"], {"up": 1}
    with logging_to(LogStoreHandler(path, linger=LONG)) as logger:
        logger.info("nodes %s: %s", nodes, counts)
        nodes.append("alfa2")
        counts["up"] = 2

    assert only(path) == ("nodes ['alfa1']: {'up': 1}", {})


def test_a_record_has_none_of_the_fields_of_another(path: Path) -> None:
    """Records without fields of their own share what is said of the process."""
    with logging_to(LogStoreHandler(path)) as logger:
        logger.info("before")
        logger.info("with", extra={"node": "alfa2"})
        logger.error("failed", exc_info=ValueError("x"))
        logger.info("after")

    found = {each.message.split("\n")[0]: each.last_attributes or {} for each in episodes(path)}
    own = {message: set(attributes) - {"pid"} for message, attributes in found.items()}
    assert own == {"before": set(), "with": {"node"}, "failed": {"exception"}, "after": set()}


def test_a_field_counts_also_where_a_name_of_loggings_is_missing(path: Path) -> None:
    """A filter may take something off a record and put something on it."""

    def exchange(record: logging.LogRecord) -> bool:
        del record.__dict__["relativeCreated"]
        record.__dict__["node"] = "alfa2"
        return True

    handler = LogStoreHandler(path)
    handler.addFilter(exchange)
    with logging_to(handler) as logger:
        logger.info("m")

    assert only(path) == ("m", {"node": "alfa2"})


def test_a_handler_of_ones_own_may_make_the_text(path: Path) -> None:
    """By `format`, or a LogRecord of its own: with no formatter the message is still theirs."""

    class Loud(LogStoreHandler):
        def format(self, record: logging.LogRecord) -> str:
            return super().format(record).upper()

    class Braces(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802  # the name is logging's
            return str(self.msg).format(*(self.args or ()))

    handler = Loud(path)
    handler.handle(Braces("app", 20, "f.py", 1, "{} is up", ("vip",), None))
    handler.close()

    assert only(path) == ("VIP IS UP", {})


def test_fields_are_no_part_of_the_identity(path: Path) -> None:
    """Records of one text merge, whatever their fields; first and last are kept."""
    with logging_to(LogStoreHandler(path)) as logger:
        for number in range(5):
            logger.info("m", extra={"number": number})

    (episode,) = episodes(path)
    assert episode.count == 5
    assert (episode.first_attributes or {})["number"] == 0
    assert (episode.last_attributes or {})["number"] == 4


# -- exceptions ----------------------------------------------------------------------------------------


def test_an_exception_is_in_the_text_and_its_type_in_the_attributes(path: Path) -> None:
    with logging_to(LogStoreHandler(path)) as logger:
        try:
            raise errors.StoreBusy("locked")  # noqa: TRY301
        except errors.StoreBusy:
            logger.exception("it failed")

    message, attributes = only(path)
    assert message.startswith("it failed\nTraceback")
    assert message.endswith("logstore.errors.StoreBusy: locked")
    assert attributes == {"exception": "logstore.errors.StoreBusy"}


def test_an_exception_that_is_none_is_no_attribute(path: Path) -> None:
    """logger.exception outside of an except block."""
    with logging_to(LogStoreHandler(path)) as logger:
        logger.exception("it failed")  # noqa: LOG004  # that is what is tested

    assert only(path) == ("it failed\nNoneType: None", {})


def test_a_stack_is_in_the_text(path: Path) -> None:
    with logging_to(LogStoreHandler(path)) as logger:
        logger.warning("how did we get here", stack_info=True)

    message, attributes = only(path)
    assert message.startswith("how did we get here\nStack (most recent call last):")
    assert attributes == {}


# -- the ways of logging -------------------------------------------------------------------------------


def test_a_queue_listener_hands_over_what_a_queue_handler_prepared(path: Path) -> None:
    """The traceback is once in the text, the fields arrive, the source is the logger that was called."""
    records: queue.Queue[Any] = queue.Queue()
    listener = logging.handlers.QueueListener(
        records, LogStoreHandler(path, source="node1"), respect_handler_level=True
    )
    listener.start()
    with logging_to(logging.handlers.QueueHandler(records), "cluster.vip") as logger:
        try:
            int("by hand")
        except ValueError:
            logger.exception("it failed: %s", "badly", extra={"node": "alfa2"})
    listener.stop()
    listener.handlers[0].close()

    (episode,) = episodes(path)
    assert episode.message.startswith("it failed: badly\nTraceback")
    assert episode.message.count("Traceback") == 1
    assert episode.source == "node1/cluster.vip"
    assert (episode.last_attributes or {})["node"] == "alfa2"


def test_a_pickled_record_is_stored_like_the_original(path: Path) -> None:
    """As it comes from another process, through a socket or a queue."""
    record = logging.makeLogRecord(
        {"name": "app", "msg": "rc %d", "args": (7,), "levelno": 40, "created": NOW_US / 1e6, "node": "alfa2"}
    )
    handler = LogStoreHandler(path)
    for each in (record, logging.makeLogRecord(pickle.loads(pickle.dumps(record.__dict__)))):
        handler.handle(each)
    handler.close()

    (episode,) = episodes(path)
    assert (episode.message, episode.count, episode.level_name) == ("rc 7", 2, "error")
    assert episode.first_attributes == episode.last_attributes


@pytest.mark.parametrize("key", ["class", "()"])
def test_a_handler_is_configured_by_a_dictionary(path: Path, key: str) -> None:
    """With its options, a level by its name, a formatter with defaults, and filters."""
    name = f"logstore.test.config.{key}"
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"quiet": {"()": lambda: lambda record: "noise" not in record.getMessage()}},
        "formatters": {
            "short": {
                "()": "logging.Formatter",
                "fmt": "{node}: {message}",
                "style": "{",
                "defaults": {"node": "?"},
            }
        },
        "handlers": {
            "store": {
                key: "logstore.LogStoreHandler",
                "store_or_path": str(path),
                "source": "node1",
                "level": "WARNING",
                "when_full": "block",
                "formatter": "short",
                "filters": ["quiet"],
            }
        },
        "loggers": {name: {"handlers": ["store"], "level": "DEBUG", "propagate": False}},
    }
    if key == "()":  # a factory takes formatter and filters itself: `logging` sets them on a class only
        for option in ("formatter", "filters", "level"):
            del config["handlers"]["store"][option]  # type: ignore[index]
    logging.config.dictConfig(config)
    logger = logging.getLogger(name)
    logger.warning("m", extra={"node": "alfa2"})
    logger.warning("x")
    if key == "class":
        logger.warning("noise")
        logger.info("too low")
    (handler,) = logger.handlers
    handler.close()
    logger.removeHandler(handler)

    found = {episode.message for episode in episodes(path)}
    assert found == ({"alfa2: m", "?: x"} if key == "class" else {"m", "x"})
    assert {episode.source for episode in episodes(path)} == {f"node1/{name}"}


def test_a_filter_may_replace_a_record(path: Path) -> None:
    """From Python 3.12 on; before, what a filter returns is a yes."""
    replaced = logging.makeLogRecord({"name": "app", "msg": "instead", "levelno": 20})
    handler = LogStoreHandler(path)
    handler.filter = lambda record: replaced  # type: ignore[method-assign,assignment,return-value]
    with logging_to(handler) as logger:
        logger.info("m")

    assert only(path) == ("instead", {})


def test_records_of_asyncio_tasks_arrive(path: Path) -> None:
    """Many tasks log at once; where Python says which task it was, the record keeps it."""

    async def work(logger: logging.Logger, number: int) -> None:
        await asyncio.sleep(0)
        logger.info("m%d", number)

    async def main(logger: logging.Logger) -> None:
        await asyncio.gather(*(work(logger, number) for number in range(100)))

    with logging_to(LogStoreHandler(path)) as logger:
        asyncio.run(main(logger))
    record = logging.makeLogRecord({"name": "app", "msg": "last", "levelno": 20, "taskName": "Task-7"})
    handler = LogStoreHandler(path)
    handler.handle(record)
    handler.close()

    found = {episode.message: episode.last_attributes or {} for episode in episodes(path)}
    assert set(found) == {f"m{number}" for number in range(100)} | {"last"}
    assert found["last"]["task"] == "Task-7"


def test_a_record_may_be_logged_while_another_is_formatted(path: Path) -> None:
    """An argument that logs when it is shown: both records arrive."""
    with logging_to(LogStoreHandler(path)) as logger:

        class Talkative:
            def __str__(self) -> str:
                logger.info("inner")
                return "outer"

        logger.info("%s", Talkative())

    assert {episode.message for episode in episodes(path)} == {"inner", "outer"}


def test_an_argument_that_logs_itself_for_ever_harms_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is dropped and counted; the program goes on."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = LogStoreHandler(path)
    with logging_to(handler) as logger:

        class Endless:
            def __str__(self) -> str:
                logger.info("%s", self)
                return "never"

        logger.info("%s", Endless())
        logger.info("after")
        handler.flush()
        assert handler.dropped >= 1

    assert "after" in {episode.message for episode in episodes(path)}


def test_what_the_writers_own_thread_logs_waits_for_nobody(path: Path) -> None:
    """A thread that waits for the writer under the handler's lock does not stop the writer's own records."""
    handler = LogStoreHandler(path, linger=0)
    with logging_to(handler) as logger:
        logged = threading.Event()
        handler.acquire()  # as logging.shutdown does before it flushes

        def work() -> None:
            logger.error("from within")
            logged.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert logged.wait(10)
        handler.flush()
        handler.release()
        thread.join()

    assert only(path)[0] == "from within"


def test_the_writers_own_thread_never_waits_for_room() -> None:
    """A store that logs while it stores, through the writer that fills it: the record is dropped instead."""
    answers: list[bool] = []

    def store_batch(records: list[Record], _token: tuple[str, int]) -> int:
        if not answers:
            answers.append(writer.log("from within"))
        return len(records)

    writer = BackgroundWriter(store_batch, clock_us=Clock(NOW_US), max_pending=1, when_full="block", linger=0)
    writer.log("m")
    writer.close(timeout=10)

    assert answers == [False]
    assert writer.dropped == 1


@pytest.mark.parametrize("shown", [True, False])
def test_raise_exceptions_decides_whether_a_failure_is_shown(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shown: bool
) -> None:
    """As with every handler of `logging`; it is counted in any case."""
    monkeypatch.setattr(logging, "raiseExceptions", shown)
    handler = LogStoreHandler(path)
    with logging_to(handler) as logger:
        logger.info("%d", "no number")
        assert handler.dropped == 1

    assert ("TypeError" in capsys.readouterr().err) == shown


def test_options_that_make_no_sense_leave_no_store_open(path: Path) -> None:
    """The store that was opened for the handler is closed again."""
    with pytest.raises(errors.InvalidSetting):
        LogStoreHandler(path, when_full="explode")
    with LogStore(path) as store:
        assert store.log("m") == 1


# -- structlog -----------------------------------------------------------------------------------------


@pytest.fixture
def structlog_to() -> Callable[..., Any]:
    """Make a structlog logger with these processors."""
    structlog = pytest.importorskip(
        "structlog", reason="NO structlog HERE, so its processor is not tested: pip install structlog"
    )

    def make(*processors: Any) -> Any:
        return structlog.wrap_logger(
            structlog.ReturnLoggerFactory()(),
            processors=processors,
            wrapper_class=structlog.BoundLogger,
        )

    return make


def test_structlog_stores_its_events(path: Path, structlog_to: Callable[..., Any]) -> None:
    """The event is the message, the method the level, `logger` the source, the rest attributes."""
    with StructlogProcessor(path, source="node1") as processor:
        log = structlog_to(processor).bind(logger="vip", node="alfa2")
        log.warning("vip is down", rc=7, why=Decimal(1))
        log.warning("vip is down", rc=8, why=Decimal(1))

    (episode,) = episodes(path)
    assert (episode.message, episode.level_name, episode.source) == ("vip is down", "warning", "node1/vip")
    assert episode.count == 2
    attributes = dict(episode.last_attributes or {})
    assert isinstance(attributes.pop("pid"), int)
    assert attributes == {"node": "alfa2", "rc": 8, "why": "Decimal('1')"}


def test_structlog_passes_the_event_on(path: Path, structlog_to: Callable[..., Any]) -> None:
    """The processor stands before a renderer, which sees the event as it was."""
    structlog = pytest.importorskip("structlog")
    with StructlogProcessor(path) as processor:
        log = structlog_to(structlog.processors.add_log_level, processor, structlog.processors.JSONRenderer())
        assert json.loads(log.info("m", a=[1])) == {"event": "m", "a": [1], "level": "info"}

    assert only(path) == ("m", {"a": [1]})


@pytest.mark.parametrize(
    ("method", "level"),
    [
        ("debug", "debug"),
        ("info", "info"),
        ("msg", "info"),
        ("warn", "warning"),
        ("error", "error"),
        ("err", "error"),
        ("critical", "critical"),
        ("fatal", "critical"),
        ("exception", "error"),
        ("failure", "info"),
    ],
)
def test_methods_of_structlog_are_levels(path: Path, method: str, level: str) -> None:
    """A method without a level of that name is info; a level that the event names goes before it."""
    with StructlogProcessor(path) as processor:
        processor(None, method, {"event": "by method"})
        processor(None, method, {"event": "by name", "level": "alert"})

    found = {episode.message: episode.level_name for episode in episodes(path)}
    assert found == {"by method": level, "by name": "alert"}


@pytest.mark.parametrize("formatted", [False, True], ids=["raw", "formatted before"])
def test_an_exception_of_structlog_is_in_the_text(
    path: Path, structlog_to: Callable[..., Any], formatted: bool
) -> None:
    """As with `logging`: the message is the event and the traceback, once."""
    structlog = pytest.importorskip("structlog")
    before = [structlog.dev.set_exc_info, structlog.processors.format_exc_info] if formatted else []
    with StructlogProcessor(path) as processor:
        log = structlog_to(*before, processor)
        try:
            int("by hand")
        except ValueError:
            log.exception("it failed")

    message, attributes = only(path)
    assert message.startswith("it failed\nTraceback")
    assert message.endswith("ValueError: invalid literal for int() with base 10: 'by hand'")
    assert message.count("Traceback") == 1
    assert attributes == ({} if formatted else {"exception": "ValueError"})


@pytest.mark.parametrize("exc_info", [True, None, (None, None, None), "yes"], ids=str)
def test_an_exc_info_without_an_exception_is_none(path: Path, exc_info: Any) -> None:
    with StructlogProcessor(path) as processor:
        processor(None, "info", {"event": "m", "exc_info": exc_info})

    assert only(path) == ("m", {})


def test_an_event_that_cannot_be_stored_harms_nobody(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is passed on, counted, and the failure shown."""
    event = {"event": Unprintable()}
    with StructlogProcessor(path) as processor:
        assert processor(None, "info", event) is event
        assert processor.dropped == 1
        processor(None, "info", {"event": "after"})
        processor.flush()
        assert "after" in {episode.message for episode in episodes(path)}
    processor(None, "info", {"event": "closed"})

    assert "ZeroDivisionError" in (err := capsys.readouterr().err)
    assert "StoreClosed" in err
