"""Semantic types by the gate's own judges: what most values are by checksum or pattern.

Only types that say much by themselves are looked for in values alone; those whose pattern fits many
things (a number of twenty digits) are taken where other contracts or the column's title say so.
What could be of a person is taken for it: the stricter guess is the safe one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import polars as pl

from quality.rows.fieldchecks import field_checks, kernel
from quality.rows.gate import divisions_of
from quality.rows.identifiers import DIVISION_KNOWN, Divisions
from quality.samples.guess import ENOUGH, LIKELY, count_of, is_enough
from schemas.models import semantic
from schemas.models.contract import Field

TELLING = (
    "id_number",
    "uscc",
    "uuid7",
    "mobile",
    "student_no",
    "institution_code",
    "card_ident_code",
    "bank_account",
    "division",
    "street",
    "year_month",
    "year",
    "person_name",
)
"""Types that are looked for in values alone, the narrower before the wider."""
LISTED_ASPECT = "listed"
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚"
    "沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常"
)
"""The hundred most frequent surnames (公安部《二〇二〇年全国姓名报告》): 85 of 100 people."""
_SURNAMED = 0.5
"""Share of names that must begin with one of them: stations and firms do not."""
_SHORT_NAME = r"^[\x{4e00}-\x{9fff}\x{3400}-\x{4dbf}\x{20000}-\x{323af}]{2,4}$|·"
_HEADER_OF_NAMES = r"[姓名称者员]|人$|对象"


class Judges:
    """Judges of one day and profile."""

    def __init__(self, today: int, *, demo: bool) -> None:
        """Take what identity numbers are judged by.

        Args:
            today: yyyymmdd.
            demo: whether numbers of the unassigned division count.
        """
        self._today, self._demo = today, demo
        self._fields: dict[str, Field] = {}

    @cached_property
    def _divisions(self) -> Divisions:
        return divisions_of(demo=self._demo)

    def are(self, values: pl.Series, name: str) -> bool:
        """Whether enough of the values are right as a semantic type, or it has no check.

        Of numbers of persons, half are enough.

        Args:
            values: text, without NULL.
            name: of the type.
        """
        if not len(values):
            return False
        field = self._fields.setdefault(name, _field(name))
        share = LIKELY if field.pii == "DI" and name in TELLING else ENOUGH
        judge = kernel(field, self._divisions)
        if judge is not None:
            right = np.ones(len(values), np.bool_)
            for aspect, mask in judge(values, self._today).items():
                if aspect != LISTED_ASPECT:
                    right &= mask
            return is_enough(int(right.sum()), len(values), share)
        checks = [check.broken.fill_null(value=False) for check in field_checks(field)]
        if not checks:
            return True
        broken = values.rename("value").to_frame().select(pl.any_horizontal(checks)).to_series()
        return is_enough(len(values) - count_of(broken), len(values), share)

    def telling(self, values: pl.Series) -> str | None:
        """The first type that says much by itself, and that enough of the values are; or None.

        Args:
            values: text, without NULL.
        """
        for name in TELLING:
            if self.are(values, name) and self._more(name, values):
                return name
        return None

    def _more(self, name: str, values: pl.Series) -> bool:
        """What a pattern alone does not say."""
        more: dict[str, Callable[[pl.Series], bool]] = {
            "division": self._known_divisions,
            "street": self._known_divisions,
            "year": lambda v: v.n_unique() > 1,
            "person_name": _are_names,
        }
        return more[name](values) if name in more else True

    def _known_divisions(self, values: pl.Series) -> bool:
        """Whether the first six digits are those of divisions."""
        digits = values.str.slice(0, 6).cast(pl.Int64, strict=False).drop_nulls()
        codes = digits.filter(digits.is_between(0, len(self._divisions) - 1)).to_numpy()
        return is_enough(int((self._divisions[codes] == DIVISION_KNOWN).sum()), len(values))


def is_header_of(title: str, name: str, values: pl.Series) -> bool:
    """Whether a header may stand over values of a type, and is none of them.

    Names of persons look like words. One in a header's place begins like the names below it, or
    with a frequent surname; a header over names speaks of names or of people.

    Args:
        title: in the header's place.
        name: of the type.
        values: below it.
    """
    word = pl.Series([title])
    if name != "person_name" or not word.str.contains(_SHORT_NAME).item():
        return True
    first = title[:1]
    alike = first in SURNAMES or first in set(values.str.slice(0, 1).to_list())
    return not alike or bool(word.str.contains(_HEADER_OF_NAMES).item())


def _are_names(values: pl.Series) -> bool:
    short = count_of(values.str.contains(_SHORT_NAME))
    surnamed = count_of(values.str.slice(0, 1).is_in(list(SURNAMES)))
    return is_enough(short, len(values)) and surnamed >= _SURNAMED * len(values)


def _field(name: str) -> Field:
    kind = semantic.semantic_type(name)
    return Field(
        name="value",
        title=kind.title,
        native="value",
        type="string",
        semantic=name,
        level=kind.level,
        pii=kind.pii,
    )
