"""Names of elements as contracts write them: with prefixes that are declared, in paths."""

from __future__ import annotations

import re
from collections.abc import Mapping

from connectors.common.xml_stream import SEPARATOR

_STEP = re.compile(r"[^\s/@{}\[\]*'\"]+")
_RESERVED = {
    "http://www.w3.org/2001/XMLSchema-instance": "xsi",
    "http://www.w3.org/XML/1998/namespace": "xml",
}
"""Namespaces whose prefixes mean the same in every document."""


def is_path(text: str) -> bool:
    """Whether a text names each element from an outermost one on, as in /data/rows/row."""
    steps = text.split("/")
    return len(steps) > 1 and not steps[0] and all(_STEP.fullmatch(s) for s in steps[1:])


class Names:
    """Full names of elements and attributes, as contracts write them.

    Attributes:
        known: those that were asked for.
    """

    def __init__(self, namespaces: Mapping[str, str]) -> None:
        """No name was asked for yet.

        Args:
            namespaces: prefixes, and their URIs; the empty prefix is of names that have none.
        """
        self._prefixes = {uri: prefix for prefix, uri in namespaces.items()}
        self.known: dict[str, str] = {}

    def of(self, name: str) -> str:
        """A name with its declared prefix; of an unknown namespace with its URI.

        Args:
            name: its namespace's URI, `}` and its name; without a namespace the name alone.
        """
        return self.known.get(name) or self.known.setdefault(name, self._named(name))

    def _named(self, name: str) -> str:
        uri, separator, local = name.rpartition(SEPARATOR)
        if not separator:
            return local
        if uri in _RESERVED:
            return f"{_RESERVED[uri]}:{local}"
        prefix = self._prefixes.get(uri)
        return name if prefix is None else f"{prefix}:{local}" if prefix else local
