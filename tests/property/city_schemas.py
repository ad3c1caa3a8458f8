"""The tiny city's contracts, agreements and registers: what `onecard lint` reads.

Six datasets of three agencies, read in each way that there is (by a cursor, whole, from an API,
from files), and eight agreements, each with something of its own: joins that send a row again or
not, a semi-join, consents, ages, tokens, masks, deletes that are told or not.
`tests.property.city_reference` says the same a second time.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import yaml

from tests.property.city_reference import AGREEMENT_KEYS, CONSENTED, ELDER, TELLS_DELETES

SINCE = date(2026, 1, 2)
LAST = date(2026, 12, 31)
"""The city's time: its impact assessments are good for a year."""

PIPL = "中华人民共和国个人信息保护法"
_CODES = {
    "status": "benefit_status",
    "card_status": "card_status",
    "fin_status": "fin_status",
    "pay_status": "subsidy_status",
    "consent_kind": "consent_kind",
    "kind": "yes_no",
    "bank_code": "bank",
}
_KINDS = {
    "person_id18": ("string", "id_number", "DI", "L3"),
    "person_name": ("string", "person_name", "DI", "L3"),
    "card_no": ("string", "card_no", "DI", "L3"),
    "bank_account": ("string", "bank_account", "DI", "L4"),
    "amount": ("number", "money", "PI", "L3"),
    "seq": ("integer", "sequence", "NONE", "L1"),
    "note": ("string", "text", "NONE", "L1"),
    "death_date": ("date", "date", "PI", "L4"),
    **dict.fromkeys(_CODES, ("string", "code", "PI", "L2")),
    **dict.fromkeys(
        ("changed_at", "given_at", "withdrawn_at", "happened_at"),
        ("timestamp", "instant", "PI", "L2"),
    ),
}
_OPTIONAL = ("note", "withdrawn_at")
FIELDS = {
    "hrss/person": ("person_id18", "person_name", "status", "changed_at", "seq"),
    "hrss/card": (
        *("card_no", "person_id18", "card_status", "fin_status", "bank_code", "bank_account"),
        "changed_at",
    ),
    "hrss/payment": ("pay_id", "person_id18", "bank_account", "amount", "pay_status", "seq"),
    "hrss/consent": (
        *("consent_id", "person_id18", "agreement", "consent_kind", "given_at", "withdrawn_at"),
        *("changed_at", "seq"),
    ),
    "health/death": ("person_id18", "death_date", "changed_at", "seq"),
    "transport/event": ("event_id", "card_no", "kind", "note", "happened_at"),
}
TOKENS = (CONSENTED, "f06-hrss-transport-elder")
SQL_TABLES = ("hrss/person", "hrss/card", "hrss/payment", "hrss/consent")


def write(root: Path) -> None:
    """Write the whole folder."""
    for dataset in FIELDS:
        _dump(root / "contracts" / f"{dataset}.odcs.yaml", _contract(dataset))
    for agreement in AGREEMENT_KEYS:
        write_agreement(root, agreement)
    agencies = {
        "hrss": "card_owner",
        "health": "provider",
        "transport": "provider",
        "medical_insurance": "provider",
        "education": "provider",
        "housing_fund": "provider",
        "bank": "bank",
    }
    _dump(
        root / "agencies.yaml",
        {
            "agencies": {
                name: {"title": name, "short": name, "title_en": name, "role": role}
                for name, role in agencies.items()
            }
        },
    )
    _dump(root / "registers.yaml", _registers())


def write_agreement(
    root: Path, agreement: str, version: int = 1, wide: tuple[int, bool] = (1, False)
) -> None:
    """Write one agreement; `wide` as in `city_reference.Expected`."""
    made = _agreement(agreement, wide) | {"version": f"1.{version}.0"}
    _dump(root / "agreements" / f"{agreement}.yaml", made)


class _Plain(yaml.SafeDumper):
    """Writes every value out: the hub refuses aliases."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _dump(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.dump(content, Dumper=_Plain, allow_unicode=True, sort_keys=False)
    file.write_text(text, encoding="utf-8")


def _contract(dataset: str) -> dict[str, Any]:
    agency, name = dataset.split("/")
    names = FIELDS[dataset]
    custom = {"shareType": "3" if name == "consent" else "2"}
    if "seq" in names:
        custom["sequence"] = "seq"
    if name == "event":
        custom["order"] = "file_name"
    rules: list[dict[str, Any]] = []
    if name == "event":
        rules = [
            _rule(
                "not_future",
                {"check": "compare", "left": "happened_at", "op": "<=", "value": "now"},
            )
        ]
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": dataset,
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "domain": agency,
        "description": {"purpose": "微型城市", "usage": "测试"},
        "customProperties": [{"property": p, "value": v} for p, v in custom.items()],
        "slaProperties": [{"property": "freshness", "value": "P400D"}],
        "servers": [
            {
                "server": agency,
                "type": "custom",
                "customProperties": [{"property": "source", "value": _source(dataset)}],
            }
        ],
        "schema": [
            {
                "name": name,
                "physicalName": name,
                "businessName": name,
                "logicalType": "object",
                "properties": [_field(n, keyed=n == names[0]) for n in names],
                "quality": rules,
            }
        ],
    }


def _rule(name: str, check: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "description": name,
        "type": "custom",
        "engine": "onecard",
        "dimension": "consistency",
        "severity": "error",
        "implementation": check,
    }


def _source(dataset: str) -> dict[str, Any]:
    name = dataset.split("/")[1]
    if dataset == "transport/event":
        layout = {"kind": "csv", "encoding": "gb18030"}
        options = {"directory": "out", "pattern": "*.csv", "format": layout, "manifest": {}}
        return {"connector": "files", "connection": "city_files", "options": options}
    if dataset == "health/death":
        pages = {"kind": "keyset", "cursor_param": "after", "next": "next", "size_param": "size"}
        options = {"path": "/deaths", "records": "rows", "since_param": "since"}
        options |= {"paginator": {**pages, "size": 2}, "attempts": 1}
        source = {"connector": "rest", "connection": "city_http", "options": options}
    else:
        options = {"schema": "source", "table": name}
        source = {"connector": "sql", "connection": "city_postgres", "options": options}
    return source | ({"cursor": "changed_at"} if "changed_at" in FIELDS[dataset] else {})


def _field(name: str, *, keyed: bool) -> dict[str, Any]:
    kind, semantic, pii, level = _KINDS.get(name, ("string", "identifier", "NONE", "L1"))
    custom = {"semantic": semantic, "pii": pii}
    if name in _CODES:
        custom["codes"] = _CODES[name]
    found: dict[str, Any] = {
        "name": name,
        "businessName": name,
        "physicalName": name,
        "logicalType": kind,
        "classification": level,
        "required": name not in _OPTIONAL,
        "customProperties": [{"property": p, "value": v} for p, v in custom.items()],
    }
    if kind == "string":
        found["logicalTypeOptions"] = {"maxLength": 50}
    if kind == "number":
        found["physicalType"] = "decimal(12,2)"
    if keyed:
        found |= {"primaryKey": True, "primaryKeyPosition": 1}
    return found


def _agreement(agreement: str, wide: tuple[int, bool]) -> dict[str, Any]:
    """The whole text: what all have in common, and what is this one's own."""
    delivery = _DELIVERIES[agreement[:3]]
    made: dict[str, Any] = {
        "id": agreement,
        "title": agreement,
        "purpose": "A7-04",
        "mode": "batch",
        "basis": {"item": "13-1-3", "statute": PIPL, "article": "第十三条第一款第三项、第三十四条"},
        "responsible": "微型城市负责人",
        "subject": "person_id18",
        "notice": "N-2026-01",
        "assessment": "PIA-2026-01",
        "child_rules": "CR-2026-01",
        "grade": f"G-2026-{agreement[1:3]}" if agreement in TOKENS else None,
        "key": list(AGREEMENT_KEYS[agreement]),
        "validity": {"from": SINCE, "to": date(2028, 12, 31)},
        "retention": "P3650D",
        "freshness": "每夜",
        "delivery": {**delivery, **({"deletes": "rows"} if agreement in TELLS_DELETES else {})},
    }
    own = {
        "f01": _f01(wide),
        "f02": _F02,
        "f03": _F03,
        "f04": _F04,
        "f05": _F05,
        "f06": _F06,
        "f07": _F07,
        "f08": _F08,
    }[agreement[:3]]
    made |= {**own, "scope": {"title": "按协议", **own.get("scope", {})}}
    return {n: v for n, v in made.items() if v is not None}


def _f01(wide: tuple[int, bool]) -> dict[str, Any]:
    statuses, told = wide
    changed = [{"name": "changed_on", "from": "changed_at", "treatment": "day"}] if told else []
    return {
        "dataset": "hrss/person",
        "consumer": "medical_insurance",
        "after_death": "deliver",
        "fields": [
            {"name": "person_id18"},
            {"name": "person_name", "treatment": "mask"},
            {"name": "status"},
            *changed,
        ],
        "scope": {"filters": [{"field": "status", "in": ["1", "2"][:statuses]}]},
    }


_F02 = {
    "dataset": "hrss/payment",
    "consumer": "bank",
    "fields": [{"name": "pay_id"}, {"name": "bank_account"}, {"name": "amount"}],
    "joins": [
        {
            "alias": "card",
            "dataset": "hrss/card",
            "match": {"person_id18": "person_id18", "bank_account": "bank_account"},
            "first_by": ["-changed_at"],
            "on_change": "ignore",
        }
    ],
    "scope": {
        "filters": [
            {"field": "card.bank_code", "in": ["102"]},
            {"field": "card.fin_status", "in": ["2"]},
            {"field": "pay_status", "in": ["0", "1"]},
        ]
    },
}
_F03 = {
    "dataset": "transport/event",
    "consumer": "hrss",
    "subject": "card.person_id18",
    "after_death": "deliver",
    "fields": [
        {"name": "event_id"},
        {"name": "note"},
        {"name": "card_status", "from": "card.card_status"},
    ],
    "joins": [{"alias": "card", "dataset": "hrss/card", "match": {"card_no": "card_no"}}],
}
_F04 = {
    "dataset": "hrss/person",
    "consumer": "housing_fund",
    "fields": [{"name": "person_id18"}, {"name": "active", "value": "1"}],
    "scope": {
        "exists": [
            {
                "dataset": "hrss/card",
                "match": {"person_id18": "person_id18"},
                "where": [{"field": "fin_status", "in": ["2"]}],
            }
        ]
    },
}
_F05 = {
    "dataset": "hrss/person",
    "consumer": "education",
    "basis": {"item": "13-1-1", "statute": PIPL, "article": "第十三条第一款第一项"},
    "consent": {"dataset": "hrss/consent"},
    "fields": [
        {"name": "person", "from": "person_id18", "treatment": "token"},
        {"name": "status"},
    ],
}
_F06 = {
    "dataset": "hrss/person",
    "consumer": "transport",
    "child_rules": None,
    "fields": [
        {"name": "person", "from": "person_id18", "treatment": "token"},
        {"name": "elder", "value": "1"},
    ],
    "scope": {
        "filters": [
            {"field": "person_id18", "min_age": ELDER},
            {"field": "status", "in": ["1"]},
        ]
    },
}
_F07 = {
    "dataset": "hrss/card",
    "consumer": "health",
    "child_rules": None,
    "after_death": "deliver",
    "fields": [{"name": "card_no"}, {"name": "card_status"}],
}
_F08 = {
    "dataset": "transport/event",
    "consumer": "bank",
    "subject": "card.person_id18",
    "fields": [{"name": "event_id"}, {"name": "fin_status", "from": "card.fin_status"}],
    "joins": [
        {
            "alias": "card",
            "dataset": "hrss/card",
            "match": {"card_no": "card_no"},
            "on_change": "ignore",
        }
    ],
    "scope": {
        "filters": [{"field": "kind", "in": ["1"]}, {"field": "card.bank_code", "in": ["102"]}]
    },
}


def _table(connection: str, name: str, **more: str) -> dict[str, Any]:
    return {"connector": "sql", "connection": connection, "options": {"table": name, **more}}


def _post(name: str) -> dict[str, Any]:
    options = {"path": f"/inbox/{name}", "attempts": 1}
    return {"connector": "rest", "connection": "city_http", "options": options}


def _folder(kind: str) -> dict[str, Any]:
    options = {"directory": "in", "format": {"kind": kind}}
    return {"connector": "files", "connection": "city_files", "options": options}


_DELIVERIES = {
    "f01": _table("city_postgres", "f01", schema="inbox"),
    "f02": _post("f02"),
    "f03": _folder("csv"),
    "f04": _table("city_mariadb", "f04"),
    "f05": _table("city_postgres", "f05", schema="inbox"),
    "f06": _post("f06"),
    "f07": _folder("parquet"),
    "f08": _post("f08"),
}


def _registers() -> dict[str, Any]:
    agreements = list(AGREEMENT_KEYS)
    return {
        "list_version": "2026-01",
        "list_published": SINCE,
        "projects": {},
        "statutes": {PIPL: {"kind": "law", "articles": 74}},
        "assessments": {
            "PIA-2026-01": {"title": "微型城市", "reviewed": SINCE, "agreements": agreements}
        },
        "notices": {
            "N-2026-01": {"title": "微型城市", "published": SINCE, "agreements": agreements}
        },
        "entrustments": {},
        "grades": {
            f"G-2026-{a[1:3]}": {"agreement": a, "grade": 3, "assessed": SINCE} for a in TOKENS
        },
        "child_rules": {"CR-2026-01": {"title": "微型城市", "published": SINCE}},
        "schemes": {},
        "networks": ["127.0.0.0/8"],
        "people": {"cards": "hrss/card", "deaths": "health/death"},
    }
