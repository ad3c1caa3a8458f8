"""Defects of the contracts' own rules: rows whose values are each right and together wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from demo.defects import Change, Defect, Row

Maker = Callable[[Row], Row | None]


def _if(test: Callable[[Row], bool], change: Maker) -> Change:
    return lambda row: change(row) if test(row) else None


def _is(name: str, *values: str) -> Callable[[Row], bool]:
    return lambda row: row[name] in values


def _shift(value: Any, by: timedelta) -> Any:  # noqa: ANN401 - text or typed, as the row has it
    """A date or instant moved, in the form in which it came."""
    if not isinstance(value, str):
        return value + by
    if len(value) == 10:
        return (date.fromisoformat(value) + by).isoformat()
    return (datetime.fromisoformat(value) + by).isoformat()


def _plus(value: Any, more: str) -> Any:  # noqa: ANN401 - text or Decimal, as the row has it
    total = Decimal(value) + Decimal(more)
    return str(total) if isinstance(value, str) else total


def _number(row: Row, name: str, value: int) -> Any:  # noqa: ANN401 - as the row has it
    return str(value) if isinstance(row[name], str) else value


FUTURE = timedelta(days=400)
_MALE_FEMALE = {"1": "2", "2": "1"}


def _there(name: str) -> Callable[[Row], bool]:
    return lambda row: row[name] is not None


def _moved(name: str, other: str, by: timedelta) -> Change:
    """`name` becomes `other` plus a span, where `other` is there."""
    return _if(_there(other), lambda r: {name: _shift(r[other], by)})


def _exchanged(name: str, other: str) -> Defect:
    """One yuan below nothing in `name`, taken by `other`, so that the sums still hold."""

    def change(row: Row) -> Row:
        more = Decimal(row[name]) + 1
        return {name: "-1.00", other: str(Decimal(row[other]) + more)}

    return Defect(change, ((name, f"{name}_not_negative"),))


DAY, HOUR = timedelta(days=1), timedelta(hours=1)

RULES: dict[str, list[Defect]] = {
    "hrss/card_master": [
        Defect(lambda r: {"sex": _MALE_FEMALE[r["sex"]]}, (("sex", "sex_matches_id"),)),
        Defect(
            lambda r: {"birth_date": _shift(r["birth_date"], DAY)},
            (("birth_date", "birth_date_matches_id"),),
        ),
        Defect(
            lambda r: {"valid_to": _shift(r["issue_date"], -DAY)},
            (("valid_to", "valid_after_issue"),),
        ),
        Defect(
            lambda r: {"issue_date": _shift(r["issue_date"], FUTURE * 2)},
            (("issue_date", "issue_date_not_future"),),
        ),
        Defect(
            lambda r: {"issue_date": _shift(r["birth_date"], -DAY)},
            (("issue_date", "issued_after_birth"),),
        ),
        Defect(
            _if(_is("fin_status", "2"), lambda _r: {"bank_account": None}),
            (("bank_account", "account_for_financial_status"),),
        ),
    ],
    "hrss/card_status_event": [
        Defect(
            lambda r: {"occurred_at": _shift(r["effective_at"], HOUR)},
            (("effective_at", "effective_not_before_occurred"),),
        ),
        Defect(
            _if(_is("to_status", "4"), lambda _r: {"expires_at": None}),
            (("expires_at", "temporary_loss_has_expiry"),),
        ),
        Defect(
            _if(_is("event_type", "08"), lambda r: {"expires_at": _shift(r["effective_at"], DAY)}),
            (("to_status", "expiry_only_for_temporary_loss"),),
        ),
        Defect(
            _if(_is("event_type", "14"), lambda _r: {"reason_code": "03"}),
            (("replaced_by_card_no", "replacement_names_new_card"),),
        ),
        Defect(
            _if(_is("event_type", "08"), lambda _r: {"event_type": "11"}),
            (("to_status", "legal_transition"),),
        ),
        Defect(
            lambda r: {"occurred_at": _shift(r["occurred_at"], FUTURE)},
            (
                ("effective_at", "effective_not_before_occurred"),
                ("occurred_at", "occurred_not_future"),
            ),
        ),
        Defect(
            _if(_is("event_type", "14"), lambda _r: {"from_status": "4", "reason_code": "04"}),
            (("reason_code", "cancel_from_temporary_loss_is_death"),),
        ),
        Defect(
            _if(_is("event_type", "10"), lambda _r: {"to_status": "0"}),
            (("to_status", "legal_transition"),),
        ),
    ],
    "hrss/ecard_binding": [
        Defect(
            lambda r: {"sign_date": _shift(r["sign_date"], FUTURE)},
            (("sign_date", "sign_date_not_future"),),
        ),
    ],
    "hrss/consent_record": [
        Defect(
            lambda r: {"withdrawn_at": _shift(r["given_at"], -HOUR)},
            (("withdrawn_at", "withdrawn_after_given"),),
        ),
        Defect(
            _if(
                lambda r: r["withdrawn_at"] is None,
                lambda r: {"given_at": _shift(r["given_at"], FUTURE)},
            ),
            (("given_at", "given_not_future"),),
        ),
        Defect(
            _if(_is("consent_kind", "2"), lambda _r: {"guardian_id18": None}),
            (("guardian_id18", "guardian_named"),),
        ),
        Defect(
            _if(_is("consent_kind", "1"), lambda r: {"guardian_id18": r["person_id18"]}),
            (("consent_kind", "guardian_only_for_guardian_consent"),),
        ),
    ],
    "hrss/pension_status": [
        Defect(
            _if(_is("retired", "1"), lambda _r: {"retire_date": None}),
            (("retire_date", "retired_has_date"),),
        ),
        Defect(
            _if(
                _is("retired", "0"),
                lambda _r: {"retire_date": date(2025, 1, 1), "first_insured": None},
            ),
            (("retired", "date_only_when_retired"),),
        ),
        Defect(
            _if(_is("retired", "1"), lambda r: {"retire_date": _shift(r["first_insured"], -DAY)}),
            (("retire_date", "retired_after_insured"),),
        ),
        Defect(
            _if(_is("retired", "1"), lambda _r: {"retire_date": date(2030, 1, 1)}),
            (("retire_date", "retire_not_future"),),
        ),
        Defect(
            _if(_is("retired", "1"), lambda _r: {"benefit_amount": Decimal("-1.00")}),
            (("benefit_amount", "benefit_not_negative"),),
        ),
    ],
    "hrss/employment_status": [
        Defect(
            _if(_is("emp_status", "1"), lambda _r: {"unemp_benefit_flag": "1"}),
            (("unemp_benefit_flag", "no_benefit_when_employed"),),
        ),
        Defect(
            _if(_is("emp_status", "1"), lambda _r: {"employer_uscc": None}),
            (("employer_uscc", "employer_when_employed"),),
        ),
        Defect(
            lambda r: {"end_date": _shift(r["start_date"], -DAY)},
            (("end_date", "ends_after_start"),),
        ),
    ],
    "hrss/subsidy_payment": [
        Defect(lambda _r: {"amount": Decimal("0.00")}, (("amount", "amount_positive"),)),
        Defect(
            _if(_is("pay_status", "2"), lambda _r: {"fail_reason": None}),
            (("fail_reason", "failure_has_reason"),),
        ),
        Defect(
            _if(_is("pay_status", "1"), lambda _r: {"fail_reason": "01"}),
            (("pay_status", "reason_only_for_failure"),),
        ),
    ],
    "health/health_visit": [
        Defect(
            _if(
                lambda r: r["card_no"] is None,
                lambda _r: {"card_no": "A00000001", "mdtrt_cert_type": "02"},
            ),
            (("mdtrt_cert_type", "card_only_with_card_certificate"),),
        ),
        Defect(
            lambda r: {"discharge_time": _shift(r["visit_time"], -HOUR)},
            (("discharge_time", "discharge_not_before_visit"),),
        ),
        Defect(
            lambda r: {"visit_time": _shift(r["visit_time"], FUTURE), "discharge_time": None},
            (("visit_time", "visit_not_future"),),
        ),
    ],
    "health/death_notice": [
        Defect(
            lambda r: {"death_date": _shift(r["death_date"], FUTURE)},
            (("death_date", "death_not_future"),),
        ),
    ],
    "medical_insurance/med_settlement": [
        Defect(
            lambda r: {"medfee_sumamt": _plus(r["medfee_sumamt"], "0.02")},
            (("medfee_sumamt", "total_is_sum_of_payers"),),
        ),
        Defect(
            lambda r: {"acct_pay": _plus(r["acct_pay"], "5.00")},
            (("psn_part_amt", "personal_part_is_sum"),),
        ),
        Defect(
            lambda r: {"hifp_pay": _plus(r["fund_pay_sumamt"], "0.01")},
            (("hifp_pay", "pool_within_fund"),),
        ),
        Defect(lambda _r: {"balc": "-0.01"}, (("balc", "balc_not_negative"),)),
        Defect(lambda _r: {"hifp_pay": "-1.00"}, (("hifp_pay", "hifp_pay_not_negative"),)),
        _exchanged("acct_pay", "psn_cash_pay"),
        _exchanged("psn_cash_pay", "acct_pay"),
        _exchanged("acct_mulaid_pay", "psn_cash_pay"),
        _exchanged("hosp_part_amt", "fund_pay_sumamt"),
        Defect(
            lambda r: {"setl_time": _shift(r["setl_time"], FUTURE)},
            (("setl_time", "settled_not_future"),),
        ),
    ],
    "education/edu_enrolment": [
        Defect(
            lambda r: {"status_date": _shift(r["status_date"], FUTURE)},
            (("status_date", "status_date_not_future"),),
        ),
    ],
    "education/campus_payment": [
        Defect(
            _if(_is("txn_type", "01"), lambda _r: {"amount_fen": "-500"}),
            (("amount_fen", "negative_only_for_refund"),),
        ),
        Defect(
            _if(_is("txn_type", "01"), lambda _r: {"aid_item": "ZXJ2026"}),
            (("txn_type", "aid_item_only_for_aid"),),
        ),
        Defect(
            lambda r: {"txn_time": _shift(r["txn_time"], FUTURE)},
            (("txn_time", "paid_not_future"),),
        ),
    ],
    "transport/transit_ride": [
        Defect(
            _if(_is("ride_type", "地铁出站"), lambda _r: {"station": None}),
            (("station", "metro_has_station"),),
        ),
        Defect(
            _if(_is("ride_type", "巴士"), lambda r: {"amount_paid_fen": r["amount_due_fen"] + 1}),
            (("amount_paid_fen", "paid_within_due"),),
        ),
        Defect(
            _if(
                _is("ride_type", "地铁入站"),
                lambda _r: {"amount_due_fen": 200, "amount_paid_fen": 190},
            ),
            (("amount_paid_fen", "entry_pays_nothing"),),
        ),
        Defect(
            _if(_is("ride_type", "巴士"), lambda _r: {"amount_paid_fen": -1}),
            (("amount_paid_fen", "paid_not_negative"),),
        ),
        Defect(
            _if(
                _is("ride_type", "巴士"),
                lambda _r: {"amount_due_fen": -100, "amount_paid_fen": 0},
            ),
            (("amount_due_fen", "due_not_negative"), ("amount_paid_fen", "paid_within_due")),
        ),
        Defect(
            lambda r: {"settle_time": _shift(r["deal_time"], -HOUR)},
            (("settle_time", "settled_not_before_deal"),),
        ),
        Defect(
            lambda r: {
                "deal_time": _shift(r["deal_time"], FUTURE),
                "settle_time": _shift(r["settle_time"], FUTURE),
            },
            (("deal_time", "deal_not_future"),),
        ),
    ],
    "transport/transit_concession": [
        Defect(
            lambda r: {"valid_to": _shift(r["valid_from"], -DAY)},
            (("valid_to", "ends_after_start"),),
        ),
    ],
    "housing_fund/hf_account": [
        Defect(
            lambda r: {"grjcbl": "0.1300", "gryjce": _product(r["grjcjs"], "0.1300")},
            (("grjcbl", "personal_rate_in_range"),),
        ),
        Defect(lambda _r: {"dwjcbl": "0.0400"}, (("dwjcbl", "employer_rate_in_range"),)),
        Defect(lambda _r: {"grjcjs": "0.00", "gryjce": "0.00"}, (("grjcjs", "base_positive"),)),
        Defect(
            lambda r: {"gryjce": _plus(r["gryjce"], "0.05")},
            (("gryjce", "monthly_is_base_times_rate"),),
        ),
        Defect(
            _if(_is("grzhzt", "05"), lambda _r: {"grzhye": "12.00"}),
            (("grzhye", "closed_account_is_empty"),),
        ),
        Defect(
            _if(_is("grzhzt", "05"), lambda _r: {"xhrq": None}),
            (("xhrq", "closed_account_has_date"),),
        ),
        Defect(
            _if(_is("grzhzt", "01"), lambda _r: {"xhrq": "2026-06-30"}),
            (("grzhzt", "closing_date_only_when_closed"),),
        ),
        Defect(
            _if(_is("grzhzt", "05"), lambda _r: {"xhrq": "2014-06-30"}),
            (("xhrq", "closed_after_opening"),),
        ),
        Defect(
            _if(_is("grzhzt", "01"), lambda _r: {"grzhye": "-0.01"}),
            (("grzhye", "balance_not_negative"),),
        ),
    ],
    "housing_fund/hf_contribution": [
        Defect(lambda _r: {"dwyjce": "0.00"}, (("dwyjce", "employer_part_positive"),)),
        Defect(lambda _r: {"gryjce": "0.00"}, (("gryjce", "personal_part_positive"),)),
        Defect(
            lambda r: {"posted_date": _shift(r["posted_date"], FUTURE)},
            (("posted_date", "posted_not_future"),),
        ),
    ],
    "housing_fund/hf_withdrawal": [
        Defect(
            lambda r: {"decided_at": _shift(r["accepted_at"], DAY * 4)},
            (("decided_at", "decided_within_three_days"),),
        ),
        Defect(
            lambda r: {"decided_at": _shift(r["accepted_at"], -HOUR)},
            (("decided_at", "decided_after_accepted"),),
        ),
        Defect(
            lambda _r: {"reason": "02", "close_account": "0"},
            (("close_account", "final_withdrawal_closes_account"),),
        ),
        Defect(lambda _r: {"amount": "0.00"}, (("amount", "amount_positive"),)),
    ],
}


def _product(base: str, rate: str) -> str:
    return str((Decimal(base) * Decimal(rate)).quantize(Decimal("0.01")))
