"""`onecard doctor` asks the lane's door, where a setting says where it is."""

from __future__ import annotations

import socket

from fastapi import FastAPI

from onecard.base.endpoints import Endpoint
from onecard.daemon import readiness
from onecard.daemon.serving import serve
from onecard.operations import doctor_lane
from tests.waking import Lane, served


def test_without_the_setting_nothing_is_said() -> None:
    assert doctor_lane.ask(None) == []


def test_a_lane_that_can_work_and_one_that_cannot() -> None:
    lane = Lane()
    with served(lane) as serving:
        (ready,) = doctor_lane.ask(Endpoint("0.0.0.0", serving.port))
    lane.is_ready = False
    with served(lane) as serving:
        (unready,) = doctor_lane.ask(Endpoint("127.0.0.1", serving.port))
    assert (ready.check, ready.level, ready.todo) == ("live lane", "ok", "")
    assert (unready.level, unready.says) == ("fail", "it lives, and is not ready")
    assert unready.todo
    assert doctor_lane.PATIENCE_S > readiness.PATIENCE_S


def test_nobody_and_somebody_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    (nobody,) = doctor_lane.ask(Endpoint("127.0.0.1", port))
    assert (nobody.level, nobody.says) == (
        "fail",
        f"nobody answers at http://127.0.0.1:{port} (ConnectionRefusedError)",
    )
    assert "ONECARD_LIVE_LISTEN" in nobody.todo


def test_a_door_of_something_else() -> None:
    serving = serve(FastAPI(), "127.0.0.1", 0)
    try:
        (other,) = doctor_lane.ask(Endpoint("127.0.0.1", serving.port))
    finally:
        serving.close()
    assert (other.level, other.says) == (
        "fail",
        f"http://127.0.0.1:{serving.port} is no door of the lane (404)",
    )
