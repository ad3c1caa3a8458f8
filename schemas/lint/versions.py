"""Contract versions follow semantic versioning: what changed decides which part must rise.

    major  a reader or the provider must change: a field goes, is renamed, narrowed or of another
           type or meaning, becomes required or optional, the key changes, a code goes
    minor  more than before: an optional field, a longer text, a code, a rule
    patch  anything else: where it is read, titles, descriptions

`onecard lint --against REF` compares a folder with an earlier one and refuses a version that has
not risen enough; it names the agreements and consumers that read the old version.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from onecard.errors import ConfigError, UsageError
from schemas.models import codes as code_lists
from schemas.models import odcs
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract, Field
from schemas.models.problem import InvalidFile, Problem

VersionPart = Literal["major", "minor", "patch"]
_ORDER: tuple[VersionPart, ...] = ("patch", "minor", "major")


@dataclass(frozen=True, slots=True)
class Difference:
    """One change between two versions of a contract, and the part of the version it needs."""

    part: VersionPart
    says: str


@dataclass(frozen=True, slots=True)
class Edition:
    """A contract and the folder that its code lists stand in."""

    contract: Contract
    codes: Path = code_lists.CODES


@dataclass(frozen=True, slots=True)
class CodeFolders:
    """Where the code lists of both editions stand."""

    old: Path
    new: Path


def differences(old: Edition, new: Edition) -> tuple[Difference, ...]:
    """Everything that changed, those that break first."""
    before, after = old.contract, new.contract
    found: list[Difference] = []
    if before.key != after.key:
        found.append(_major(f"key {', '.join(before.key)} is now {', '.join(after.key)}"))
    there = {f.name: f for f in after.fields}
    for item in before.fields:
        if item.name in there:
            found += _field(item, there[item.name], CodeFolders(old.codes, new.codes))
        else:
            found.append(_gone(item, before, after))
    for item in after.fields:
        if item.name not in before.names:
            part: VersionPart = "major" if item.required else "minor"
            kind = "required" if item.required else "optional"
            found.append(Difference(part, f"{kind} field {item.name} is new"))
    checks = (before.rules, before.expectations) != (after.rules, after.expectations)
    if checks:
        found.append(Difference("minor", "rules or expectations changed"))
    if not found and _content(before) != _content(after):
        found.append(Difference("patch", "descriptions or source changed"))
    return tuple(sorted(found, key=lambda d: -_ORDER.index(d.part)))


def _content(contract: Contract) -> object:
    return contract.model_dump(exclude={"version"})


def _major(says: str) -> Difference:
    return Difference("major", says)


def _gone(item: Field, before: Contract, after: Contract) -> Difference:
    """A field that went: renamed when another new one has its native name."""
    new = (f for f in after.fields if f.name not in before.names)
    other = next((f.name for f in new if f.native == item.native), None)
    return _major(f"field {item.name} is " + (f"renamed to {other}" if other else "removed"))


def _field(old: Field, new: Field, folders: CodeFolders) -> Iterator[Difference]:
    name = old.name
    for what in ("type", "semantic", "format"):
        if getattr(old, what) != getattr(new, what):
            yield _major(f"{name}: {what} {getattr(old, what)} is now {getattr(new, what)}")
    if old.required != new.required:
        yield _major(f"{name} is now {'required' if new.required else 'optional'}")
    yield from _limits(old, new)
    yield from _codes(old, new, folders)
    classes = ("level", "pii", "spi")
    if any(getattr(old, n) != getattr(new, n) for n in classes):
        yield Difference("minor", f"{name}: its classification changed")


def _limits(old: Field, new: Field) -> Iterator[Difference]:
    """Lengths and digits; no limit is the widest."""
    limits: dict[str, tuple[int | None, int | None]] = {
        "maximum length": (old.max_length, new.max_length),
        "decimals": (old.scale, new.scale),
        "digits before the point": (_whole(old), _whole(new)),
    }
    for what, (before, after) in limits.items():
        if before == after:
            continue
        narrower = before is None or (after is not None and after < before)
        part: VersionPart = "major" if narrower else "minor"
        yield Difference(part, f"{old.name}: {what} {before or 'free'} is now {after or 'free'}")


def _whole(field: Field) -> int | None:
    return None if field.precision is None else field.precision - (field.scale or 0)


def _codes(old: Field, new: Field, folders: CodeFolders) -> Iterator[Difference]:
    before = {c for n in old.codes for c in code_lists.codes(n, folders.old)}
    after = {c for n in new.codes for c in code_lists.codes(n, folders.new)}
    if bool(old.codes) != bool(new.codes):
        part: VersionPart = "major" if new.codes else "minor"
        yield Difference(part, f"{old.name}: a code list is {'demanded' if new.codes else 'gone'}")
        return
    if gone := sorted(before - after):
        yield _major(f"{old.name}: code {', '.join(gone)} is gone")
    if more := sorted(after - before):
        yield Difference("minor", f"{old.name}: code {', '.join(more)} is new")


def enough(old: str, new: str, needed: VersionPart) -> bool:
    """Whether a version rose in the needed part, or in a higher one.

    Args:
        old: version before, `1.2.3`.
        new: version now.
        needed: the part that must have risen.
    """
    before = tuple(int(p) for p in old.split("."))
    after = tuple(int(p) for p in new.split("."))
    if after <= before:
        return False
    risen = next(i for i, (b, a) in enumerate(zip(before, after, strict=True)) if a != b)
    return risen <= {"major": 0, "minor": 1, "patch": 2}[needed]


def least(old: str, needed: VersionPart) -> str:
    """The lowest version that is enough."""
    major, minor, patch = (int(p) for p in old.split("."))
    return {
        "major": f"{major + 1}.0.0",
        "minor": f"{major}.{minor + 1}.0",
        "patch": f"{major}.{minor}.{patch + 1}",
    }[needed]


def check(root: Path, against: Path, agreements: Mapping[str, Agreement]) -> Iterator[Problem]:
    """Problems of the contracts below `root` against those below `against`.

    Files that cannot be read now are left to the rest of lint.

    Args:
        root: folder of the schemas as they are now.
        against: folder of the schemas as they were.
        agreements: all agreements of now, to say whom a change concerns.
    """
    for file in sorted(against.glob("contracts/*/*.odcs.yaml")):
        present = root / file.relative_to(against)
        try:
            before = odcs.load(file).contract
        except InvalidFile:
            says = "its earlier version cannot be read: compare by hand"
            yield Problem(present, 1, "version", "version.unreadable", says)
            continue
        if not present.exists():
            if before.status != "retired":
                says = f"{before.id} {before.version} is gone and was never retired"
                says += readers(before.id, agreements)
                yield Problem(present, 0, "", "version.removed", says)
            continue
        try:
            found = odcs.load(present)
        except InvalidFile:
            continue
        old = Edition(before, _codes_of(against))
        new = Edition(found.contract, _codes_of(root))
        changed = differences(old, new)
        if changed and not enough(before.version, found.contract.version, changed[0].part):
            says = _refusal(old, new, changed) + readers(before.id, agreements)
            yield found.document.problem("version", f"version.{changed[0].part}", says)


def _refusal(old: Edition, new: Edition, changed: tuple[Difference, ...]) -> str:
    before, now, part = old.contract.version, new.contract.version, changed[0].part
    says, due = "; ".join(d.says for d in changed if d.part == part), least(before, part)
    return f"{says}: a {part} change of {before}, version is {now}, write {due} or higher"


def readers(dataset: str, agreements: Mapping[str, Agreement]) -> str:
    """Who reads the dataset, as the end of a message; empty when nobody does."""
    known = [f"{a.id} ({a.consumer})" for _, a in sorted(agreements.items()) if _reads(a, dataset)]
    return f"; tell its readers: {', '.join(known)}" if known else ""


def _reads(agreement: Agreement, dataset: str) -> bool:
    return dataset in agreement.datasets


def _codes_of(root: Path) -> Path:
    folder = root / "codes"
    return folder if folder.is_dir() else code_lists.CODES


@contextmanager
def earlier(ref: str, root: Path) -> Iterator[Path]:
    """The folder as it was: a directory as it is, else a git commit, tag or branch.

    Raises:
        UsageError: neither a folder nor something that git knows there.
    """
    if Path(ref).is_dir():
        yield Path(ref)
        return
    done = subprocess.run(  # noqa: S603 - no shell; git reads the reference behind `--verify`
        ["git", "archive", "--format=tar", _commit(ref, root)],  # noqa: S607
        cwd=root,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        msg = f"--against {ref}: git cannot give {root.name}/ of that commit"
        raise ConfigError(msg)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=BytesIO(done.stdout)) as tar:
        tar.extractall(folder, filter="data")
        yield Path(folder)


def _commit(ref: str, root: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"],  # noqa: S607
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        done = None
    if done is None or done.returncode != 0:
        msg = f"--against {ref}: no folder, and no commit, tag or branch of git here"
        raise UsageError(msg)
    return done.stdout.strip()
