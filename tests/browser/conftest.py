"""A real Airflow web server with the portal, the portal alone, and Debian's Chromium before them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.rehearsal import Rehearsal
from demo.standalone import free_port
from onecard.portal import logins
from tests.browser.served import ServedPortal, served
from tests.cities import Cities, with_airflow

DEADLINE_S = 180


@dataclass(frozen=True)
class Server:
    """Airflow's web server as `make up` starts it, without scheduler."""

    url: str
    stage: Rehearsal
    passwords: Mapping[str, str]


@pytest.fixture(scope="module")
def airflow_server(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("portal")
    with cities.start(home / "stage", persons=1_000, seed=11) as stage:
        folder = Path(with_airflow(stage).environment["AIRFLOW_HOME"])
        made = logins.make(folder, stage.hub(0).catalogue.agencies)
        environment = stage.at(0) | dict(made.environment)
        log = folder / "api-server.log"
        airflow = [sys.executable, "-W", "ignore", "-m", "airflow"]
        subprocess.run(
            [*airflow, "db", "migrate"], env=environment, check=True, capture_output=True
        )
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environment |= {
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__WORKERS": "1",
        }
        with log.open("w") as output:
            server = subprocess.Popen(
                [*airflow, "api-server"],
                env=environment,
                start_new_session=True,
                stdout=output,
                stderr=output,
            )
        try:
            wait_for(f"{url}/api/v2/monitor/health", server, log)
            yield Server(url, stage, made.passwords)
        finally:
            end(server)


def end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + DEADLINE_S
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < limit, log.read_text()[-2000:]
            time.sleep(0.5)


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[ServedPortal]:
    """The portal after a city's first night: whoever wants another state makes it."""
    home = tmp_path_factory.mktemp("walk")
    with (
        cities.start(home / "stage", persons=1_000, seed=5, nights=1) as stage,
        served(stage, 0) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """A headless Chromium of the system; nothing is downloaded."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("Chromium absent: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--no-proxy-server", "--disable-background-networking"],
        )
        yield browser
        browser.close()
