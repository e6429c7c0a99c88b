"""`logstore show` as an investigator sees it: a table, an object, and what else began."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from cli import HOSTILE, Cli

from logstore import LogStore, Record

DATA = Path(__file__).parent / "data"
BEGIN_US = 1_795_306_800_000_000  # 2026-11-22 00:20:00 UTC
KEYS = {
    *("id", "state", "first_seen", "last_seen", "count", "count_total", "count_exact", "level", "source"),
    *("message", "gap_min_ms", "gap_max_ms", "first_text", "last_text", "reason", "content_id"),
}


def at(second: float) -> int:
    return BEGIN_US + round(second * 1_000_000)


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A cluster node's own logs, and a store of made-up ones beside it: `beats.db`.

    c1 beats every 3 s, misses 2 beats, falls silent for 79.74 s beyond T = 60 s, and goes on.
    """
    found = Cli(tmp_path_factory.mktemp("show"))
    for name in ("pacemaker", "corosync"):
        found.ok("ingest", DATA / f"pcmk-alfa2.{name}.log")
    seconds = [*range(0, 31, 3), *range(39, 61, 3), *(139.74 + 3 * beat for beat in range(10))]
    records = [Record("vip monitor", "info", "alfa2/execd", at(second), {"pid": 7}) for second in seconds]
    records += [Record("vip \x1b[31mdown\u202e", "error", "alfa2/x\x07", at(141.84))]
    records += [Record(f"other {number}", "info", "h/p", at(1000)) for number in range(60)]
    with LogStore(found.folder / "beats.db", window=60.0, clock_us=lambda: at(0)) as store:
        store.log_many(sorted(records, key=lambda record: record.timestamp_us or 0))
    return found


def beats(cli: Cli, *arguments: str, **env: Any) -> str:
    done = cli("show", *arguments, db=cli.folder / "beats.db", **env)
    assert done.code == 0, done
    return done.out


def cells(text: str) -> list[list[str]]:
    """The rows of the table of episodes."""
    return [re.split(r"  +", line) for line in text.splitlines() if re.match(r"e\d+  .*\d\d:\d\d", line)]


def whole(text: str) -> dict[str, Any]:
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def test_missed_beats_are_read_at_once(cli: Cli) -> None:
    text = beats(cli, "c1")

    assert [row[4:6] for row in cells(text)] == [
        ["3s / 3.333s / 9s", "2 inside"],
        ["3s / 3s / 3s", "26 before"],
    ]
    assert (
        "longest silence: 2026-11-22 00:21:00.000 - 00:22:19.740 (79.74s, about 26 beats of 3s)\n"
    ) in text


def test_one_episode_says_what_it_missed_before(cli: Cli) -> None:
    """An episode is measured like the content that it is of, whichever way it is asked for."""
    first, second = (row[0] for row in cells(beats(cli, "c1")))

    assert cells(beats(cli, second)) == [cells(beats(cli, "c1"))[1]]
    assert f"longest silence: 9s, about 2 beats of 3s, inside {first}; when is not known" in beats(cli, first)
    assert cells(beats(cli, "c1", "-n", "1")) == [cells(beats(cli, "c1"))[1]]


def test_the_gaps_of_a_content_are_those_inside_its_episodes(cli: Cli) -> None:
    """(60 + 27) s in 18 + 9 gaps, wherever the silence between them was."""
    assert "gaps 3s / 3.222s / 9s (min / mean / max)" in beats(cli, "c1")


def test_the_object_has_it_all(cli: Cli) -> None:
    found = whole(beats(cli, "c1", "-o", "json", "--near"))

    assert set(found) >= KEYS | {"content_hash", "episodes", "gap_mean_ms", "runs", "numbers", "near"}
    assert (found["id"], found["state"], found["count"], found["episodes"]) == (1, "open", 29, 2)
    assert (found["gap_min_ms"], found["gap_mean_ms"], found["gap_max_ms"]) == (3000, 3222, 9000)
    assert found["first_attributes"] == found["last_attributes"] == {"pid": 7}
    first, second = found["runs"]
    assert set(first) == KEYS | {"gap_mean_ms", "beat_ms", "missed_inside", "missed_before"}
    assert [(run["beat_ms"], run["missed_inside"], run["missed_before"]) for run in (first, second)] == [
        (3000, 2, 0),
        (3000, 0, 26),
    ]
    assert found["longest_silence"] == {
        "id": second["id"],
        "place": "before",
        "since": "2026-11-22T00:21:00.000000Z",
        "until": "2026-11-22T00:22:19.740000Z",
        "length_ms": 79_740,
        "beat_ms": 3000,
        "missed": 26,
    }
    assert [(row["offset_ms"], row["level"], row["count"]) for row in found["near"]] == [(2100, "error", 1)]
    assert found["near_total"] == 1


def test_the_object_of_an_episode_has_the_same_keys(cli: Cli) -> None:
    content = whole(beats(cli, "c1", "-o", "json"))
    episode = whole(beats(cli, f"e{content['runs'][1]['id']}", "-o", "json"))

    assert list(episode) == list(content)
    assert content["near"] is None
    assert episode["content_id"] == content["id"]
    assert episode["content_hash"] == content["content_hash"]
    assert episode["runs"] == content["runs"][1:]


def test_near_tells_what_else_began(cli: Cli) -> None:
    """Offsets are from the beginning of the episode; of a content, of its newest."""
    first, _ = (row[0] for row in cells(beats(cli, "c1")))
    text = beats(cli, "c1", "--near")

    assert "what else began near 2026-11-22 00:22:19.740:" in text
    assert re.split(r"  +", text.splitlines()[-1])[:4] == ["+2.1s", "x1", "ERROR", "alfa2/x\\x07"]
    assert "nothing" in beats(cli, "c1", "--radius", "2s").splitlines()
    assert "nothing" in beats(cli, first, "--near").splitlines()
    assert "began near" not in beats(cli, "c1")


def test_near_says_what_it_cut(cli: Cli) -> None:
    done = cli("show", "c3", "--near", db=cli.folder / "beats.db")

    assert len([line for line in done.out.splitlines() if line.strip().startswith("+0s  ")]) == 50
    assert "the nearest 50 of 59" in done.err
    (command,) = re.findall(r"`(query [^`]*)`", done.err)
    assert cli(*shlex.split(command), db=cli.folder / "beats.db").code == 0


def test_what_is_of_the_newest_episodes_only_says_so(tmp_path: Path) -> None:
    """And names the way to all of them."""
    own = Cli(tmp_path)
    with LogStore(own.db, window=1.0, clock_us=lambda: at(0)) as store:
        store.log_many(Record("again", "info", "h/p", at(10 * number)) for number in range(1_100))

    done = own.ok("show", "c1")
    assert len(cells(done.out)) == 20
    assert "the newest 20 episodes" in done.err
    assert "mean and numbers: of the newest 1,000 of 1,100 episodes; -n 1100 for all" in done.err
    assert "1100 times" in done.out.replace(",", "")
    assert own.ok("show", "c1", "-n", "1100").err == ""


def test_all_log_text_is_escaped(cli: Cli) -> None:
    for arguments in (("c2",), ("c1", "--near"), ("c2", "-o", "json")):
        assert not HOSTILE & set(beats(cli, *arguments).replace("\n", ""))


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (("--utc",), "00:20:00.000"),
        (("--tz", "Asia/Kolkata"), "05:50:00.000"),
        ((), "09:20:00.000"),
    ],
)
def test_times_are_in_the_zone_that_was_asked_for(cli: Cli, options: tuple[str, ...], shown: str) -> None:
    """And in JSON always in UTC."""
    assert f"2026-11-22 {shown}" in beats(cli, "c1", *options, TZ="Asia/Tokyo")
    assert whole(beats(cli, "c1", "-o", "json", *options, TZ="Asia/Tokyo"))["first_seen"] == (
        "2026-11-22T00:20:00.000000Z"
    )


@pytest.mark.parametrize(
    "options",
    [("--utc", "--tz", "UTC"), ("--tz", "Nowhere/City"), ("--radius", "soon"), ("-o", "csv"), ("-n", "0")],
    ids=" ".join,
)
def test_wrong_options_are_refused(cli: Cli, options: tuple[str, ...]) -> None:
    done = cli("show", "c1", *options)
    assert (done.code, done.out) == (2, "")


def test_an_id_that_is_not_there_names_the_way_out(cli: Cli) -> None:
    for number in ("c99999", "e99999"):
        assert cli("show", number).is_refusal("query", "--ids")


# -- a real log --------------------------------------------------------------------------------------


def content_of(cli: Cli, text: str) -> str:
    return f"c{cli.jsonl(text, '-n', '1')[0]['id']}"


def test_a_start_and_what_led_to_it(cli: Cli) -> None:
    """p_web was restarted twice: the silence is known exactly, no beat is claimed, causes stand before it."""
    done = cli.ok("show", content_of(cli, "p_web start (call"), "--near")

    assert "gaps 79.74s / 79.74s / 79.74s (min / mean / max)" in done.out
    assert [row[5] for row in cells(done.out)] == ["-", "-"]
    assert "longest silence: 2026-11-22 00:22:16.229 - 00:25:45.473 (209.244s)\n" in done.out
    assert re.search(r"^-0\.116s +x3 +WARNING .*Unexpected result \(not running\)", done.out, re.MULTILINE)
    assert "the nearest 50 of 67" in done.err


def test_what_logs_in_bursts_has_no_beat(cli: Cli) -> None:
    found = whole(cli.ok("show", content_of(cli, "error output [ ls:"), "-o", "json").out)

    assert found["count"] > 200
    assert [run["beat_ms"] for run in found["runs"]] == [None]


def test_every_content_of_a_real_log_can_be_shown(cli: Cli) -> None:
    ids = [row["id"] for row in cli.jsonl("--sort", "count", "-n", "12")]
    for command, done in cli.each(("show", f"c{number}", "-o", "json") for number in ids):
        assert done.code == 0, command
        found = whole(done.out)
        assert sum(run["count"] for run in found["runs"]) == found["count"]


# -- help --------------------------------------------------------------------------------------------


def test_the_examples_of_help_run(cli: Cli) -> None:
    """Each of them, with ids that are there."""
    text = cli("show", "--help", db=None, COLUMNS="200").out
    examples = re.findall(r"^ *logstore (show .*)$", text, re.MULTILINE)

    assert len(examples) >= 3
    for example in examples:
        words = shlex.split(re.sub(r"\b([ce])\d+\b", r"\g<1>1", example))
        assert cli(*words, db=cli.folder / "beats.db").code == 0, example
    assert "twice its smallest gap" in " ".join(text.split())
