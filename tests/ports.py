"""Ports that the system gives, so that tests that run at once never share one."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port of 127.0.0.1 where nothing listens; somebody must take it soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
