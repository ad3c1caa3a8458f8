"""The consumers' own keys for sealed deliveries, each in its folder, and what they open."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onecard.base.settings import Settings
from onecard.crypto import receiver_keys
from onecard.crypto.envelope import OpenedEnvelope
from schemas.models.catalogue import Catalogue

FOLDER = "receivers"
"""In the city's folder; one folder for each consumer, one file for each of its keys."""
EPOCH = "2026"


def give_keys(home: Path, known: Catalogue, settings: Settings) -> None:
    """Each consumer of a sealed agreement makes a key pair, and the hub accepts the public half.

    Args:
        home: the city's folder.
        known: all agreements.
        settings: of the hub, whose key file is there.
    """
    for consumer in sorted({a.consumer for a in known.agreements.values() if a.sealed}):
        folder = home / FOLDER / consumer
        folder.mkdir(parents=True, mode=0o700)
        file = folder / f"{EPOCH}.json"
        made = receiver_keys.make_pair(consumer, EPOCH, settings.suite, file)
        receiver_keys.accept(settings.keys_file, made, settings.now().date())


def opened(manifest: Mapping[str, Any], part: int, sealed: bytes, keys: Path) -> bytes:
    """What one consumer finds in a part of a sealed delivery.

    Args:
        manifest: of the delivery.
        part: number of the part.
        sealed: the part.
        keys: folder of the consumer's keys.

    Raises:
        PolicyError: it does not open.
    """
    key = receiver_keys.read_private(keys / f"{manifest['sealing']['keyId']}.json")
    private = bytes.fromhex(key.private.get_secret_value())
    envelope = OpenedEnvelope(manifest, key.epoch, private)
    return b"".join(envelope.plain(part, io.BytesIO(sealed)))


def messages(
    bodies: list[dict[str, Any]], manifests: Path, keys: Path | None
) -> Iterator[dict[str, Any]]:
    """The batches of an HTTP inbox, opened; of a sealed delivery those that its manifest names.

    Args:
        bodies: as they came.
        manifests: file of the manifests, one a line.
        keys: folder of the consumer's keys; None: nothing is sealed for it.

    Raises:
        ValueError: something is sealed, and no key is given.
    """
    notes: dict[str, dict[str, Any]] = {}
    if any("sealed" in body for body in bodies) and manifests.exists():
        lines = manifests.read_text(encoding="utf-8").splitlines()
        notes = {note["deliveryId"]: note for note in map(json.loads, lines)}
    for body in bodies:
        if "sealed" not in body:
            yield body
            continue
        if keys is None:
            msg = f"{body['agreement']} is sealed, and no key opens it"
            raise ValueError(msg)
        note = notes.get(body["deliveryId"], {"parts": ()})
        if body["batchId"] in {part["batchId"] for part in note["parts"]}:
            sealed = base64.b64decode(body["sealed"])
            yield json.loads(opened(note, body["sequence"], sealed, keys))
