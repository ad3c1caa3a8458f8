"""The words that other contracts have: a column that they know is known here by the same name."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from schemas.models import semantic
from schemas.models.contract import Contract, Field

_ASIDE = re.compile(r"[（(].*?[)）]|[\s:：*]")
_UPDATED = re.compile(
    r"upd|modif|chang|lastedit|last_edit|gxsj|xgsj|gengxin|更新|修改|变更时间", re.I
)
_DELETED = re.compile(
    r"(?:^|_)(?:is_?)?del(?:eted?|_?flag)?(?:$|_)|scbz|sfsc|yxbz|删除|有效标", re.I
)


class KnownWords:
    """Fields of contracts by native name and by title, those of most contracts first.

    Attributes:
        cursors: names of fields by which sources are read on.
        sequences: names of fields that order versions of a row.
    """

    def __init__(self, contracts: Iterable[Contract]) -> None:
        """Take the contracts.

        Args:
            contracts: whose words count.
        """
        self._natives: dict[str, list[Field]] = defaultdict(list)
        self._titles: dict[str, list[Field]] = defaultdict(list)
        known = list(contracts)
        for field in (f for c in known for f in c.fields):
            self._natives[field.native.casefold()].append(field)
            for title in titles_in(field.title):
                self._titles[title].append(field)
        self.cursors = frozenset(c.source.cursor for c in known if c.source.cursor)
        self.sequences = frozenset(c.sequence for c in known if c.sequence)
        self._types = {
            title: name
            for name, kind in semantic.load().types.items()
            for title in titles_in(kind.title)
        }

    def fields(self, native: str, title: str) -> tuple[Field, ...]:
        """What other contracts have under that native name, then under that title.

        Args:
            native: of the column.
            title: of the column; empty: it has none.
        """
        found = list(self._natives[native.casefold()]) if native.casefold() in self._natives else []
        for word in (*titles_in(title), *titles_in(native)):
            found += self._titles.get(word, ())
        counted = Counter((f.name, f.type, f.semantic, f.codes) for f in found)
        firsts = {(f.name, f.type, f.semantic, f.codes): f for f in reversed(found)}
        return tuple(firsts[key] for key, _ in counted.most_common())

    def type_of_title(self, native: str, title: str) -> str | None:
        """The semantic type that has such a title; None: none has.

        Args:
            native: of the column.
            title: of the column.
        """
        words = (*titles_in(title), *titles_in(native))
        return next((self._types[word] for word in words if word in self._types), None)


def titles_in(title: str) -> Iterator[str]:
    """A title's parts, without what is said aside: 社会保障号码/公民身份号码 are two.

    Args:
        title: of a field or a column.
    """
    for part in re.split(r"[/／、|]", title):
        bare = _ASIDE.sub("", part).casefold()
        if bare:
            yield bare


def is_time_of_change(native: str, title: str) -> bool:
    """Whether a column's names say that it dates the row's last change.

    Args:
        native: of the column.
        title: of the column.
    """
    return bool(_UPDATED.search(native) or _UPDATED.search(title))


def is_mark_of_deletion(native: str, title: str) -> bool:
    """Whether a column's names say that it marks rows as deleted or void.

    Args:
        native: of the column.
        title: of the column.
    """
    return bool(_DELETED.search(native) or _DELETED.search(title))
