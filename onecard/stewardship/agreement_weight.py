"""Which changes of an agreement weigh: more leaves, of more people, for longer, or less is asked.

What cannot be shown to narrow a text counts as widening it. The rest of a change stands in the
comparison of the two texts (`agreement_text`); this only says what to read first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from onecard.base.timespan import duration
from schemas.models.agreement import Agreement

Heavy = Literal[
    "new_field",
    "weaker",
    "elsewhere",
    "scope",
    "joins",
    "retention",
    "validity",
    "other",
    "dropped",
    "after_death",
    "approvers",
    "quotas",
    "statistics",
    "automated",
]
Content = Mapping[str, Any]

STRONGER: Mapping[str, tuple[str, ...]] = {
    "year": ("month", "day", "hour", "as_is"),
    "month": ("day", "hour", "as_is"),
    "day": ("hour", "as_is"),
    "hour": ("as_is",),
    "mask": ("as_is",),
    "token": ("as_is",),
    "county": ("as_is",),
    "yuan": ("as_is",),
}
"""Treatments that say less than others. Where two cannot be compared, a change weighs."""
OTHER = ("dataset", "consumer", "purpose", "mode", "basis", "subject", "credit.domain")
"""Parts of which any change weighs."""
ADDRESS = ("connector", "connection", "options")
"""Where a delivery goes."""
SAFEGUARDS = (
    "project",
    "assessment",
    "notice",
    "entrustment",
    "grade",
    "consent",
    "delivery.sealed",
    "delivery.deletes",
)
"""Parts that protect: without them, or with others, a text weighs."""


USUAL: int = Agreement.model_fields["unusual_factor"].default


@dataclass(frozen=True, slots=True)
class Weight:
    """One change that weighs.

    Attributes:
        names: of the fields or parts that it is about.
        old: what was, as the text writes it; empty where that says nothing.
        new: what is.
    """

    heavy: Heavy
    names: tuple[str, ...] = ()
    old: str = ""
    new: str = ""


def weights(old: Content | None, new: Content) -> list[Weight]:
    """What weighs in a change; of a first text, all its fields.

    Args:
        old: content of the text approved before; None: there was none.
        new: content of the text that would be approved.
    """
    if old is None:
        return [Weight("new_field", tuple(f["name"] for f in new.get("fields", ())))]
    return [
        *_fields(old, new),
        *_rows(old, new),
        *_time(old, new),
        *_others(old, new),
        *_safeguards(old, new),
        *_limits(old, new),
    ]


def _fields(old: Content, new: Content) -> Iterator[Weight]:
    before = {f["name"]: f for f in old.get("fields", ())}
    after = {f["name"]: f for f in new.get("fields", ())}
    if added := tuple(name for name in after if name not in before):
        yield Weight("new_field", added)
    for name, field in after.items():
        was = before.get(name)
        if was is None:
            continue
        treated, as_now = (str(f.get("treatment", "as_is")) for f in (was, field))
        if treated != as_now and treated not in STRONGER.get(as_now, ()):
            yield Weight("weaker", (name,), treated, as_now)
        if _origin(was) != _origin(field):
            yield Weight("elsewhere", (name,))


def _origin(field: Content) -> tuple[object, ...]:
    given = field.get("value"), field.get("when")
    return (*given, None if any(g is not None for g in given) else field.get("from", field["name"]))


def _rows(old: Content, new: Content) -> Iterator[Weight]:
    before, after = old.get("scope", {}), new.get("scope", {})
    kept = all(
        any(_no_wider(now, was) for now in after.get("filters", ()))
        for was in before.get("filters", ())
    )
    if not kept or not all(e in after.get("exists", ()) for e in before.get("exists", ())):
        yield Weight("scope")
    if any(old.get(part) != new.get(part) for part in ("joins", "first_by", "key")):
        yield Weight("joins")


def _no_wider(now: Content, was: Content) -> bool:
    """Whether a filter lets no row pass that another one kept back."""
    if now["field"] != was["field"]:
        return False
    if "in" in now and "in" in was:
        return set(now["in"]) <= set(was["in"])
    if "not_in" in now and "not_in" in was:
        return set(now["not_in"]) >= set(was["not_in"])
    if "min_age" in now and "min_age" in was:
        return bool(now["min_age"] >= was["min_age"])
    return now == was


def _time(old: Content, new: Content) -> Iterator[Weight]:
    was, now = str(old.get("retention", "")), str(new.get("retention", ""))
    if _longer(was, now):
        yield Weight("retention", (), was, now)
    before, after = old.get("validity", {}), new.get("validity", {})
    first, last = (str(before.get(end, "")) for end in ("from", "to"))
    if str(after.get("to", "")) > last or str(after.get("from", "")) < first:
        yield Weight("validity", (), f"{first}/{last}", f"{after.get('from')}/{after.get('to')}")


def _longer(was: str, now: str) -> bool:
    try:
        return duration(now) > duration(was)
    except (ValueError, OverflowError):  # an older form of text: not to be compared
        return was != now


def _others(old: Content, new: Content) -> Iterator[Weight]:
    changed = [part for part in OTHER if _at(old, part) != _at(new, part)]
    if new.get("served", True) and not old.get("served", True):
        changed.append("served")
    before, after = old.get("delivery") or {}, new.get("delivery") or {}
    if after and any(before.get(part) != after.get(part) for part in ADDRESS):
        changed.append("delivery")
    if new.get("unusual_factor", USUAL) > old.get("unusual_factor", USUAL):
        changed.append("unusual_factor")
    yield from (Weight("other", (part,)) for part in changed)


def _safeguards(old: Content, new: Content) -> Iterator[Weight]:
    changed = [
        part
        for part in SAFEGUARDS
        if _at(old, part) is not None and _at(old, part) != _at(new, part)
    ]
    if old.get("child_rules") != new.get("child_rules"):
        changed.append("child_rules")
    if changed:
        yield Weight("dropped", tuple(changed))
    if old.get("after_death", "stop") == "stop" and new.get("after_death", "stop") != "stop":
        yield Weight("after_death")
    was, now = (int(text.get("approvers", 1)) for text in (old, new))
    if now < was:
        yield Weight("approvers", (), str(was), str(now))
    automated = "credit.automated_decision"
    if _at(new, automated) and not _at(old, automated):
        yield Weight("automated")


def _limits(old: Content, new: Content) -> Iterator[Weight]:
    before, after = _at(old, "asking.quotas") or {}, _at(new, "asking.quotas") or {}
    raised = tuple(
        scope
        for scope in after
        if any(after[scope][span] > before.get(scope, {}).get(span, 0) for span in after[scope])
    )
    by = set(_at(old, "asking.by") or ()) - set(_at(new, "asking.by") or ())
    if raised or by:
        yield Weight("quotas", (*raised, *sorted(by)))
    if _looser(old.get("statistics") or {}, new.get("statistics") or {}):
        yield Weight("statistics")


def _looser(was: Content, now: Content) -> bool:
    """Whether groups of fewer persons, or others, may leave."""
    if not now:
        return False
    margins: Sequence[object] = now.get("margins", ())
    same = all(was.get(part) == now.get(part) for part in ("contributor", "distinct"))
    kept = all(margin in margins for margin in was.get("margins", ()))
    return not (same and kept and now.get("minimum", 0) >= was.get("minimum", 0))


def _at(content: Content, place: str) -> Any:  # noqa: ANN401 - a value of JSON
    """What stands at a place; a switch that is off is as if it were not there."""
    found: Any = content
    for name in place.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return None if found is False else found
