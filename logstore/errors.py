"""Every error that logstore raises on purpose. Each says what happened, to which file, and what to do next.

LogStoreError
├── InvalidRecord      a record that cannot be kept as it is (also a ValueError)
├── InvalidSetting     a setting that makes no sense (also a ValueError)
├── InvalidQuery       a time, pattern or statement that cannot be understood (also a ValueError)
├── InputUnreadable    an input file that cannot be ingested
├── StoreMissing       nothing is there to be read
├── StoreUnavailable   the file or its folder cannot be opened or written
├── NotALogStore       the file belongs to another program, or is no database
├── VersionMismatch    the file was written by an older or a newer major version
├── StoreDamaged       the file is a store, and its pages are broken
├── StoreBusy          another process held the write lock for longer than `busy_timeout`
├── StoreFull          no space is left; nothing of this call was stored
├── OutcomeUnknown     the disk failed in the commit itself; send the batch again with its token
├── ReadOnly           a write was asked of a store opened with `readonly=True`
└── StoreClosed        the store was closed, or belongs to the process that forked this one
"""


class LogStoreError(Exception):
    """The root: catch this to catch everything that logstore raises on purpose."""


class InvalidRecord(LogStoreError, ValueError):
    """A record that cannot be kept as it is: a wrong type, level, time or size."""


class InvalidSetting(LogStoreError, ValueError):
    """A setting that makes no sense, alone or beside another."""


class InvalidQuery(LogStoreError, ValueError):
    """A time, a level, a pattern or a statement that cannot be understood."""


class InputUnreadable(LogStoreError):
    """An input file that cannot be ingested."""


class StoreMissing(LogStoreError):
    """Nothing is there to be read."""


class StoreUnavailable(LogStoreError):
    """The file or its folder cannot be opened or written."""


class NotALogStore(LogStoreError):
    """The file belongs to another program, or is no database at all."""


class VersionMismatch(LogStoreError):
    """The file was written by an older or by a newer major version of logstore."""


class StoreDamaged(LogStoreError):
    """The file is a store, and its pages are broken."""


class StoreBusy(LogStoreError):
    """Another process held the write lock for longer than `busy_timeout`. Nothing was stored."""


class StoreFull(LogStoreError):
    """No space is left. Nothing of this call was stored."""


class OutcomeUnknown(LogStoreError):
    """The disk failed in the commit itself: only sending the batch again with its token can tell."""


class ReadOnly(LogStoreError):
    """A write was asked of a store that was opened with `readonly=True`."""


class StoreClosed(LogStoreError):
    """The store was closed, or belongs to the process that forked this one."""
