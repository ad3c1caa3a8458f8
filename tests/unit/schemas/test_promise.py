"""How soon an agreement answers is read from its text, and is one of the bounds that are counted."""

from __future__ import annotations

import pytest

from schemas.models import catalogue
from schemas.models.promise import Promise


def test_the_four_flows_promise_what_their_files_say() -> None:
    known = catalogue.load().agreements.values()
    promised = {a.id[:3]: a.promise for a in known if a.promise is not None}
    assert promised == dict.fromkeys(("f09", "f10", "f11", "f12"), Promise(95, 800))
    assert Promise(95, 800).shown == "P95 ≤ 800 ms"


@pytest.mark.parametrize(
    "text",
    [
        *("p95 790ms", "p95 800 ms", "P95 800ms", "p5 800ms", "p100 800ms", "p95 0ms", "T+1", ""),
        *("p95 800ms ", "p95 ８００ms", "p95 800ms, else 5s"),
    ],
)
def test_what_cannot_be_counted_is_no_promise(text: str) -> None:
    assert Promise.of(text) is None
