"""PR-01 to PR-30: each rule fires on what breaks it and is silent on what does not."""

from __future__ import annotations

import base64
import hashlib
import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from onecard.base.connections import Connection
from onecard.model import gate_inputs
from onecard.model.agreements import Life
from onecard.ports.privacy_gate import Access, Batch, Plan, PrivacyBlock, Query
from onecard.ports.sink import Sent
from quality.privacy.gate import Gate
from quality.privacy.registry import functions, texts
from quality.privacy.rules_rows import is_child
from quality.privacy.rules_values import _misshapen, hashed, substituted
from schemas.models.agreement_parts import Credit, SharedField
from tests.unit.quality.privacy_cases import (
    ADULT,
    KEYS,
    KNOWN,
    NOW,
    OTHER,
    agreement,
    batch,
    check,
    entry,
    plan,
    registers,
    tokens,
    unchecked,
    verdict,
)

TODAY = NOW.date()


def only(wanted: Plan) -> tuple[Plan, None]:
    return wanted, None


def events(**more: Any) -> Batch:
    """One row of f07, treated as it should be."""
    subject = more.pop("subject", ADULT)
    raw = {
        "person_token_ops": [subject],
        "to_status": ["2"],
        "effective_at": [NOW],
        gate_inputs.SUBJECT: [subject],
        **more.pop("raw", {}),
    }
    treated = {
        "person_token_ops": tokens("operator", [subject]),
        "to_status": ["2"],
        "effective_at": [NOW],
        **more,
    }
    return batch(raw, treated)


def concessions(**raw: Any) -> Batch:
    """One row of f14."""
    return batch(
        {
            "transit_account_no": ["6200000000000001"],
            "concession_group": ["C1"],
            "valid_from": [TODAY],
            "valid_to": [TODAY],
            gate_inputs.SUBJECT: [ADULT],
            gate_inputs.filter_name(0): ["1"],
            gate_inputs.filter_name(1): ["6200000000000001"],
            gate_inputs.CONSENT: ["CS1"],
            gate_inputs.CONSENT_KIND: ["1"],
            gate_inputs.ENDED: [False],
            **raw,
        }
    )


def graduates(**raw: Any) -> Batch:
    """One row of f15."""
    return batch(
        {
            "person_id18": [ADULT],
            "person_name": ["张三"],
            "stage": ["42"],
            "enrol_status": ["07"],
            "status_date": [TODAY],
            gate_inputs.SUBJECT: [ADULT],
            gate_inputs.filter_name(0): ["07"],
            gate_inputs.ENDED: [False],
            **raw,
        }
    )


def payments(**raw: Any) -> Batch:
    """One row of f16."""
    return batch(
        {
            "person_name": ["张三"],
            "bank_account": ["6222021702001234566"],
            "amount": ["100.00"],
            "pay_id": ["P-1"],
            gate_inputs.SUBJECT: [ADULT],
            gate_inputs.filter_name(0): ["102"],
            gate_inputs.filter_name(1): ["2"],
            gate_inputs.filter_name(2): ["0"],
            gate_inputs.ACTIVE: [True],
            gate_inputs.ENDED: [False],
            gate_inputs.KEY: ['["P-1"]'],
            **raw,
        }
    )


def visits(**raw: Any) -> Batch:
    """One row of f18."""
    return batch(
        {
            "mdtrt_id": ["M1"],
            "person_id18": [ADULT],
            "person_name": ["张三"],
            "fixmedins_code": ["H41010500002"],
            "mdtrt_cert_type": ["03"],
            "card_no": ["A12345678"],
            "med_type": ["11"],
            "visit_time": [NOW],
            gate_inputs.SUBJECT: [ADULT],
            gate_inputs.exists_name(0): [True],
            gate_inputs.KEY: ['["M1"]'],
            **raw,
        }
    )


def cells(counts: list[int], tops: list[int] | None = None) -> Batch:
    """Cells of f21: one line and hour, many stations."""
    rows = len(counts)
    raw = {
        "line_name": ["1号线"] * rows,
        "station": [f"S{i}" for i in range(rows)],
        "hour": [datetime(2026, 11, 23, 8, tzinfo=UTC)] * rows,
        "ride_count": counts,
        gate_inputs.TOP: tops or [1] * rows,
    }
    return batch(raw)


F01, F05, F07, F14 = agreement("f01"), agreement("f05"), agreement("f07"), agreement("f14")
F13 = agreement("f13")
F15, F16, F18, F21 = agreement("f15"), agreement("f16"), agreement("f18"), agreement("f21")
MASKED = unchecked(
    "f15", fields=(SharedField(name="person_name", treatment="mask"),), key=("person_name",)
)
TOKEN_KEYS = {**KEYS, "bank": KEYS["operator"]}


def masks(value: str) -> tuple[Plan, Batch]:
    return plan(MASKED), batch({"person_name": ["张三丰"]}, {"person_name": [value]})


def closed(number: str) -> dict[str, Any]:
    dataset = agreement(number).dataset
    return {
        **KNOWN.contracts,
        dataset: KNOWN.contracts[dataset].model_copy(update={"share_type": "3"}),
    }


def basis(number: str, **changes: Any) -> Plan:
    found = agreement(number)
    return plan(unchecked(number, basis=found.basis.model_copy(update=changes)))


def shared(number: str, name: str, origin: str | None = None) -> Any:
    """The agreement with one field more, past the model."""
    found = agreement(number)
    return unchecked(number, fields=(*found.fields, SharedField(name=name, from_=origin)))


def accesses(*found: tuple[str, str, int]) -> tuple[Access, ...]:
    return tuple(
        Access(o, p, datetime(2026, 11, 23, h, tzinfo=UTC) - timedelta(hours=8))
        for o, p, h in found
    )


CASES: dict[str, list[tuple[tuple[Plan, Batch | None], tuple[Plan, Batch | None]]]] = {
    "PR-01": [
        (only(plan(unchecked("f01", purpose="A7-14"))), only(plan(F01))),
        (only(plan(unchecked("f01", purpose="A7-13"))), only(plan(F01))),
        (
            only(plan(unchecked("f01", project="P-04-01"))),
            only(plan(unchecked("f01", project="P-06-01"))),
        ),
        (
            only(
                plan(
                    unchecked("f01", project="P-06-01"),
                    now=datetime(2029, 1, 1, tzinfo=UTC),
                )
            ),
            only(plan(unchecked("f01", project="P-06-01"))),
        ),
        (only(plan(unchecked("f01", project="P-99"))), only(plan(F01))),
    ],
    "PR-02": [
        (only(basis("f01", statute="郑州市人民政府令第249号")), only(plan(F01))),
        (only(basis("f01", statute="郑州市居民服务一卡通规定", article="第七条")), only(plan(F18))),
        (only(basis("f01", item="none")), only(plan(F21))),
        (only(basis("f01", article="第七十五条")), only(basis("f01", article="第三十四条"))),
        (only(basis("f01", article="第十三条")), only(basis("f05", article="第十三条"))),
        (only(basis("f01", item="13-1-1")), only(plan(F14))),
    ],
    "PR-03": [
        ((plan(F07), events(extra=["x"])), (plan(F07), events())),
        (
            (plan(F07), replace(events(), treated=events().treated.drop("to_status"))),
            (plan(F07), events()),
        ),
    ],
    "PR-04": [
        (
            (plan(F14), concessions(**{gate_inputs.filter_name(0): ["9"]})),
            (plan(F14), concessions()),
        ),
        (
            (plan(F14), concessions(**{gate_inputs.filter_name(1): [None]})),
            (plan(F14), concessions()),
        ),
        (
            (plan(F15), graduates(**{gate_inputs.SUBJECT: ["410199201212311033"]})),
            (plan(F15), graduates()),
        ),
        ((plan(F18), visits(**{gate_inputs.exists_name(0): [False]})), (plan(F18), visits())),
    ],
    "PR-05": [
        ((plan(unchecked("f18", assessment=None)), visits()), (plan(F18), visits())),
        (
            (
                plan(
                    F18,
                    registers=registers(
                        assessments=entry("assessments", "PIA-2026-05", reviewed=date(2025, 1, 1))
                    ),
                ),
                visits(),
            ),
            (plan(F18), visits()),
        ),
        ((plan(F14), concessions(**{gate_inputs.CONSENT: [None]})), (plan(F14), concessions())),
    ],
    "PR-06": [
        (
            (
                plan(unchecked("f07", child_rules=None)),
                events(subject="410199201311240011"),
            ),
            (plan(F07), events(subject="410199201311240011")),
        ),
        (
            (plan(F14), concessions(**{gate_inputs.SUBJECT: ["410199201311240011"]})),
            (
                plan(F14),
                concessions(
                    **{gate_inputs.SUBJECT: ["410199201311240011"], gate_inputs.CONSENT_KIND: ["2"]}
                ),
            ),
        ),
        ((plan(unchecked("f07", child_rules="CR-0")), events()), (plan(F07), events())),
    ],
    "PR-07": [(masks("张三丰"), masks("张**")), (masks("*三*"), masks("张*"))],
    "PR-08": [
        ((plan(F07), events(person_token_ops=[ADULT])), (plan(F07), events())),
        (
            (plan(F07), events(person_token_ops=tokens("operator", [OTHER]))),
            (plan(F07), events()),
        ),
        ((plan(F07), events(person_token_ops=tokens("bank", [ADULT]))), (plan(F07), events())),
        ((plan(F07), events(to_status=[ADULT])), (plan(F07), events())),
        ((plan(F07, token_keys={}), events()), (plan(F07), events())),
    ],
    "PR-09": [
        ((plan(F07, token_keys=TOKEN_KEYS), events()), (plan(F07), events())),
        ((plan(shared("f07", "person_name", "card.person_name")), events()), (plan(F07), events())),
    ],
    "PR-10": [
        ((plan(F16), payments(pay_id=[f"补发 {ADULT}"])), (plan(F16), payments())),
        ((plan(F16), payments(pay_id=["１３８１２３４５６７８"])), (plan(F16), payments())),
        ((plan(F16), payments(pay_id=["6222 0217 0200 1234 566"])), (plan(F16), payments())),
    ],
    "PR-11": [
        (masks("赵四五"), masks("张**")),
        (
            (
                plan(F07),
                events(person_token_ops=[hashlib.sha256(ADULT.encode()).hexdigest()]),
            ),
            (plan(F07), events()),
        ),
    ],
    "PR-12": [
        ((plan(F21), cells([9, 30, 40])), (plan(F21), cells([20, 30, 40]))),
        ((plan(F21), cells([100, 30, 40], [90, 1, 1])), (plan(F21), cells([100, 30], [85, 1]))),
        (
            (plan(F21, previous=lambda keys: dict.fromkeys(keys, 25)), cells([20, 40, 60])),
            (plan(F21, previous=lambda keys: dict.fromkeys(keys, 20)), cells([20, 40, 60])),
        ),
    ],
    "PR-13": [
        (
            only(plan(unchecked("f21", mode="batch", statistics=None, fields=F21.fields[:3]))),
            only(plan(F21)),
        ),
        (only(plan(shared("f21", "deal_time"))), only(plan(F21))),
    ],
    "PR-14": [
        (only(plan(unchecked("f18", consumer="hrss"))), only(plan(F18))),
        (
            only(plan(unchecked("f18", credit=Credit(domain="resident_health")))),
            only(plan(F18)),
        ),
    ],
    "PR-15": [
        (
            only(
                plan(
                    unchecked(
                        "f16", credit=Credit(domain="inclusive_finance", automated_decision=True)
                    )
                )
            ),
            only(plan(unchecked("f16", credit=Credit(domain="inclusive_finance")))),
        ),
        (
            only(plan(unchecked("f18", credit=Credit(domain="inclusive_finance")))),
            only(
                plan(
                    unchecked(
                        "f16",
                        credit=Credit(
                            domain="inclusive_finance", automated_decision=True, explanation="12345"
                        ),
                    )
                )
            ),
        ),
    ],
    "PR-16": [((plan(F16), payments(**{gate_inputs.ACTIVE: [False]})), (plan(F16), payments()))],
    "PR-17": [(only(plan(F01, overdue_erasures=2)), only(plan(F01)))],
    "PR-18": [
        (
            only(plan(agreement("f09"))),
            only(plan(agreement("f09"), queries=(Query(1, "李", "R1", 3, 100),))),
        ),
        (
            only(plan(agreement("f09"), queries=(Query(2, "李", "R1", 3, 100),))),
            only(plan(agreement("f10"), queries=(Query(1, "李", "R1", 99, 100),))),
        ),
        (
            only(plan(agreement("f09"), queries=(Query(1, "", "", 100, 100),))),
            only(plan(agreement("f11"), queries=(Query(1, "李", "R1", 0, 1),))),
        ),
    ],
    "PR-19": [
        (
            only(plan(F01, accesses=accesses(("a", "p", 3)))),
            only(plan(F01, accesses=accesses(("a", "p", 10)))),
        ),
        (
            only(plan(F01, accesses=accesses(*[(f"o{i}", "p", 10) for i in range(21)]))),
            only(plan(F01, accesses=accesses(*[(f"o{i}", "p", 10) for i in range(20)]))),
        ),
        (
            only(
                plan(
                    F01, accesses=accesses(*[("a", f"p{i}", 10) for i in range(60)], ("b", "q", 10))
                )
            ),
            only(
                plan(
                    F01, accesses=accesses(*[("a", f"p{i}", 10) for i in range(20)], ("b", "q", 10))
                )
            ),
        ),
    ],
    "PR-20": [
        (
            only(plan(F01, destination=Connection(id="x", conn_type="http", host="10.0.0.5"))),
            only(plan(F01, destination=Connection(id="x", conn_type="https", host="10.0.0.5"))),
        ),
        (
            only(plan(F01, destination=Connection(id="x", conn_type="postgres", host="10.0.0.5"))),
            only(
                plan(
                    F01,
                    destination=Connection(
                        id="x",
                        conn_type="postgres",
                        host="10.0.0.5",
                        extra={"sslmode": "verify-full"},
                    ),
                )
            ),
        ),
        *(
            (
                only(plan(F01, destination=Connection(id="x", conn_type=kind, host="10.0.0.5"))),
                only(
                    plan(
                        F01,
                        destination=Connection(
                            id="x", conn_type=kind, host="10.0.0.5", extra={name: value}
                        ),
                    )
                ),
            )
            for kind, name, value in (
                ("kingbase", "sslmode", "verify-full"),
                ("opengauss", "sslmode", "require"),
                ("tidb", "ssl_ca", "ca.pem"),
                ("oracle", "protocol", "tcps"),
                ("dm", "ssl_path", "certificates"),
                ("mssql", "encryption", "require"),
            )
        ),
        (only(plan(F01, signable=False)), only(plan(F01))),
        (only(plan(F13, sealed_for="")), only(plan(F13))),
        (
            only(plan(F01, destination=None)),
            only(plan(F01, destination=Connection(id="x", conn_type="fs"))),
        ),
    ],
    "PR-22": [
        (
            only(plan(F01, destination=Connection(id="x", conn_type="https", host="8.8.8.8"))),
            only(plan(F01, destination=Connection(id="x", conn_type="https", host="localhost"))),
        )
    ],
    "PR-24": [
        (only(plan(unchecked("f01", notice=None))), only(plan(F01))),
        (
            only(
                plan(
                    F01,
                    registers=registers(
                        notices=entry("notices", "N-2026-01", published=date(2027, 1, 1))
                    ),
                )
            ),
            only(plan(F01)),
        ),
    ],
    "PR-25": [
        (only(plan(unchecked("f07", entrustment=None))), only(plan(F07))),
        (
            only(
                plan(
                    F07,
                    registers=registers(
                        entrustments=entry("entrustments", "E-2026-01", sub_entrustment=True)
                    ),
                )
            ),
            only(plan(F07)),
        ),
        (only(plan(F07, now=datetime(2029, 6, 1, tzinfo=UTC))), only(plan(F07))),
    ],
    "PR-26": [
        (only(plan(F01, contracts=closed("f01"))), only(plan(F01))),
        (only(plan(F01, life=Life("in_force", None))), only(plan(F01))),
    ],
    "PR-27": [
        (
            (
                plan(
                    F18,
                    registers=registers(
                        schemes=entry(
                            "schemes", "S-SSC", first_issued=date(2024, 6, 1), exemption=""
                        )
                    ),
                ),
                visits(),
            ),
            (plan(F18), visits()),
        ),
        ((plan(F18), visits(mdtrt_cert_type=["77"])), (plan(F18), visits())),
    ],
    "PR-29": [((plan(F15), graduates(**{gate_inputs.ENDED: [True]})), (plan(F15), graduates()))],
    "PR-30": [
        (only(plan(unchecked("f07", grade=None))), only(plan(F07))),
        (only(plan(unchecked("f07", grade="G-2026-01"))), only(plan(F07))),
    ],
}
AT_THE_END = ("PR-21", "PR-28")
STORE = ("PR-23",)
PAIRS = [(rule, n) for rule, pairs in sorted(CASES.items()) for n in range(len(pairs))]


def test_every_rule_has_a_function_and_a_pair_of_tests() -> None:
    numbers = {f"PR-{n:02}" for n in range(1, 31)}
    assert set(texts()) == numbers == set(functions())
    assert {*CASES, *AT_THE_END, *STORE} == numbers


@pytest.mark.parametrize(("rule", "number"), PAIRS)
def test_a_rule_fires_on_what_breaks_it(rule: str, number: int) -> None:
    found = verdict(rule, *CASES[rule][number][0])
    assert (found.outcome, bool(found.hits), bool(found.detail)) == ("hit", True, True)
    for value in (ADULT, "张三", "6222021702001234566", "13812345678"):
        assert value not in found.detail


@pytest.mark.parametrize(("rule", "number"), PAIRS)
def test_a_rule_is_silent_on_what_does_not(rule: str, number: int) -> None:
    found = verdict(rule, *CASES[rule][number][1])
    assert (found.outcome, found.hits) in {("passed", 0), ("not_applicable", 0)}


@pytest.mark.parametrize(
    ("sent", "fires"),
    [(Sent(2, 1, 0, "d"), False), (Sent(1, 1, 0, "d"), True), (Sent(2, 1, 0, ""), True)],
)
def test_what_the_receiver_confirms_is_what_passed(sent: Sent, fires: bool) -> None:
    gate = Gate(plan(F01))
    if not fires:
        gate.close(sent, 2)
    else:
        with pytest.raises(PrivacyBlock, match="PR-21"):
            gate.close(sent, 2)
    results = {r.rule: r.outcome for r in gate.results}
    assert results["PR-21"] == ("hit" if fires else "passed")
    assert results["PR-28"] == ("hit" if sent.rows != 2 else "passed")


@pytest.mark.fault("F06", "without an audit log nothing leaves")
def test_without_an_audit_log_nothing_leaves() -> None:
    Gate(plan(F01)).open()
    with pytest.raises(PrivacyBlock, match=r"PR-23 .* cannot be evaluated"):
        Gate(plan(F01, auditable=False)).open()


@pytest.mark.parametrize(
    ("born", "today", "child"),
    [
        ("20121125", date(2026, 11, 24), True),  # 13 years and 364 days
        ("20121124", date(2026, 11, 24), False),  # the fourteenth birthday
        ("20121123", date(2026, 11, 24), False),
        ("20120229", date(2026, 2, 28), True),  # born on 29 February: of age on 1 March
        ("20120229", date(2026, 3, 1), False),
        ("20140301", date(2028, 2, 29), True),
        ("20140228", date(2028, 2, 29), False),
        ("20121301", date(2026, 11, 24), True),  # unreadable
    ],
)
def test_children_by_age_on_the_day(born: str, today: date, child: bool) -> None:
    assert is_child(pl.Series([f"410199{born}0014"]), today).to_list() == [child]


def test_rows_that_stay_back_do_not_block_the_others() -> None:
    two = batch(
        {
            "transit_account_no": ["6200000000000001", "6200000000000002"],
            "concession_group": ["C1", "C2"],
            "valid_from": [TODAY] * 2,
            "valid_to": [TODAY] * 2,
            gate_inputs.SUBJECT: [ADULT, "410199201311240011"],
            gate_inputs.filter_name(0): ["1"] * 2,
            gate_inputs.filter_name(1): ["6200000000000001"] * 2,
            gate_inputs.CONSENT: ["CS1"] * 2,
            gate_inputs.CONSENT_KIND: ["1"] * 2,
            gate_inputs.ENDED: [False] * 2,
        }
    )
    found, results = check(plan(F14), two)
    assert (found.rows.to_list(), found.withheld, found.quarantined) == ([True, False], 1, {})
    assert results["PR-06"].outcome == "hit"


def test_a_row_with_personal_data_in_text_is_quarantined_until_it_is_released() -> None:
    bad = payments(pay_id=[f"X{ADULT}"])
    found, _ = check(plan(F16), bad)
    assert found.rows.to_list() == [False]
    assert found.quarantined == {0: (("pay_id", "PR-10"),)}
    found, _ = check(plan(F16), replace(bad, released=frozenset({'["P-1"]'})))
    assert found.rows.to_list() == [True]


@pytest.mark.fault("F37", "a second cell is suppressed with the first")
def test_suppressed_cells_cannot_be_computed_from_a_margin() -> None:
    for counts in ([9, 30, 40, 50], [3, 4, 30, 40]):
        found, _ = check(plan(F21), cells(counts))
        hidden = [n for n, stays in zip(counts, found.rows.to_list(), strict=True) if not stays]
        assert len(hidden) >= 2
        assert sum(hidden) >= 10


@pytest.mark.fault("F35", "a rule that cannot be evaluated blocks")
def test_a_rule_that_cannot_be_evaluated_blocks_without_showing_a_value() -> None:
    broken = concessions()
    raw = broken.raw.drop(gate_inputs.CONSENT)
    with pytest.raises(PrivacyBlock, match=r"PR-05 .* cannot be evaluated") as caught:
        check(plan(F14), replace(broken, raw=raw))
    assert ADULT not in str(caught.value)


def test_the_order_is_that_of_the_domain() -> None:
    order = list(texts())
    stages = [
        ["PR-26"], ["PR-01"], ["PR-02"], ["PR-03"], ["PR-04"], ["PR-05", "PR-06"],
        ["PR-13", "PR-14", "PR-15", "PR-16"], ["PR-10"], ["PR-07", "PR-08", "PR-09", "PR-11"],
        ["PR-20"], ["PR-23"],
    ]  # fmt: skip
    places = [[order.index(name) for name in stage] for stage in stages]
    assert all(max(a) < min(b) for a, b in itertools.pairwise(places))


def test_the_letters_of_the_shenzhen_cards_are_seen_through() -> None:
    letters = str.maketrans("0123456789", "JIHGFEDCBA")
    pairs = [(n, n.translate(letters)) for n in ("362161600", "684052419", "210348579")]
    assert substituted(pairs)
    assert not substituted([("张三丰", "张**"), ("李四", "李*")])


def test_tokens_that_are_no_texts_cannot_be_judged() -> None:
    """A rule that cannot be evaluated blocks."""
    for kind in (pl.Int32, pl.Int64):
        with pytest.raises(pl.exceptions.PolarsError):
            _misshapen(pl.Series([1, 0], dtype=kind))


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512", "sm3"])
@pytest.mark.parametrize("spell", ["hex", "HEX", "base32", "base64", "short"])
def test_unsalted_hashes_are_reversed(algorithm: str, spell: str) -> None:
    digest = hashlib.new(algorithm, ADULT.encode()).digest()
    spelt = {
        "hex": digest.hex(),
        "HEX": digest.hex().upper(),
        "base32": base64.b32encode(digest).decode(),
        "base64": base64.b64encode(digest).decode(),
        "short": base64.b32encode(digest).decode()[:26],
    }[spell]
    assert hashed([(OTHER, "x"), (ADULT, spelt)])
    assert not hashed([(ADULT, tokens("operator", [ADULT])[0])])
