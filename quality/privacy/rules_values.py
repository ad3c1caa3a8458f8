"""Rules about values that would leave: free text, masks, tokens, whether they can be reversed."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress

import polars as pl

from onecard.base import personal
from onecard.model import gate_inputs
from onecard.model.treated import TOKEN_LENGTH, TOKEN_PATTERN, pattern_of
from onecard.native import digests as native
from quality.privacy.registry import NOT_APPLICABLE, Evidence, Ruling, fact, rule

SAMPLE = 1_000
"""Persons of the first batch that the attacks of PR-09 and PR-11 are tried on, evenly spread.

A key that two consumers share and a hash without a key show on every person; a treatment that
goes wrong for one person in two hundred is found with 99%.
"""

RECOMPUTED = 200
"""Tokens per batch that are computed again (PR-08)."""

ALGORITHMS = ("md5", "sha1", "sha256", "sha512", "sm3")
"""Unsalted hashes that PR-11 tries."""

ID_LENGTH = 18
"""Characters of an ID number (GB 11643)."""

COMBINATIONS: tuple[frozenset[str], ...] = (
    frozenset({"person_name"}),
    frozenset({"birth_date", "sex", "division"}),
)
"""Fields that re-identify beside a token (PR-09): a name, or birth date, sex and place."""


@rule("PR-10")
def free_text(evidence: Evidence) -> Ruling:
    """No personal data in text that is not meant to hold any; such rows are quarantined."""
    batch = evidence.rows
    names = evidence.plan.inputs.scanned
    if not names or evidence.plan.agreement.mode == "statistics":
        return NOT_APPLICABLE
    found = {name: personal.scan(batch.treated[name]) for name in names}
    if batch.released:
        kept = ~batch.raw[gate_inputs.KEY].is_in(list(batch.released))
        found = {name: hits & kept for name, hits in found.items()}
    hits = {name: rows for name, rows in found.items() if rows.any()}
    number = sum(int(rows.sum()) for rows in hits.values())
    return Ruling(
        checked=len(batch.treated) * len(names),
        hits=number,
        detail=", ".join(sorted(hits)),
        quarantined=hits,
    )


@rule("PR-07")
def masked(evidence: Evidence) -> Ruling:
    """Every masked value looks masked."""
    plan, treated = evidence.plan, evidence.rows.treated
    fields = plan.inputs.fields
    listed = [f for f in plan.agreement.fields if f.treatment == "mask"]
    if not listed:
        return NOT_APPLICABLE
    broken = {}
    for shared in listed:
        pattern = pattern_of(shared, fields.get(shared.name))
        if pattern is None:
            return fact(f"{shared.name}: its type has no mask")
        wrong = (~treated[shared.name].drop_nulls().str.contains(pattern)).sum()
        broken.update({shared.name: int(wrong)} if wrong else {})
    return Ruling(
        checked=len(treated) * len(listed), hits=sum(broken.values()), detail=", ".join(broken)
    )


@rule("PR-08")
def tokens(evidence: Evidence) -> Ruling:
    """Tokens are those of the consumer's current key, and no ID number stands beside them."""
    plan, batch = evidence.plan, evidence.rows
    listed = [f for f in plan.agreement.fields if f.treatment == "token"]
    if not listed:
        return NOT_APPLICABLE
    key = (plan.token_keys or {}).get(plan.agreement.consumer)
    if key is None or plan.digests is None:
        return fact("no token key")
    wrong: dict[str, int] = {}
    for shared in listed:
        values, made = batch.raw[shared.name], batch.treated[shared.name]
        digests = plan.digests(key, values.head(RECOMPUTED).fill_null("").to_list())
        again = [base64.b32encode(d)[:TOKEN_LENGTH].decode() for d in digests]
        differ = (made.head(RECOMPUTED) != pl.Series(again)).fill_null(value=False)
        bad = _misshapen(made) + int(differ.sum())
        wrong.update({shared.name: bad} if bad else {})
    for name, column in _texts(batch.treated).items():
        suspects = column.filter(column.str.len_bytes() == ID_LENGTH)
        if not len(suspects):
            continue
        raw = int(suspects.is_in(batch.raw[gate_inputs.SUBJECT].implode()).sum())
        wrong.update({f"{name} is an ID number": raw} if raw else {})
    return Ruling(checked=len(batch.raw), hits=sum(wrong.values()), detail=", ".join(wrong))


def _misshapen(made: pl.Series) -> int:
    """How many texts do not look like tokens."""
    found = native.not_base32(made, TOKEN_LENGTH)
    if found is None:
        return int((~made.drop_nulls().str.contains(TOKEN_PATTERN)).sum())
    return found


def _texts(frame: pl.DataFrame) -> dict[str, pl.Series]:
    return {s.name: s for s in frame if s.dtype == pl.String}


@rule("PR-09")
def linkable(evidence: Evidence) -> Ruling:
    """Tokens of two consumers have nothing in common, and nothing beside them re-identifies."""
    plan = evidence.plan
    if all(f.treatment != "token" for f in plan.agreement.fields):
        return NOT_APPLICABLE
    fields = plan.inputs.fields
    carried = {f.name for n, f in fields.items() if _treatment(evidence, n) != "token"}
    carried |= {"division"} if any("division" in name for name in carried) else set()
    for combination in COMBINATIONS:
        if combination <= carried:
            return fact(f"re-identifies: {', '.join(sorted(combination))}")
    if not evidence.first:
        return NOT_APPLICABLE  # keys do not change within a delivery
    keys, digests = dict(plan.token_keys or {}), plan.digests
    own = keys.pop(plan.agreement.consumer, None)
    if own is None or digests is None:
        return fact("no token key")
    people = _spread(evidence.rows.raw.select(gate_inputs.SUBJECT))[gate_inputs.SUBJECT].to_list()
    mine = set(digests(own, people))
    shared = [c for c, key in keys.items() if mine & set(digests(key, people))]
    return Ruling(checked=len(people) * (len(keys) + 1), hits=len(shared), detail=", ".join(shared))


def _treatment(evidence: Evidence, name: str) -> str:
    return next(f.treatment for f in evidence.plan.agreement.fields if f.name == name)


@rule("PR-11")
def reversible(evidence: Evidence) -> Ruling:
    """Masked and tokenised values cannot be turned back: both known attacks are tried."""
    plan, batch = evidence.plan, evidence.rows
    listed = [f.name for f in plan.agreement.fields if f.treatment in ("mask", "token")]
    if not listed:
        return NOT_APPLICABLE
    if not evidence.first:
        return NOT_APPLICABLE  # the treatment does not change within a delivery
    found = [n for n in listed if _reversed(batch.raw[n], batch.treated[n])]
    checked = len(listed) * min(SAMPLE, len(batch.raw))
    return Ruling(checked=checked, hits=len(found), detail=", ".join(found))


def _reversed(raw: pl.Series, treated: pl.Series) -> bool:
    known = _spread(pl.DataFrame({"raw": raw, "treated": treated}))
    pairs = list(zip(known["raw"].to_list(), known["treated"].to_list(), strict=True))
    return bool(pairs) and (substituted(pairs) or hashed(pairs))


def _spread(frame: pl.DataFrame) -> pl.DataFrame:
    """At most `SAMPLE` of the frame's distinct whole rows, from its beginning to its end."""
    whole = frame.drop_nulls()
    return whole.gather_every(max(1, len(whole) // SAMPLE)).head(SAMPLE).unique()


def substituted(pairs: list[tuple[str, str]]) -> bool:
    """Whether one exchange of characters turns every treated value back into its original.

    Stars hide characters, so a mask maps many characters to one and is no exchange.
    """
    forward: dict[str, str] = {}
    for original, treated in pairs:
        if len(original) != len(treated):
            return False
        for a, b in zip(original, treated, strict=True):
            if forward.setdefault(a, b) != b:
                return False
    return len(set(forward.values())) == len(forward)


def hashed(pairs: list[tuple[str, str]]) -> bool:
    """Whether a treated value is an unsalted hash of its original, also cut short.

    The treated values are read as hexadecimal, base32 and base64; then every usual hash of every
    original is compared with them.
    """
    known: dict[int, set[bytes]] = {}
    for _, treated in pairs:
        for octets in _readings(treated):
            known.setdefault(len(octets), set()).add(octets)
    available = [a for a in ALGORITHMS if a in hashlib.algorithms_available]
    for (original, _), algorithm in itertools.product(pairs, available):
        for text in (original, f"v1|{original}"):
            digest = hashlib.new(algorithm, text.encode(), usedforsecurity=False).digest()
            if any(digest[:length] in found for length, found in known.items()):
                return True
    return False


def _readings(text: str) -> Iterator[bytes]:
    """The octets that a text spells; at least eight of them, else chance would find some."""
    spellings: tuple[tuple[Callable[[str], bytes], str], ...] = (
        (bytes.fromhex, text[: len(text) // 2 * 2]),
        (base64.b32decode, text.upper()[: len(text) // 8 * 8]),
        (base64.b64decode, text[: len(text) // 4 * 4]),
        (base64.urlsafe_b64decode, text[: len(text) // 4 * 4]),
    )
    for decode, part in spellings:
        with suppress(ValueError):
            octets = decode(part)
            if len(octets) >= 8:
                yield octets
