"""A small hub whose dataset is brought by its agency, its door, and calls that are signed."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from onecard.base.platform_signature import Credential, signed_headers
from onecard.daemon.serving import serve
from onecard.ingest import announced
from onecard.ingest.announced import Announced
from onecard.ingest.client import Client
from onecard.ingest.door import create_app
from onecard.ingest.service import Service
from onecard.model.uploads import Declared
from schemas.models import catalogue
from tests.small_hub import DATASET, SmallHub, contract, small_hub
from tests.waiting import until

HRSS = Credential("hrss-brings", b"key of the test, of hrss")
HEALTH = Credential("health-brings", b"key of the test, of health")
VISITS = "health/health_visit"
HEADER = "code,amount,updated"
CSV: dict[str, Any] = {"kind": "csv"}
BRINGS = {
    "hrss": "bring: {connection: hrss_bring}",
    "health": "bring: {connection: health_bring}",
}


def csv_of(rows: Sequence[tuple[object, ...]]) -> bytes:
    """A file: code, amount, updated."""
    lines = [HEADER, *(",".join(map(str, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def some(count: int, amount: str = "1.00", first: int = 0) -> list[tuple[object, ...]]:
    """Sound rows."""
    at = "2026-11-09T08:00:00+08:00"
    return [(f"c{n:06}", amount, at) for n in range(first, first + count)]


@dataclass
class Town:
    """The hub, its spool, its door, and who brings.

    Attributes:
        url: of the door.
        service: behind the door, while it is open.
    """

    small: SmallHub
    url: str = ""
    service: Service | None = None

    @property
    def folder(self) -> Path:
        """The spool of the dataset."""
        return self.small.home / "spool" / DATASET.replace("/", "__")

    @property
    def lying(self) -> list[str]:
        """What lies in the spool but for the marker of what is gone."""
        names = (f.name for f in self.folder.glob("*")) if self.folder.exists() else ()
        return sorted(name for name in names if not name.endswith(".taken"))

    def contract(
        self, layout: dict[str, Any] = CSV, order: str = "", lane: str = "", **options: Any
    ) -> None:
        """Write the contract, with options of its source."""
        source: dict[str, Any] = {
            "connector": "push",
            "connection": "small_spool",
            "options": {"format": layout, **options},
        }
        found = contract(source)
        custom = {"order": order, "lane": lane}
        stated = [{"property": k, "value": v} for k, v in custom.items() if v]
        found["customProperties"] += stated
        text = yaml.safe_dump(found, allow_unicode=True, sort_keys=False)
        self._write("contracts/hrss/small.odcs.yaml", text)

    def bring_blocks(self, **blocks: str) -> None:
        """Write who may bring, and nobody else."""
        lines = (catalogue.ROOT / "agencies.yaml").read_text(encoding="utf-8").splitlines()
        for n, line in enumerate(lines):
            name = re.match(r"  (\w+): +\{", line)
            if name and name[1] in blocks:
                lines[n] = line.replace("role:", f"{blocks[name[1]]}, role:", 1)
        self._write("agencies.yaml", "\n".join(lines) + "\n")

    def _write(self, name: str, text: str) -> None:
        """Change a file of the schemas; a door that is open has read it then."""
        before = self.service and self.service._desk
        (self.small.home / "schemas" / name).write_text(text, encoding="utf-8")
        if self.service is not None:
            service = self.service
            until(lambda: service._desk is not before, "the catalogue is read anew")

    @contextmanager
    def serving(self) -> Iterator[Service]:
        """Its door, open while the block runs."""
        self.service = service = Service(lambda: self.small.hub)
        service.start()
        serving = serve(create_app(service), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{serving.port}"
        try:
            yield service
        finally:
            serving.close()
            service.end()
            self.service = None

    def headers(
        self,
        data: bytes,
        upload: str,
        offset: int = 0,
        credential: Credential = HRSS,
        dataset: str = DATASET,
    ) -> dict[str, str]:
        """Headers of a part of these bytes, signed."""
        digest = hashlib.sha256(data).hexdigest()
        part = Announced(Declared(dataset, upload, len(data), digest), offset)
        return signed_headers(credential, announced.signed(f"/ingest/{dataset}", part)) | {
            announced.ID: upload,
            announced.OFFSET: str(offset),
            announced.LENGTH: str(len(data)),
            announced.DIGEST: digest,
        }

    def post(
        self,
        data: bytes,
        upload: str = "",
        offset: int = 0,
        end: int | None = None,
        **more: Any,
    ) -> requests.Response:
        """Bring a part; without `end` all the rest."""
        headers = self.headers(data, upload or str(uuid.uuid4()), offset)
        body = more.pop("body", data[offset:end])
        return requests.post(
            f"{self.url}/ingest/{DATASET}",
            data=body,
            headers=headers | more.pop("headers", {}),
            timeout=60,
        )

    def code(self, *args: Any, **more: Any) -> str:
        """The code of the answer to `post`."""
        return str(self.post(*args, **more).json()["code"])

    def status(self, upload: str, method: str = "GET", credential: Credential = HRSS) -> Any:
        """What is told of an upload."""
        path = f"/ingest/{DATASET}/{upload}"
        headers = signed_headers(credential, announced.signed(path))
        return requests.request(method, self.url + path, headers=headers, timeout=60)

    def client(self, part_bytes: int = 1 << 20) -> Client:
        """The client of the house."""
        return Client(self.url, HRSS, part_bytes, wait=lambda seconds: None)

    def ledger(self) -> list[tuple[Any, ...]]:
        """State, number and transfer of all uploads, in the order in which they began."""
        return self.small.ask("SELECT state, number, transfer FROM ledger.upload ORDER BY id")

    def file(self, data: bytes) -> Path:
        """A file of the agency."""
        path = self.small.home / f"{uuid.uuid4().hex}.csv"
        path.write_bytes(data)
        return path


def without_changes(told: Mapping[str, Any]) -> dict[str, Any]:
    """An answer but for what goes on after it."""
    return {k: v for k, v in told.items() if k not in ("state", "transfer")}


@contextmanager
def town_of(home: Path, hub_url: str) -> Iterator[Town]:
    """A town whose agencies hrss and health may bring; its door is not open yet.

    Args:
        home: a folder.
        hub_url: of the hub's database, migrated.
    """
    with small_hub(home, hub_url, hub_url) as small:
        (home / "spool").mkdir()
        for name, credential in (("hrss", HRSS), ("health", HEALTH)):
            secret = {"conn_type": "http", "login": credential.sid}
            secret["password"] = credential.key.decode()
            small.environment[f"AIRFLOW_CONN_{name.upper()}_BRING"] = json.dumps(secret)
        spool = {"conn_type": "fs", "extra": {"path": str(home / "spool")}}
        small.environment["AIRFLOW_CONN_SMALL_SPOOL"] = json.dumps(spool)
        town = Town(small)
        (home / "schemas" / "contracts" / "hrss").mkdir()
        town.contract()
        town.bring_blocks(**BRINGS)
        yield town
