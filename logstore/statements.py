"""The SQL of logstore: one file in sql/ for each statement, one name here for each file."""

from pathlib import Path
from typing import Final

_SHIPPED: Final = Path(__file__).parent / "sql"
# In a wheel sql/ lies inside the package; in a checkout it lies beside it.
_FOLDER: Final = _SHIPPED if _SHIPPED.is_dir() else _SHIPPED.parent.parent / "sql"


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


ACCEPT_TOKEN: Final = _read("accept_token.sql")
ADD_CONTENT: Final = _read("add_content.sql")
ADD_RULE: Final = _read("add_rule.sql")
BEGIN_STORE: Final = _read("begin_store.sql")
CHECK_CONTENTS: Final = _read("check_contents.sql")
CHECK_COUNTS: Final = _read("check_counts.sql")
CHECK_REFERENCES: Final = _read("check_references.sql")
CHECK_WORDS: Final = _read("check_words.sql")
CLEAR_STAGE: Final = _read("clear_stage.sql")
CLOSE_EPISODE: Final = _read("close_episode.sql")
DESCRIBE_CONTENT: Final = _read("describe_content.sql")
EPISODES_NEWEST: Final = _read("episodes_newest.sql")
EPISODES_OLDEST: Final = _read("episodes_oldest.sql")
EPISODES_SORTED: Final = _read("episodes_sorted.sql")
EVICT: Final = _read("evict.sql")
FIND_CHECKPOINT: Final = _read("find_checkpoint.sql")
FIND_CHECKPOINTS: Final = _read("find_checkpoints.sql")
FIND_CONTENT: Final = _read("find_content.sql")
FIND_CURSOR: Final = _read("find_cursor.sql")
FIND_OPEN: Final = _read("find_open.sql")
FIND_RUN: Final = _read("find_run.sql")
FOLLOW_LAST: Final = _read("follow_last.sql")
FOLLOW_OPEN: Final = _read("follow_open.sql")
FOLLOW_OPENED: Final = _read("follow_opened.sql")
FOLLOW_POSITION: Final = _read("follow_position.sql")
FOLLOW_SINCE: Final = _read("follow_since.sql")
HAS_MASKS: Final = _read("has_masks.sql")
HISTOGRAM: Final = _read("histogram.sql")
LAST_ARCHIVED: Final = _read("last_archived.sql")
LAST_SEQUENCE: Final = _read("last_sequence.sql")
NEAR: Final = _read("near.sql")
NUMBERS_BEHIND: Final = _read("numbers_behind.sql")
OLDEST_RECEIPT: Final = _read("oldest_receipt.sql")
PARTS_OF_RUN: Final = _read("parts_of_run.sql")
PUT_OPEN: Final = _read("put_open.sql")
QUERY_CONTENTS: Final = _read("query_contents.sql")
QUERY_RUNS: Final = _read("query_runs.sql")
REACH: Final = _read("reach.sql")
READ_GENERATION: Final = _read("read_generation.sql")
READ_LINE_FORMATS: Final = _read("read_line_formats.sql")
READ_RULES: Final = _read("read_rules.sql")
READ_SETTINGS: Final = _read("read_settings.sql")
READ_STATE: Final = _read("read_state.sql")
RENEW_OPEN: Final = _read("renew_open.sql")
RUN_BEFORE: Final = _read("run_before.sql")
RUNS_OF_CONTENT: Final = _read("runs_of_content.sql")
SAVE_CHECKPOINT: Final = _read("save_checkpoint.sql")
SAVE_CURSOR: Final = _read("save_cursor.sql")
SAVE_LINE_FORMAT: Final = _read("save_line_format.sql")
SAVE_RULE_SET: Final = _read("save_rule_set.sql")
SAVE_SETTINGS: Final = _read("save_settings.sql")
SAVE_STATE: Final = _read("save_state.sql")
SAVE_SWEPT: Final = _read("save_swept.sql")
SCHEMA: Final = _read("schema.sql")
SNAPSHOT_ADD_CLOSED: Final = _read("snapshot_add_closed.sql")
SNAPSHOT_ADD_CONTENT: Final = _read("snapshot_add_content.sql")
SNAPSHOT_ADD_OPEN: Final = _read("snapshot_add_open.sql")
SNAPSHOT_CLOSED: Final = _read("snapshot_closed.sql")
SNAPSHOT_CONTENTS: Final = _read("snapshot_contents.sql")
SNAPSHOT_COUNT: Final = _read("snapshot_count.sql")
SNAPSHOT_INTO: Final = _read("snapshot_into.sql")
SNAPSHOT_MAKE_ROOM: Final = _read("snapshot_make_room.sql")
SNAPSHOT_OPEN: Final = _read("snapshot_open.sql")
SNAPSHOT_READ_STORE: Final = _read("snapshot_read_store.sql")
SNAPSHOT_SAME_CONTENT: Final = _read("snapshot_same_content.sql")
SNAPSHOT_SAVE_STORE: Final = _read("snapshot_save_store.sql")
SNAPSHOT_TEXTS: Final = _read("snapshot_texts.sql")
SOURCES: Final = _read("sources.sql")
SOURCES_BEGINNING: Final = _read("sources_beginning.sql")
STAGE: Final = _read("stage.sql")
STAGE_CONTENT: Final = _read("stage_content.sql")
STATS: Final = _read("stats.sql")
SUM_GAPS: Final = _read("sum_gaps.sql")
SWEEP: Final = _read("sweep.sql")

UPGRADES: Final[dict[int, str]] = {
    1000: _read("upgrades/1000_to_1001.sql"),
    1001: _read("upgrades/1001_to_1002.sql"),
    1002: _read("upgrades/1002_to_1003.sql"),
}
"""The step that leads on from each older format."""

QUERIES: Final[dict[str, str]] = {
    name: _read(f"queries/{name}.sql")
    for name in (
        "by-source",
        "flapping",
        "gone-quiet",
        "largest-numbers",
        "last-words",
        "loudest",
        "missed-beats",
        "new",
        "per-minute",
        "wrong-now",
    )
}
"""Saved questions, by name; each is written for people at the stock shell, too."""
