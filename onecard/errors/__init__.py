"""Every error that the hub raises on purpose; the type says what the caller does next.

In: what went wrong, by names and numbers. Out: one tree, which every room and face knows.
Nothing here imports another room. A message names dataset, field, rule and row reference; it never
holds a value of a row.

    OnecardError
    ├── RetriableError          try again later (Airflow retries)
    │   ├── SourceUnavailable   the other side is down, slow or refuses for now
    │   │   └── UnstableSource  its pages shifted while they were read: read it again
    │   │       └── NotDivisible its partitions are not one whole now: read it in one
    │   ├── StorageError        a disk is full, over its quota or failing: make room, run again
    │   └── StagingLost         the database restarted and emptied what was staged: stage again
    ├── FatalError              trying again does not help (Airflow fails at once)
    │   ├── ConfigError         a YAML file, a setting or a connection is wrong
    │   │   └── UsageError      what was asked for is not there, or is written wrongly: ask again
    │   ├── ProtocolError       the other side answered what its contract does not allow
    │   ├── SchemaMismatch      the source's columns are not the contract's
    │   ├── AccountingError     the accounting identity does not hold
    │   ├── SupersededError     a newer transfer of the same dataset has taken over
    │   ├── InboxTaken          the consumer has taken its parcels: nobody can see what it holds
    │   ├── PolicyError         no agreement, key or right: nothing leaves
    │   │   ├── NotCollected    what is needed was never published or delivered: no fault
    │   │   └── OlderRow        a rejected row whose record is published newer than it
    │   └── InternalError       a defect of the hub itself, by its type and place only
    ├── Interrupted             somebody stopped the process: the next run goes on
    └── HoldError               a person must decide (`onecard status` shows who and why)
        └── AuditFailed         a critical expectation failed on the staged rows
"""

from __future__ import annotations

import difflib
import errno
import traceback
from collections.abc import Iterable
from pathlib import Path


class OnecardError(Exception):
    """Root of all errors raised by the hub."""

    exit_code = 1


class RetriableError(OnecardError):
    """Trying the same thing again later may succeed."""


class SourceUnavailable(RetriableError):
    """The agency's system cannot be reached, or refuses for now."""


class UnstableSource(SourceUnavailable):
    """The pages of a source shifted while they were read: a row may stand on two or on none."""


class NotDivisible(UnstableSource):
    """What the partitions of a source hold cannot be shown to be the whole: read it in one."""


class StorageError(RetriableError):
    """Something cannot be written: disk full, quota, file size limit or I/O error.

    Nothing of that write is kept, so the same run succeeds when there is room.
    """


class StagingLost(RetriableError):
    """The staged rows went with a crash of the database; nothing was published."""


class FatalError(OnecardError):
    """Trying the same thing again cannot succeed."""


class ConfigError(FatalError):
    """A YAML file, a setting or a connection is wrong."""


class UsageError(ConfigError):
    """What was asked for is not there, or is written wrongly; the same words never succeed."""

    exit_code = 2


class ProtocolError(FatalError):
    """The other side answered what its contract does not allow."""


class SchemaMismatch(FatalError):
    """The source's columns are not the contract's."""


class AccountingError(FatalError):
    """read ≠ published + unchanged + quarantined + deduplicated + filtered_by_policy."""


class SupersededError(FatalError):
    """A newer transfer of the same dataset has claimed it (fencing)."""


class InboxTaken(FatalError):
    """Parcels have left their folder: what the consumer made of them cannot be seen."""


class PolicyError(FatalError):
    """No agreement in force, no key, or an unreadable policy: nothing leaves."""


class NotCollected(PolicyError):
    """What a delivery or a comparison needs was never published or delivered: no fault."""


class OlderRow(PolicyError):
    """A rejected row is older than the published row of its record; only a person puts it there."""


class InternalError(FatalError):
    """A defect of the hub itself; its own text is dropped, it could quote a row."""


class Interrupted(OnecardError):
    """Ctrl-C, or a signal to end: nothing is broken, and the next run goes on from there.

    Args:
        signal: number of the signal.
    """

    def __init__(self, signal: int) -> None:
        super().__init__("interrupted")
        self.exit_code = 128 + signal


class HoldError(OnecardError):
    """A person must decide before this transfer goes on."""

    exit_code = 3


class AuditFailed(HoldError):
    """A critical expectation failed on the staged rows; nothing was published."""


def as_onecard_error(error: BaseException) -> OnecardError:
    """The error as one of ours: type and place of a foreign one, never its text."""
    if isinstance(error, OnecardError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown place"
    return InternalError(f"internal error: {type(error).__name__} in {place}")


NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What the operating system says of a write for which there is no room, or that the disk fails."""


def unwritten(
    what: str, error: OSError, otherwise: type[OnecardError] = ConfigError
) -> OnecardError:
    """A write that the operating system refused: what could not be written, and why.

    Args:
        what: names the file or its folder.
        error: the refusal.
        otherwise: type of the error where room is not what is wanting (a right, a folder).
    """
    kind = StorageError if error.errno in NO_ROOM else otherwise
    return kind(f"{what} cannot be written: {error.strerror or type(error).__name__}")


LISTED = 12
"""So many names a person reads; of more only those are said that look alike."""


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """Say that `name` is no `what`, and which ones there are, those first that look like it.

    Args:
        what: kind of thing, e.g. `dataset`.
        name: what was asked for.
        known: the valid names.
    """
    names = sorted(set(known))
    near, said = nearest(str(name), names), f"unknown {what} {name!r};"
    if near:
        said += f" did you mean {' or '.join(near)}?"
    if len(names) <= LISTED:
        said += f" known: {', '.join(names) or 'none'}"
    elif not near:
        said += f" known: {', '.join(names[:LISTED])} and {len(names) - LISTED} more"
    return said


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Names that somebody may have meant who wrote `name`, the likeliest first.

    Args:
        name: as it was written; case and surrounding blanks count for nothing.
        known: the valid names.
        most: so many at most.
    """
    wanted = name.strip().casefold()
    if not wanted:
        return []
    folded: dict[str, str] = {}
    for one in known:
        for part in (one, one.rpartition("/")[2], one.partition("-")[0]):
            folded.setdefault(part.casefold(), one)
    alike = difflib.get_close_matches(wanted, folded, n=most, cutoff=0.7)
    within = [one for part, one in folded.items() if len(wanted) >= 3 and wanted in part]
    return list(dict.fromkeys([folded[part] for part in alike] + within))[:most]
