"""From an older file format to the present one, in one transaction."""

from collections.abc import Mapping

from logstore import statements
from logstore.database import VERSION, Connection, check_ours, file_version
from logstore.errors import VersionMismatch


def upgrade_file(connection: Connection, steps: Mapping[int, str] = statements.UPGRADES) -> tuple[int, int]:
    """Bring a file to VERSION. Returns the formats before and after (the same: nothing to do).

    `steps` maps a format to the SQL that leads on from it and sets the next `user_version`.
    Raises VersionMismatch, and changes nothing, if no step leads on from the file's format.
    """
    check_ours(connection)
    with connection.transaction():
        before = version = file_version(connection)
        while version < VERSION:
            if version not in steps:
                raise VersionMismatch(
                    f"{connection.path}: no way is known from format {version} to {VERSION}; "
                    "it was left untouched: use the logstore that wrote it"
                )
            connection.rows(steps[version])
            reached = file_version(connection)
            if reached <= version:
                raise VersionMismatch(
                    f"{connection.path}: the step from format {version} leads to {reached}; "
                    "it was left untouched: this logstore is faulty"
                )
            version = reached
    return before, version
