"""What is wrong with the values of one column, in PostgreSQL: SQL conditions by name of the rule.

Each condition is two-valued and never fails: what a cast could refuse is asked only of text of
the right shape (`CASE WHEN` keeps the order).
"""

from __future__ import annotations

from collections.abc import Callable

from . import forms
from .forms import Spec


def quoted(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def listed(texts: list[str]) -> str:
    """Texts as the inside of an SQL list."""
    return ", ".join(map(quoted, texts))


def faults(spec: Spec, x: str, now: str | None) -> dict[str, str]:
    """Every check of a field by itself.

    Args:
        spec: the field.
        x: the quoted column.
        now: the time to judge by.
    """
    found = {"required": f"{x} IS NULL"} if spec.get("required") else {}
    for rule, condition in _of_texts(spec, x, now).items():
        found[rule] = f"({x} IS NOT NULL AND ({condition}))"
    return found


def _of_texts(spec: Spec, x: str, now: str | None) -> dict[str, str]:
    if spec["type"] != "string":
        return _types(spec, x)
    validator, semantic = spec.get("validator"), spec.get("semantic")
    found: dict[str, str] = {}
    control, around = f"{x} ~ {quoted(forms.CONTROL)}", f"{x} ~ {quoted(forms.AROUND)}"
    if spec.get("codes"):
        found["codes"] = f"{x} NOT IN ({listed(spec['codes'])})"
    elif spec.get("regex"):
        right = f"{x} ~ {quoted(spec['regex'])}"
        found[f"{semantic}.format"] = f"NOT ({right})"
        found["text.control"] = f"{right} AND {control}"
        found["text.blanks"] = f"{right} AND {around}"
    elif not validator:
        found["text.control"] = control
        found["text.blanks"] = around
    if spec.get("max_length"):
        found["max_length"] = f"length({x}) > {int(spec['max_length'])}"
    if validator:
        judged = _VALIDATORS[validator](x, spec, now)
        found |= {f"{semantic}.{aspect}": sql for aspect, sql in judged.items()}
    return found


def _types(spec: Spec, x: str) -> dict[str, str]:
    if spec["type"] == "number":
        numeric = f"{x} ~ {quoted(forms.NUMBER)}"
        fits = f"{x} ~ {quoted(forms.fits(spec))}"
        return {"scale": f"{numeric} AND NOT ({fits})", "type": f"NOT ({numeric})"}
    if spec["type"] == "integer":
        return {"type": f"NOT ({x} ~ {quoted(forms.INTEGER)})"}
    if spec["type"] == "date":
        return {"type": f"NOT ({_is_date(spec, x)})"}
    return {"type": f"NOT ({_is_instant(x)})"}


def _guarded(test: str, then: str) -> str:
    return f"(CASE WHEN {test} THEN {then} ELSE false END)"


def _shape(spec: Spec) -> forms.Dated:
    if spec.get("format"):
        return forms.written_date(spec["format"])
    return forms.Dated(forms.DATE)


def _padded(spec: Spec, x: str) -> str:
    """In a format of its own a month or day may have one digit."""
    if not spec.get("format"):
        return x
    return f"regexp_replace({x}, {quoted(forms.ONE_DIGIT)}, {quoted('0' + chr(92) + '1')}, 'g')"


def _parts(x: str, dated: forms.Dated) -> tuple[str, str, str]:
    year, month, day = (
        f"CAST(substr({x}, {at + 1}, {width}) AS integer)"
        for at, width in zip((dated.year, dated.month, dated.day), (4, 2, 2), strict=True)
    )
    return year, month, day


def _real(year: str, month: str, day: str) -> str:
    """Whether three numbers are a day of the calendar, from year 1 on."""
    leap = f"({year} % 4 = 0 AND ({year} % 100 <> 0 OR {year} % 400 = 0))"
    longest = (
        f"(CASE WHEN {month} = 2 THEN CASE WHEN {leap} THEN 29 ELSE 28 END"
        f" WHEN {month} IN (4, 6, 9, 11) THEN 30 ELSE 31 END)"
    )
    return f"({year} >= 1 AND {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND {longest})"


def _is_date(spec: Spec, x: str) -> str:
    dated, x = _shape(spec), _padded(spec, x)
    return _guarded(f"{x} ~ {quoted(dated.regex)}", _real(*_parts(x, dated)))


def date_of(spec: Spec, x: str) -> str:
    """The date that text spells; only for text that is one."""
    year, month, day = _parts(_padded(spec, x), _shape(spec))
    return f"make_date({year}, {month}, {day})"


def _is_instant(x: str) -> str:
    low, high = (f"timestamp {quoted(t)}" for t in (forms.FIRST_INSTANT, forms.LAST_INSTANT))
    dated = forms.Dated(forms.INSTANT)
    within = _guarded(_real(*_parts(x, dated)), f"{instant_of(x)} BETWEEN {low} AND {high}")
    return _guarded(f"{x} ~ {quoted(dated.regex)}", within)


def instant_of(x: str) -> str:
    """The instant that text spells, as a timestamp in UTC; only for text that is one.

    The offset is taken off by hand: PostgreSQL reads none beyond 15:59.
    """
    clock = f"regexp_replace(substr({x}, 12), '(Z|[+-][0-9]{{2}}:[0-9]{{2}})\\Z', '')"
    offset = (
        f"(CASE WHEN right({x}, 1) = 'Z' THEN interval '0'"
        f" ELSE CAST(right({x}, 6) AS interval) END)"
    )
    return f"({date_of({}, x)} + CAST({clock} AS interval) - {offset})"


def _digit(x: str, place: int) -> str:
    return f"(ascii(substr({x}, {place}, 1)) - 48)"


def _id_number(x: str, spec: Spec, now: str | None) -> dict[str, str]:
    right = f"{x} ~ {quoted(forms.ID_NUMBER)}"
    weighted = [f"{_digit(x, i + 1)} * {w}" for i, w in enumerate(forms.ID_WEIGHTS)]
    expected = f"substr({quoted(forms.ID_CHECK)}, ({' + '.join(weighted)}) % 11 + 1, 1)"
    wrong = f"{expected} <> right({x}, 1)"
    born = f"CAST(substr({x}, 7, 8) AS integer)"
    day = (
        f"{_real(*_parts(x, forms.Dated(forms.ID_NUMBER, 6, 10, 12)))}"
        f" AND {born} BETWEEN {forms.FIRST_BIRTH} AND {forms.yyyymmdd(now)}"
    )
    refused = spec.get("refused") or [""]
    found = {
        "format": f"NOT ({right})",
        "checksum": _guarded(right, f"({wrong})"),
        "rounded": _guarded(right, f"({wrong} AND right({x}, 3) = '000')"),
        "birth_date": _guarded(right, f"NOT ({day})"),
        "division": _guarded(right, f"substr({x}, 1, 6) IN ({listed(refused)})"),
    }
    if spec.get("known"):
        unknown = f"substr({x}, 1, 6) NOT IN ({listed(forms.divisions(spec))})"
        unknown += f" AND NOT ({x} ~ '^(8[123]|9)')"
        found["listed"] = _guarded(right, f"({unknown})")
    return found


def _uscc(x: str, _spec: Spec, _now: str | None) -> dict[str, str]:
    right = f"{x} ~ {quoted(forms.USCC)}"
    values = [
        f"(strpos({quoted(forms.USCC_ALPHABET)}, substr({x}, {i + 1}, 1)) - 1)" for i in range(18)
    ]
    weighted = [f"{v} * {w}" for v, w in zip(values, forms.USCC_WEIGHTS, strict=False)]
    wrong = f"(31 - ({' + '.join(weighted)}) % 31) % 31 <> {values[17]}"
    return {"format": f"NOT ({right})", "checksum": _guarded(right, f"({wrong})")}


def _bank_account(x: str, _spec: Spec, _now: str | None) -> dict[str, str]:
    right, whole = f"{x} ~ {quoted(forms.BANK_ACCOUNT)}", f"lpad({x}, 20, '0')"
    terms = [
        f"CAST(substr({quoted(forms.DOUBLED)}, {_digit(whole, i)} + 1, 1) AS integer)"
        if i % 2
        else _digit(whole, i)
        for i in range(1, 21)
    ]
    luhn = _guarded(right, f"(({' + '.join(terms)}) % 10 <> 0)")
    return {"format": f"NOT ({right})", "luhn": luhn}


_VALIDATORS: dict[str, Callable[[str, Spec, str | None], dict[str, str]]] = {
    "id_number": _id_number,
    "uscc": _uscc,
    "bank_account": _bank_account,
}
