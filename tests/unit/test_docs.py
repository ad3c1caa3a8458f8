"""Generated documents are as fresh as what they are made of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_of_privacy_rules_is_fresh() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools" / "make_docs.py", "--check"], check=False)
    assert done.returncode == 0, "run python tools/make_docs.py"
    page = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    assert all(f"| PR-{n:02} |" in page for n in range(1, 31))
