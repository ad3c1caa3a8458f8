"""Cells for the two paths of the gate: right ones, nearly right ones, and what nobody expects."""

from __future__ import annotations

import random
from collections.abc import Callable

from stdnum import luhn
from stdnum.cn.ric import calc_check_digit
from stdnum.cn.uscc import calc_check_digit as credit_check

from schemas.models.contract import Field

HOSTILE: tuple[bytes, ...] = (
    b"",
    b" ",
    b"\0",
    b"a\0b",
    b"\t1",
    b"1\n",
    b"\x7f",
    b"\x1f",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"ab\xed\xbf\xbfc",
    b"\xf4\x90\x80\x80",
    b"\xf0\x80\x80\x80",
    b"\xe0\x80\xaf",
    b"\xe5\xbc",
    b"\xf0\x9f\x98",
    b"\x80",
    *(
        text.encode()
        for text in (
            "\ufffd",
            "张\ufffd三",
            "\u3000张三",
            "张三\u3000",
            "\u200b1",
            "1\u202e",
            "\u061c",
            "a\xa0",
            "\x85",
            "\u2800x",
            "\ufeff1",
            "１２３",
            "１3812345678",
            "٣٤٥",
            "𠮷𠮷",
            "\U00020000\U00020001",
            "\U000323af\U000323af",
            "\U000323b0\U000323b0",
            "\U0010ffff",
            "e\u0301",
            "NULL",
            "null",
            "NA",
            "N/A",
            "\\N",
            "nan",
            "-",
            "--",
            "+1",
            "-0",
            "-0.00",
            "00",
            "007",
            "1.",
            ".5",
            "1e5",
            "1_000",
            "1,000",
            "1.000,50",
            "12,34",
            "0x10",
            "Infinity",
            "-inf",
            "999999999999999999",
            "1000000000000000000",
            "-999999999999999999",
            "9223372036854775808",
            "9" * 39,
            "0" * 60 + "1",
            "1." + "0" * 60,
            "0001-01-01",
            "0000-00-00",
            "9999-12-31",
            "2023-02-29",
            "2024-02-29",
            "1900-02-29",
            "2000-02-29",
            "2024-1-5",
            "2024/01/05",
            "20240105",
            "2024-01-05 ",
            "2024-13-01",
            "2024-00-10",
            "2024-04-31",
            "12024-01-01",
            "-2024-01-01",
            "2024-01-05T00:00:00Z",
            "2024-01-05 00:00:00+08:00",
            "2024-01-05T24:00:00Z",
            "2024-01-05T23:59:60Z",
            "2024-01-05T23:59:59.1234567Z",
            "2024-01-05T23:59:59.123456-12:00",
            "2024-01-05T23:59:59.+08:00",
            "2024-01-05T23:59:59+0800",
            "2024-01-05T23:59:59+24:00",
            "2024-01-05T23:59:59",
            "1988-07-01T08:00:00+08:00",
            "1988-07-01 08:00:00",
            "1986-05-04 00:30:00",
            "1991-12-31 23:59:59",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59.999999-23:59",
            "2024/1/5 7:08:09",
            "11010519491231002X",
            "11010519491231002x",
            "110105194912310021",
            "41010119491231000X",
            "x" * 5_000,
            "张" * 2_000,
        )
    ),
)


def near(cell: bytes, chance: random.Random) -> bytes:
    """A right cell with one byte changed, dropped, doubled or put in, or with blanks around it."""
    at = chance.randrange(len(cell) + 1)
    one = bytes(
        (chance.choice((0, 9, 31, 32, 44, 45, 46, 48, 57, 65, 88, 127, 128, 0xC3, 0xED, 255)),)
    )
    if chance.random() < 0.3:
        one = bytes((chance.randrange(256),))
    return chance.choice(
        (
            cell[:at] + one + cell[at + 1 :],
            cell[:at] + one + cell[at:],
            cell[:at] + cell[at + 1 :],
            cell[:at] + cell[at : at + 1] + cell[at:],
            b" " + cell,
            cell + "\u3000".encode(),
            cell + b"\0",
            cell.swapcase(),
            cell + cell,
        )
    )


def _spelled(shape: str, chance: random.Random) -> str:
    """A text of a shape: 9 a digit, h a hex digit, A a digit or capital, Z a capital."""
    signs = {
        "9": "0123456789",
        "h": "0123456789abcdef",
        "A": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "Z": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    }
    return "".join(chance.choice(signs[c]) if c in signs else c for c in shape)


def _id_number(chance: random.Random) -> str:
    division = chance.choice(("110105", "410101", "410199", "129999", "410171", "810000", "900001"))
    day = f"{chance.randrange(1875, 2028)}{chance.randrange(1, 13):02}{chance.randrange(1, 29):02}"
    body = f"{division}{day}{chance.randrange(1000):03}"
    return body + calc_check_digit(f"{body}0")


def _account(chance: random.Random) -> str:
    body = _spelled("9" * chance.randrange(15, 19), chance)
    return body + luhn.calc_check_digit(body)


def _credit_code(chance: random.Random) -> str:
    body = "".join(chance.choice("0123456789ABCDEFGHJKLMNPQRTUWXY") for _ in range(17))
    return body + credit_check(body)


def _words(chance: random.Random) -> str:
    pieces = ("张", "三", "路", "12", "号", "a", " ", "·", "𠮷", "é", "（", "）", "NULL", "，")
    return "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 9))).strip()


SEMANTIC: dict[str, Callable[[random.Random], str]] = {
    "id_number": _id_number,
    "uscc": _credit_code,
    "bank_account": _account,
    "person_name": lambda c: c.choice(("张三", "买买提·阿不都", "A B", "𠮷田", "李" * 50, "NULL")),
    "text": _words,
}
SHAPES = {
    "card_no": "AAAAAAAAA",
    "card_ident_code": "h" * 32,
    "mobile": "139" + "9" * 8,
    "transit_account": "9" * 18,
    "housing_account": "A" * 12,
    "personal_number": "9" * 10,
    "student_no": "G" + "9" * 18,
    "school_code": "9" * 10,
    "institution_code": "H" + "9" * 11,
    "division": "9" * 6,
    "street": "9" * 9,
    "year": "1999",
    "year_month": "2024-02",
    "uuid7": "hhhhhhhh-hhhh-7hhh-8hhh-" + "h" * 12,
    "identifier": "AA_A.A-A9",
}


def right_text(field: Field, chance: random.Random) -> str:
    """A value of a field as text, most often right."""
    if field.codes:
        return chance.choice(field.allowed)
    if field.type == "string":
        if field.semantic in SEMANTIC:
            return SEMANTIC[field.semantic](chance)
        return _spelled(SHAPES.get(field.semantic, "AA"), chance)
    if field.type == "integer":
        return str(chance.randrange(-99, 10 ** chance.randrange(1, 19)))
    if field.type == "number":
        scale = field.scale or 0
        whole = chance.randrange(10 ** chance.randrange((field.precision or 38) - scale + 1))
        return f"{whole}.{_spelled('9' * scale, chance)}" if scale else str(whole)
    return _moment(field, chance)


def _moment(field: Field, chance: random.Random) -> str:
    year = chance.choice((1000, 1899, 1950, 1987, 1991, 1992, 2024, 9998))
    parts = {
        "%Y": f"{year:04}",
        "%m": f"{chance.randrange(1, 13):02}",
        "%d": f"{chance.randrange(1, 30):02}",
        "%H": f"{chance.randrange(24):02}",
        "%M": f"{chance.randrange(60):02}",
        "%S": f"{chance.randrange(60):02}",
    }
    iso = "%Y-%m-%d" if field.type == "date" else "%Y-%m-%dT%H:%M:%S"
    text = field.format or iso
    for part, value in parts.items():
        text = text.replace(part, value if chance.random() < 0.8 else value.lstrip("0") or "0")
    if field.type == "timestamp" and not field.format:
        text += chance.choice(("", ".5", ".123456")) + chance.choice(("Z", "+08:00", "-11:30"))
    return text
