"""The SQL of logstore: one file in sql/ for each statement, one name here for each file."""

from importlib.resources import files
from typing import Final


def _read(name: str) -> str:
    package = files(__package__)
    # In a wheel sql/ lies inside the package; in a checkout it lies beside it.
    shipped = package / "sql" / name
    source = shipped if shipped.is_file() else package / ".." / "sql" / name
    return source.read_text(encoding="utf-8")


ACCEPT_TOKEN: Final = _read("accept_token.sql")
ADD_CONTENT: Final = _read("add_content.sql")
ADD_RULE: Final = _read("add_rule.sql")
BEGIN_STORE: Final = _read("begin_store.sql")
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
HAS_MASKS: Final = _read("has_masks.sql")
LAST_ARCHIVED: Final = _read("last_archived.sql")
LAST_SEQUENCE: Final = _read("last_sequence.sql")
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
RUNS_OF_CONTENT: Final = _read("runs_of_content.sql")
SAVE_CHECKPOINT: Final = _read("save_checkpoint.sql")
SAVE_CURSOR: Final = _read("save_cursor.sql")
SAVE_LINE_FORMAT: Final = _read("save_line_format.sql")
SAVE_RULE_SET: Final = _read("save_rule_set.sql")
SAVE_SETTINGS: Final = _read("save_settings.sql")
SAVE_STATE: Final = _read("save_state.sql")
SAVE_SWEPT: Final = _read("save_swept.sql")
SCHEMA: Final = _read("schema.sql")
STATS: Final = _read("stats.sql")
SWEEP: Final = _read("sweep.sql")

UPGRADES: Final[dict[int, str]] = {1000: _read("upgrades/1000_to_1001.sql")}
"""The step that leads on from each older format."""
