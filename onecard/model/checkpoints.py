"""Where a source was read to."""

from __future__ import annotations

from typing import Any

Checkpoint = dict[str, Any]
"""What a source needs to go on from where it was: JSON values only, no personal data.

Sources with a cursor column: `{"cursor": "<ISO 8601 instant or integer as text>"}`, written by
the core from the published rows. File sources: `{"files": {"<name>": "<sha256>"}}`.
"""
