"""A consumer refuses a manifest that was altered, replayed, or meant for somebody else."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from onecard.crypto import keys
from onecard.crypto.keys import SIGNING, KeyStore
from onecard.crypto.signing import Signer
from onecard.crypto.suites import suite
from onecard.deliver.manifest import refusal
from onecard.store.receipts import signed_manifest

MANIFEST = {
    "consumer": "bank",
    "deliveryId": "f16-1",
    "rows": 2,
    "digest": "ab",
    "columns": ["金额"],
}


@pytest.fixture(params=["international", "national"])
def signer(request: pytest.FixtureRequest, tmp_path: Path) -> Signer:
    keys.create(tmp_path / "keys.json", ["bank"], "2026")
    return Signer(request.param, KeyStore(tmp_path / "keys.json"))


def test_a_manifest_of_ours_is_taken(signer: Signer) -> None:
    assert refusal(signed_manifest(MANIFEST, signer), signer.public_keys(), "bank") == ""


def test_an_epoch_that_was_asked_for_too_early_is_known_later(
    signer: Signer, tmp_path: Path
) -> None:
    """A standing signer keeps nothing of an epoch that it does not know, whoever named it."""
    assert not signer.verify(signer.suite, "2027", b"message", b"")
    file, day = tmp_path / "keys.json", date(2027, 1, 1)
    keys.rotate(file, SIGNING, "2027", timedelta(days=30), day)
    made = Signer(suite(signer.suite).name, KeyStore(file)).sign(b"message")
    assert signer.verify(signer.suite, "2027", b"message", made)


@pytest.mark.fault("F39", "a changed field breaks the signature")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rows": 3}, "not valid"),
        ({"consumer": "operator"}, "not valid"),
        ({"extra": 1}, "not valid"),
        ({"signature": None}, "no signature"),
        ({"signature": {"suite": "international", "epoch": "1999", "value": ""}}, "not known"),
    ],
)
def test_an_altered_manifest_is_refused(signer: Signer, change: dict[str, Any], why: str) -> None:
    altered = {**signed_manifest(MANIFEST, signer), **change}
    assert why in refusal(altered, signer.public_keys(), "bank")


@pytest.mark.fault("F39", "both are refused")
def test_another_consumers_manifest_and_a_replayed_one_are_refused(signer: Signer) -> None:
    found = signed_manifest(MANIFEST, signer)
    assert "another consumer" in refusal(found, signer.public_keys(), "operator")
    assert refusal(found, signer.public_keys(), "bank", {"f16-1"}) == "replayed"
