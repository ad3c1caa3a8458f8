"""What the tests of the privacy gate build their cases of: real agreements, contracts, registers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from onecard.base.connections import Connection
from onecard.crypto.keys import Key
from onecard.crypto.suites import suite
from onecard.deliver.treatment import Tokeniser
from onecard.model import gate_inputs
from onecard.model.agreements import AgreementEvent, Life
from onecard.ports.privacy_gate import Admitted, Batch, Plan, RuleResult
from quality.privacy.gate import Gate
from quality.privacy.registry import Evidence, functions
from schemas.models import catalogue
from schemas.models.agreement import Agreement

KNOWN = catalogue.load()
NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
INTERNATIONAL = suite("international")
KEYS = {name: Key("2026", bytes([n]) * 32) for n, name in enumerate(sorted(KNOWN.agencies), 1)}
ADULT, OTHER = "410199194901010014", "410199198802290020"
EVENT = AgreementEvent(1, "approved", "1.1.0", "", "official", "document", {}, NOW)


def agreement(number: str, **changes: Any) -> Agreement:
    """A real agreement by its flow number, with parts of its text replaced."""
    found = next(a for name, a in KNOWN.agreements.items() if name.startswith(number))
    content = found.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return Agreement.model_validate({**content, **changes})


def unchecked(number: str, **changes: Any) -> Agreement:
    """The same, past the model's own checks: what a gate must stop by itself."""
    found = next(a for name, a in KNOWN.agreements.items() if name.startswith(number))
    return found.model_copy(update=changes)


def plan(wanted: Agreement, **changes: Any) -> Plan:
    """A sound plan for an agreement."""
    base: dict[str, Any] = {
        "agreement": wanted,
        "contracts": KNOWN.contracts,
        "agencies": KNOWN.agencies,
        "registers": KNOWN.registers,
        "now": NOW,
        "life": Life("in_force", EVENT),
        "destination": Connection(id="inbox", conn_type="sftp", host="10.1.2.3"),
        "token_keys": KEYS,
        "digests": lambda key, values: INTERNATIONAL.digests(key.secret, values),
        "previous": lambda _cells: {},
        "auditable": True,
        "signable": True,
        "sealed_for": "2026" if wanted.sealed else "",
    }
    return Plan(**{**base, **changes})


def registers(**changes: Any) -> Any:
    """The registers with entries replaced: `registers(projects={...})`."""
    return KNOWN.registers.model_copy(update=changes)


def entry(kind: str, name: str, **changes: Any) -> dict[str, Any]:
    """One register with one of its entries changed."""
    found: Mapping[str, Any] = getattr(KNOWN.registers, kind)
    return {**found, name: found[name].model_copy(update=changes)}


def verdict(rule: str, wanted: Plan, batch: Batch | None = None) -> RuleResult:
    """The result of one rule alone."""
    gate = Gate(wanted)
    found = functions()[rule](Evidence(wanted, batch))
    gate._seen.add(rule)
    if found.applicable:
        gate._note(rule, found)
    else:
        gate._seen.discard(rule)
    return next(r for r in gate.results if r.rule == rule)


def check(wanted: Plan, batch: Batch) -> tuple[Admitted, dict[str, RuleResult]]:
    """A batch through the whole gate."""
    gate = Gate(wanted)
    found = gate.check(batch)
    return found, {r.rule: r for r in gate.results}


def tokens(consumer: str, values: list[str]) -> list[str]:
    """Tokens of ID numbers at a consumer."""
    made = Tokeniser(INTERNATIONAL, KEYS[consumer]).tokens(pl.Series("v", values))
    return [str(v) for v in made]


def batch(raw: dict[str, list[Any]], treated: dict[str, list[Any]] | None = None) -> Batch:
    """A batch; by default it is treated into what the agreement's columns are untreated."""
    texts_ = (
        gate_inputs.CONSENT,
        gate_inputs.CONSENT_KIND,
        *map(gate_inputs.filter_name, range(3)),
    )
    frame = pl.DataFrame(raw, schema_overrides={n: pl.String for n in texts_ if n in raw})
    plain = {n: v for n, v in raw.items() if not n.startswith(gate_inputs.PREFIX)}
    return Batch(frame, pl.DataFrame(plain if treated is None else treated))
