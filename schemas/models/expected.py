"""What a field expects, in words: for whoever must mend a value. Never the value itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from schemas.models.contract import Contract, Field

Language = Literal["en", "zh"]
_EXAMPLE = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)
"""Day and month cannot be mistaken for each other."""
_TYPES: dict[str, dict[Language, str]] = {
    "string": {"en": "text", "zh": "文本"},
    "integer": {
        "en": "a whole number of at most 18 digits, as 1234",
        "zh": "整数，至多 18 位，如 1234",
    },
    "number": {"en": "a decimal number, as 1234.50", "zh": "十进制数，如 1234.50"},
    "date": {"en": "a date, as 2026-01-31", "zh": "日期，如 2026-01-31"},
    "timestamp": {
        "en": "a time with its zone, as 2026-01-31T08:30:00+08:00",
        "zh": "带时区的时间，如 2026-01-31T08:30:00+08:00",
    },
}


def expected(contract: Contract, name: str, rule: str, language: Language = "en") -> str:
    """What a field takes, where the gate's rule is about its form; else an empty text.

    Args:
        contract: of the dataset.
        name: of the field; empty where a rule is about the whole record.
        rule: that a value broke: `type`, `scale` or `max_length` have something to say.
        language: of the answer.
    """
    field = next((f for f in contract.fields if f.name == name), None)
    if field is None or rule in {r.name for r in contract.rules}:
        return ""
    if rule == "type":
        return _form(field, language)
    if rule == "scale" and field.precision is not None:
        scale = field.scale or 0
        whole = field.precision - scale
        return {
            "en": f"at most {whole} digits before the point and {scale} behind it",
            "zh": f"整数至多 {whole} 位，小数至多 {scale} 位",
        }[language]
    if rule == "max_length" and field.max_length is not None:
        return {
            "en": f"at most {field.max_length} characters",
            "zh": f"至多 {field.max_length} 个字符",
        }[language]
    return ""


def _form(field: Field, language: Language) -> str:
    if field.format is None or field.type not in ("date", "timestamp"):
        return _TYPES[field.type][language]
    kind = _TYPES[field.type][language].partition("," if language == "en" else "，")[0]
    written = f"{_EXAMPLE.strftime(field.format)} ({field.format})"
    if field.type == "timestamp":
        kind = {"en": "a time", "zh": "时间"}[language]
    return f"{kind}, as {written}" if language == "en" else f"{kind}，如 {written}"
