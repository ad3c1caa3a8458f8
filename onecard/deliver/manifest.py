"""Manifests as a consumer sees them: whose they are, whether they are whole, whether they are new.

A consumer may use this, or do the same by hand: the signature is over the manifest without
`signature`, as JSON with sorted keys and no spaces (Ed25519, or SM2 in the national suite).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from onecard.crypto import suites
from onecard.errors import ConfigError, PolicyError
from onecard.store.receipts import signed_text


def refusal(
    manifest: Mapping[str, Any],
    public_keys: Mapping[str, str],
    consumer: str,
    seen: Collection[str] = (),
) -> str:
    """Why a consumer must not take a delivery, or an empty text.

    Args:
        manifest: as it was received.
        public_keys: the hub's, hexadecimal by `<suite>/<epoch>`, got by another way.
        consumer: who we are; a manifest for somebody else is refused (fault F39).
        seen: delivery ids whose manifests were taken already.
    """
    content = dict(manifest)
    signed = content.pop("signature", None)
    if not isinstance(signed, Mapping):
        return "no signature"
    public = public_keys.get(f"{signed.get('suite')}/{signed.get('epoch')}")
    if public is None:
        return "signed by a key that is not known"
    try:
        suite = suites.suite(str(signed.get("suite")))
        value = bytes.fromhex(str(signed.get("value")))
    except (ConfigError, PolicyError, ValueError):
        return "signature cannot be read"
    if not suite.verify(bytes.fromhex(public), signed_text(content).encode(), value):
        return "signature is not valid"
    if content.get("consumer") != consumer:
        return "meant for another consumer"
    return "replayed" if content.get("deliveryId") in seen else ""
