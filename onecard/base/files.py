"""Files that appear under their name whole and on disk, or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onecard.errors import unwritten


def write(target: Path, text: str) -> Path:
    """Write a text in UTF-8; its folder is made where it is missing.

    Raises:
        StorageError: no room; what was there under the name is there still.
        ConfigError: the folder cannot be written.
    """
    with replacing(target) as draft:
        draft.write_text(text, encoding="utf-8")
    return target


@contextmanager
def nameless(folder: Path) -> Iterator[Path | None]:
    """A file of a folder that has no name, and is gone with this process, however that ends.

    Yields:
        A path that leads to it in this process only, for `replacing`; None: the folder's file
        system knows no such files, or takes none.
    """
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666)
    except OSError:
        yield None
        return
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


@contextmanager
def replacing(target: Path, *, own: bool = False, content: Path | None = None) -> Iterator[Path]:
    """A draft beside the target, `.<name>.part`; it takes the target's name after the block.

    Two at once take turns. What a killed process left under the draft's name is overwritten.

    Args:
        target: the file.
        own: the draft has a name of its own: nobody waits for anybody, the last one counts.
        content: of the draft; of the folder's file system and `nameless`, it is the draft itself.

    Raises:
        StorageError, ConfigError: as `write`; the draft is gone.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = draft_of(target, secrets.token_hex(4) if own else "")
        named = _named(content, draft) if content is not None else None
        descriptor = _held(draft) if named is None else named
        try:
            if named is None:
                os.ftruncate(descriptor, 0)
                if content is not None:
                    shutil.copyfile(content, draft)
            yield draft
            os.fsync(descriptor)
            draft.replace(target)
            _sync(target.parent)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritten(str(target), error) from None


def digest(file: Path) -> str:
    """SHA-256 of a file, hexadecimal; of one that cannot be read, why: who reads it says so too."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return f"unreadable: {error.errno}"


def draft_of(target: Path, own: str = "") -> Path:
    """The draft's name: hidden, and always the same.

    Args:
        target: the file.
        own: makes the name one that no other draft has.
    """
    return target.with_name(f".{target.name}.{own}.part" if own else f".{target.name}.part")


def sweep(folder: Path) -> None:
    """Remove the drafts that killed processes left in a folder; those being written stay."""
    for draft in folder.glob(".*.part"):
        descriptor = os.open(draft, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink(missing_ok=True)
        except BlockingIOError:
            continue  # somebody writes it
        finally:
            os.close(descriptor)


def _held(draft: Path) -> int:
    """The draft, opened and locked; what had the name until a moment ago is another file."""
    while True:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(descriptor), draft.lstat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def _named(content: Path, draft: Path) -> int | None:
    """A file without a name gets the draft's, opened and locked; None: it must be copied."""
    descriptor = os.open(content, os.O_RDONLY)
    try:
        if not os.fstat(descriptor).st_nlink:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # before it can be swept
            _link(content, draft)
            return descriptor
    except OSError:  # of another file system, or made so that it never gets a name
        pass
    os.close(descriptor)
    return None


def _link(content: Path, draft: Path) -> None:
    """Give a file a name; the path that leads to it is followed, as a folder is named beside it."""
    folder = os.open(draft.parent, os.O_RDONLY)
    try:
        os.link(content, draft.name, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
