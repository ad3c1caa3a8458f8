"""Writes data as strict YAML: no alias, no scalar that two readers differ on."""

from __future__ import annotations

from typing import Any

import yaml

from schemas.models.strict_yaml import is_ambiguous

WIDEST = 10_000
"""Columns: a flow mapping stands on one line."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - PyYAML's
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "'" if is_ambiguous(text) else None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_multi_representer(str, _text)


def flow(data: Any) -> str:  # noqa: ANN401 - plain data
    """Data on one line: `{property: pii, value: DI}`.

    Args:
        data: mappings, lists, texts, numbers, booleans.
    """
    text = yaml.dump(
        data,
        Dumper=_Dumper,
        default_flow_style=True,
        allow_unicode=True,
        sort_keys=False,
        width=WIDEST,
    )
    return text.removesuffix("\n").removesuffix("\n...")


def block(data: Any, indent: int) -> str:  # noqa: ANN401 - as above
    """Data on lines of its own; mappings of plain values stand on one line each.

    Args:
        data: as for `flow`.
        indent: blanks before each line.
    """
    text = yaml.dump(
        data,
        Dumper=_Dumper,
        default_flow_style=None,
        allow_unicode=True,
        sort_keys=False,
        width=WIDEST,
    )
    return "".join(f"{' ' * indent}{line}\n" for line in text.splitlines())
