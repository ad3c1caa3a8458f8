"""Rules about what an agreement may carry at all, where to, and how it is recorded."""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date

from onecard.base.connections import Connection
from onecard.base.times import ZONE
from onecard.ports.privacy_gate import Access
from quality.privacy.registry import NOT_APPLICABLE, Evidence, Ruling, fact, rule

HEALTH_FIELDS = frozenset({"diag_code", "dept_code", "med_type"})
"""Fields that only medical insurance may have (PR-14)."""

SINGLE_MACHINE = ("fs", "sqlite")
"""Connections that do not leave this machine: its own files."""

EFFECTIVE = date(2024, 1, 1)
"""Order 249 is in force since this day (article 20); article 9 forbids new overlapping cards."""

OFFICE_HOURS = range(7, 21)
"""Look-ups at other hours are unusual (design); the hub's own nightly work looks up nobody."""

MANY_OPERATORS = 20
"""A person looked up by more operators than this in a day is unusual (rule PR-19)."""

TLS_MODES = frozenset({"require", "verify-ca", "verify-full"})
LIBPQ = ("postgres", "postgresql", "kingbase", "kingbasees", "opengauss", "gaussdb")
PYMYSQL = ("mysql", "mariadb", "oceanbase", "tidb")
OTHERS = {
    "oracle": ("protocol", ("tcps",)),
    "dm": ("ssl_path", ()),
    "mssql": ("encryption", ("require",)),
}
"""Type of connection → the parameter of its driver that asks for TLS, and the values that do; none:
any."""


@rule("PR-13")
def location(evidence: Evidence) -> Ruling:
    """Location leaves only as counts of a station and an hour."""
    plan = evidence.plan
    agreement, fields = plan.agreement, plan.inputs.fields
    placed = [n for n, f in fields.items() if f.spi == "LOC"]
    rides = any(f.spi == "LOC" for f in plan.contracts[agreement.dataset].fields)
    if not placed and not rides:
        return NOT_APPLICABLE
    if agreement.mode != "statistics":
        carried = ", ".join(placed) or f"rows of {agreement.dataset}"
        return fact(f"location leaves as rows: {carried}" if placed or _track(evidence) else "")
    treatments = {f.name: f.treatment for f in agreement.fields}
    fine = [n for n, f in fields.items() if f.type == "timestamp" and treatments[n] == "as_is"]
    return fact(f"time finer than the hour: {', '.join(fine)}" if fine else "")


def _track(evidence: Evidence) -> bool:
    """Whether rows of a dataset of tracks (a place and a moment in each row) would leave."""
    agreement = evidence.plan.agreement
    fields = evidence.plan.contracts[agreement.dataset].fields
    return sum(f.spi == "LOC" for f in fields) > 1


@rule("PR-14")
def health(evidence: Evidence) -> Ruling:
    """Health fields reach medical insurance only, and never a credit flow."""
    agreement = evidence.plan.agreement
    fields = evidence.plan.inputs.fields
    medical = [n for n, f in fields.items() if f.spi == "MED" or f.name in HEALTH_FIELDS]
    if not medical:
        return NOT_APPLICABLE
    if agreement.credit:
        return fact(f"health in a credit flow: {', '.join(medical)}")
    narrow = [n for n in medical if fields[n].name in HEALTH_FIELDS]
    if narrow and agreement.consumer != "medical_insurance":
        return fact(f"only for medical insurance: {', '.join(narrow)}")
    return fact("")


@rule("PR-15")
def credit(evidence: Evidence) -> Ruling:
    """A credit flow serves one of four domains and explains automated decisions."""
    agreement = evidence.plan.agreement
    if agreement.credit is None:
        return NOT_APPLICABLE
    if agreement.credit.automated_decision and not agreement.credit.explanation.strip():
        return fact("automated decision without explanation")
    kept_out = ("health/", "hrss/pension", "transport/transit_ride")
    found = [d for d in agreement.datasets if d.startswith(kept_out)]
    return fact(f"no credit data: {', '.join(found)}" if found else "")


@rule("PR-17")
def retention(evidence: Evidence) -> Ruling:
    """Copies past their retention have an erasure receipt."""
    late = evidence.plan.overdue_erasures
    detail = f"{late} deliveries past retention without erasure receipt" if late else ""
    return Ruling(checked=max(late, 1), hits=late, detail=detail)


@rule("PR-19")
def unusual_queries(evidence: Evidence) -> Ruling:
    """Look-ups of persons by operators: volume, hours, sequence, many operators for one."""
    found = list(unusual(evidence.plan.accesses))
    return Ruling(
        checked=len(evidence.plan.accesses), hits=len(found), detail=", ".join(sorted(set(found)))
    )


def unusual(accesses: Iterable[Access]) -> Iterable[str]:
    """Names of the unusual patterns among look-ups, one per finding."""
    listed = list(accesses)
    by_operator = Counter(a.operator for a in listed)
    counts = sorted(by_operator.values())
    usual = counts[: max(1, len(counts) - 1)]
    limit = max(50, 10 * usual[len(usual) // 2]) if usual else 50
    yield from ("volume of an operator" for n in by_operator.values() if n > limit)
    yield from (
        "outside office hours" for a in listed if a.at.astimezone(ZONE).hour not in OFFICE_HOURS
    )
    operators: dict[tuple[str, date], set[str]] = defaultdict(set)
    for access in listed:
        operators[access.person, access.at.astimezone(ZONE).date()].add(access.operator)
    yield from (
        "one person looked up by many operators"
        for found in operators.values()
        if len(found) > MANY_OPERATORS
    )


@rule("PR-20")
def encryption(evidence: Evidence) -> Ruling:
    """The channel is encrypted or does not leave the machine, and the manifest is signed.

    What the agreement has sealed has a key of the consumer, and an inbox that takes it.
    """
    plan = evidence.plan
    if plan.agreement.sealed and not plan.sealed_for:
        return fact("sealed by agreement, and no key of the consumer to seal for")
    if not plan.signable:
        return fact("no signing key for the manifest")
    if plan.destination is None:
        return fact("no destination")
    return fact("" if _protected(plan.destination) else "channel is not encrypted")


def _protected(connection: Connection) -> bool:
    kind, extra = connection.conn_type, connection.extra
    if kind in SINGLE_MACHINE or kind in ("sftp", "ssh", "https"):
        return True
    if _on_this_machine(connection):
        return True
    if kind in LIBPQ:
        return str(extra.get("sslmode", "")) in TLS_MODES
    if kind in PYMYSQL:
        return bool(extra.get("ssl") or extra.get("ssl_ca") or extra.get("ssl_mode"))
    if kind in OTHERS:
        name, wanted = OTHERS[kind]
        return str(extra.get(name) or "") in wanted if wanted else bool(extra.get(name))
    return kind == "http" and connection.schema_ == "https"


def _on_this_machine(connection: Connection) -> bool:
    host = connection.host or ""
    if not host or host.startswith("/") or host == "localhost":
        return True  # a Unix socket
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@rule("PR-22")
def domestic(evidence: Evidence) -> Ruling:
    """Every address of the destination lies in a registered network."""
    connection = evidence.plan.destination
    if connection is None:
        return fact("no destination")
    host = connection.host or ""
    if connection.conn_type in SINGLE_MACHINE or not host or host.startswith("/"):
        return fact("")
    networks = [ipaddress.ip_network(n) for n in evidence.plan.registers.networks]
    found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    outside = [a for a in found if not any(ipaddress.ip_address(a) in n for n in networks)]
    detail = f"{connection.id}: {len(outside)} of {len(found)} addresses in no registered network"
    return Ruling(checked=len(found), hits=len(outside), detail=detail if outside else "")


@rule("PR-23")
def audited(evidence: Evidence) -> Ruling:
    """The audit log takes an entry; without one nothing is sent (fault F6)."""
    if not evidence.plan.auditable:
        msg = "the audit log takes no entry"
        raise RuntimeError(msg)  # not evaluated: blocks, although the action is to audit
    return fact("")


@rule("PR-27")
def overlapping_schemes(evidence: Evidence) -> Ruling:
    """Card and code schemes in use are registered, and none is a new overlapping one."""
    plan = evidence.plan
    findings = [
        f"{name} overlaps since {scheme.first_issued}"
        for name, scheme in plan.registers.schemes.items()
        if scheme.government
        and scheme.first_issued >= EFFECTIVE
        and scheme.purposes
        and not scheme.exemption
    ]
    known: dict[str, set[str]] = defaultdict(set)
    for scheme in plan.registers.schemes.values():
        for codes, values in scheme.codes.items():
            known[codes] |= set(values)
    treated = evidence.rows.treated
    for name, field in plan.inputs.fields.items():
        registered = {v for codes in field.codes for v in known.get(codes, ())}
        if registered and name in treated.columns:
            used = set(treated[name].drop_nulls().unique())
            findings += [f"{name}: unregistered scheme" for _ in used - registered]
    checked = len(plan.registers.schemes)
    return Ruling(checked=checked, hits=len(findings), detail="; ".join(sorted(set(findings))))


@rule("PR-21")
def complete(evidence: Evidence) -> Ruling:
    """The receiver confirmed as many rows as passed, and there is a digest of what was sent."""
    sent = evidence.sent
    if sent is None:
        return fact("no answer of the receiver")
    if sent.rows != evidence.passed:
        return fact(f"{evidence.passed} rows passed, {sent.rows} were confirmed")
    return fact("" if sent.digest or not sent.rows else "no digest of what was sent")


@rule("PR-28")
def incident(evidence: Evidence) -> Ruling:
    """Nothing to find when a delivery ends well: a block after rows left opens the incident.

    `onecard.deliver.delivery_log` opens it, because by then the gate has stopped.
    """
    sent = evidence.sent
    lost = bool(sent and sent.rows != evidence.passed)
    return fact("rows left that were not confirmed" if lost else "")


@rule("PR-30")
def graded(evidence: Evidence) -> Ruling:
    """A token flow has a recorded grade of identifiability."""
    plan = evidence.plan
    if all(f.treatment != "token" for f in plan.agreement.fields):
        return NOT_APPLICABLE
    entry = plan.registers.grades.get(plan.agreement.grade or "")
    if entry is None or entry.agreement != plan.agreement.id:
        return fact("no recorded grade")
    return fact("" if entry.assessed <= plan.now.date() else "graded in the future")
