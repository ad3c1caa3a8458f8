"""Writes docs/privacy.md from the registry of the privacy gate's rules.

`python tools/make_docs.py` writes; `--check` exits 1 when the file is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "privacy.md"
ACTIONS = {
    "block": "阻断 block",
    "quarantine": "隔离 quarantine",
    "warn": "警告 warn",
    "alert": "告警 alert",
    "audit": "留痕 audit",
}
HEAD = """# The privacy gate · 隐私闸口

Made by `tools/make_docs.py` from `quality/privacy/rules.yaml`; do not edit here.

Every delivery passes these rules, in this order. Rules about the agreement are evaluated once,
before anything is selected; rules about rows on each batch after treatment, as it would leave;
the others on the receiver's answer. Results stand in `ledger.privacy_result` and in the receipt.

- **block**: nothing (more) leaves; the transfer fails and names the rule. PR-06, PR-12 and PR-29
  keep back the rows or cells concerned, and the others leave.
- **quarantine**: the row is kept, encrypted, until a person releases it or its source mends it.
- **warn**, **alert**, **audit**: noted; the delivery goes on.
- A rule that cannot be evaluated blocks, whatever its action is.

**Consent** is decided by a person's newest record of the agreement: when it is withdrawn, an older
one that is not does not bring it back (PIPL article 15). Of two given at one moment one that is
withdrawn decides, of others the one with the higher id. **Ages** are completed on the birthday; who
was born on 29 February completes a year on 1 March of a common year (`onecard/base/ages.py`).

A row that the gate withholds, and that the consumer has, is withdrawn where the agreement tells
deletes; it is sent again as soon as nothing withholds it any more ([ADR
0020](adr/0020-what-a-consumer-holds.md)).

Rules look at control columns (`onecard/model/gate_inputs.py`) that stand beside the agreement's
columns in the delivery's SQL and are dropped before anything leaves
([ADR 0010](adr/0010-control-columns.md)).

| rule | title | action | what it says | basis | code |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The document."""
    sys.path.insert(0, str(ROOT))
    from quality.privacy.registry import functions, texts  # noqa: PLC0415 - after the path is set

    lines = []
    for name, text in texts().items():
        function = functions()[name]
        code = f"`{function.__module__.split('.')[-1]}.{function.__name__}`"
        action = ACTIONS[text.action]
        cells = (name, text.title, action, text.text, text.basis, code)
        lines.append(f"| {' | '.join(cells)} |\n")
    return HEAD + "".join(lines)


def main() -> int:
    """Write the file, or with --check compare it."""
    if "--check" in sys.argv[1:]:
        return int(TARGET.read_text(encoding="utf-8") != page())
    TARGET.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
