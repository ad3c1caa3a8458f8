"""YAML read strictly: one meaning for every file, and a line number for every value.

Refused, with file and line: duplicate keys, anchors and aliases, tags, several documents, keys
that are no strings, and plain scalars that readers of YAML 1.1 and 1.2 understand differently
(`no`, `0123`, `1_000`, `12:30:45`) — FAULTS F42. Quote them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from schemas.models.problem import InvalidFile, Problem

UNREADABLE = "file.unreadable"
"""Rule of a file that the operating system does not give, now or ever."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_AMBIGUOUS = re.compile(
    r"""(?ix: y|n|yes|no|on|off
      | [-+]?0[0-9_]+ | 0[xob][0-9a-f_]+ | [-+]?[0-9][0-9_]*_[0-9_]*
      | [-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?
      | [-+]?\.(inf|nan) | ~ | = | << )\Z"""
)
_CORE_TAGS = {
    "tag:yaml.org,2002:null",
    "tag:yaml.org,2002:bool",
    "tag:yaml.org,2002:int",
    "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:map",
    "tag:yaml.org,2002:seq",
    "tag:yaml.org,2002:timestamp",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its data, and the line of each dotted path."""

    file: Path
    data: dict[str, Any]
    lines: dict[str, int]

    def line(self, path: str) -> int:
        """Line of `path`, or of its nearest parent that stands in the file."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return self.lines.get(path, 1)

    def problem(self, path: str, rule: str, message: str) -> Problem:
        """A problem of this file at `path`.

        Args:
            path: dotted path of the value; the line is its own, or that of what holds it.
            rule: id of the rule, `area.rule`.
            message: what is wrong, with the valid choices.
        """
        return Problem(self.file, self.line(path), path, rule, message)


class _Builder:
    """Turns a node tree into plain data, collecting lines and problems on the way."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        self._seen: set[int] = set()
        self._scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, path: str) -> Any:  # noqa: ANN401 - plain YAML data
        self.lines[path] = node.start_mark.line + 1
        if id(node) in self._seen:
            self._refuse(path, "yaml.alias", "anchors and aliases are refused: write the value out")
            return None
        self._seen.add(id(node))
        if node.tag not in _CORE_TAGS:
            self._refuse(path, "yaml.tag", f"tag {node.tag!r} is refused: use plain values")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, _join(path, str(i))) for i, item in enumerate(node.value)]
        return self._scalar(node, path) if isinstance(node, yaml.ScalarNode) else None

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or (not key_node.style and _AMBIGUOUS.match(key)):
                self.lines[_join(path, "?")] = key_node.start_mark.line + 1
                self._refuse(_join(path, "?"), "yaml.key", "a key must be a quoted or plain string")
                continue
            if key in data:
                self.lines[_join(path, key)] = key_node.start_mark.line + 1
                self._refuse(_join(path, key), "yaml.duplicate_key", f"key {key!r} stands twice")
                continue
            data[key] = self.build(value_node, _join(path, key))
        return data

    def _scalar(self, node: yaml.ScalarNode, path: str) -> Any:  # noqa: ANN401 - plain YAML data
        if not node.style and _AMBIGUOUS.match(node.value):
            self._refuse(
                path,
                "yaml.ambiguous_scalar",
                f"{node.value!r} means different things to different readers: quote it, "
                "or write true, false, null or a plain number",
            )
            return None
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value
        try:
            return self._scalars.construct_object(node)
        except ValueError:  # more digits than Python converts, or a float of another YAML
            self._refuse(path, "yaml.scalar", "no number that can be read: quote it")
            return None

    def _refuse(self, path: str, rule: str, message: str) -> None:
        self.problems.append(Problem(self.file, self.lines[path], path, rule, message))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def is_ambiguous(text: str) -> bool:
    """Whether a plain scalar of these signs means different things to different readers.

    Args:
        text: without quotes.
    """
    return bool(_AMBIGUOUS.match(text))


def _too_deep(file: Path) -> Problem:
    return Problem(file, 1, "", "yaml.depth", "nested too deeply to be read")


def parse(file: Path, text: str | None = None) -> Document:
    """Read one YAML file (or `text`, as if it stood in `file`).

    Raises:
        InvalidFile: unreadable, not UTF-8, or not strict YAML with a mapping at the top.
    """
    try:
        content = file.read_text(encoding="utf-8") if text is None else text
        node = yaml.compose(content, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "not YAML"
        line = mark.line + 1 if mark else 1
        raise InvalidFile([Problem(file, line, "", "yaml.syntax", reason)]) from None
    except UnicodeDecodeError:
        raise InvalidFile([Problem(file, 1, "", "yaml.encoding", "not UTF-8")]) from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise InvalidFile([Problem(file, 0, "", UNREADABLE, reason)]) from None
    except RecursionError:
        raise InvalidFile([_too_deep(file)]) from None
    builder = _Builder(file)
    if not isinstance(node, yaml.MappingNode):
        raise InvalidFile([Problem(file, 1, "", "yaml.mapping", "a mapping must stand at the top")])
    try:
        data = builder.build(node, "")
    except RecursionError:
        raise InvalidFile([_too_deep(file)]) from None
    if builder.problems:
        raise InvalidFile(builder.problems)
    return Document(file, data, builder.lines)
