"""Columns of a delivery by which is measured how long its events took; they never leave the hub.

They stand beside the agreement's columns in the delivery's SQL, as the gate's control columns do
(ADR 0010), only where `schemas/reaction.yaml` names the dataset. Of an event's codes only the kind
is selected.
"""

from __future__ import annotations

KIND = "_measured_kind"
"""The event's kind; NULL: it is not measured."""

AT = "_measured_at"
"""The moment from which the seconds count."""

FIRST = "_measured_first"
"""The registry version with which the row was first published; NULL: the last delivery left it out,
for the sake of the order on replacement."""

TRANSFER = "_measured_transfer"
"""The collect that has published it."""
