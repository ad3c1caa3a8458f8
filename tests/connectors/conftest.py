"""Fixtures of connectors."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.connectors.rest_server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """An HTTP server that answers as the test has scripted."""
    found = Server()
    threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()
