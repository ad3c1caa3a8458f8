"""Host and port, as settings and options write them."""

from __future__ import annotations

import pytest

from onecard.base.endpoints import Endpoint
from onecard.base.settings import Settings
from onecard.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "place", "url"),
    [
        ("127.0.0.1:8090", Endpoint("127.0.0.1", 8090), "http://127.0.0.1:8090"),
        ("live.example:0", Endpoint("live.example", 0), "http://live.example:0"),
        ("[::1]:65535", Endpoint("::1", 65_535), "http://[::1]:65535"),
    ],
)
def test_what_is_written_so(text: str, place: Endpoint, url: str) -> None:
    assert Endpoint.of(text) == place
    assert place.url == url
    assert place.from_here == place


@pytest.mark.parametrize(
    "text", ["8090", ":8090", "host:", "host:x", "host:-1", "host:65536", "host:８０"]
)
def test_what_is_not(text: str) -> None:
    assert Endpoint.of(text) is None
    with pytest.raises(ConfigError, match="ONECARD_LIVE_LISTEN: write HOST:PORT"):
        Settings.load({"ONECARD_LIVE_LISTEN": text})


def test_who_listens_everywhere_is_called_here() -> None:
    assert Endpoint("0.0.0.0", 1).from_here == Endpoint("127.0.0.1", 1)
    assert Endpoint("::", 1).from_here == Endpoint("::1", 1)


def test_without_the_setting_there_is_none() -> None:
    assert Settings.load({}).live_listen is None
    assert Settings.load({"ONECARD_LIVE_LISTEN": "h:1"}).live_listen == Endpoint("h", 1)


def test_who_is_believed_where_a_call_comes_from() -> None:
    assert Settings.load({}).proxies == ("127.0.0.1",)
    found = Settings.load({"ONECARD_PROXIES": "127.0.0.1, 172.18.0.0/16,fd00::1"})
    assert found.proxies == ("127.0.0.1", "172.18.0.0/16", "fd00::1")


@pytest.mark.parametrize(
    "text", ["*", "proxy.example", "127.0.0.1,", "0.0.0.0/0", "::/0", "172.18.0.1/16"]
)
def test_everybody_is_never_believed(text: str) -> None:
    with pytest.raises(ConfigError, match="ONECARD_PROXIES: write addresses and networks"):
        Settings.load({"ONECARD_PROXIES": text})
