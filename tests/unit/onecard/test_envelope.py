"""Sealed deliveries: what the envelope holds opens for its consumer alone, whole and in order."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.crypto import keys
from onecard.crypto.envelope import BOUND, CHUNK_BYTES, Envelope, OpenedEnvelope
from onecard.crypto.keys import KeyStore
from onecard.crypto.receiver_keys import ReceiverKey
from onecard.crypto.signing import Signer
from onecard.crypto.suites import Suite, sm2, sm2_encryption, suite
from onecard.crypto.suites.common import TAG_BYTES
from onecard.errors import PolicyError
from onecard.store.receipts import signed_manifest

DOCS = Path(__file__).parents[3] / "docs"
SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES
SIZES = (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES)
TERMS: dict[str, Any] = {
    **dict.fromkeys(BOUND, "x"),
    "agreement": "f13",
    "deliveryId": "f13-00000007-ab12",
    "columns": ["card_no", "姓名"],
}


class Sealing:
    """One delivery to a consumer with a key of its own."""

    def __init__(self, name: str, **changed: Any) -> None:
        self.suite: Suite = suite(name)
        self.private, public = self.suite.receiver_pair()
        self.terms = TERMS | changed
        key = ReceiverKey("2026", self.suite.name, public)
        self.envelope = Envelope(self.suite, key, self.terms)
        self.manifest = {**self.terms, "rows": 3, "sealing": dict(self.envelope.note)}

    def part(self, number: int, content: bytes) -> bytes:
        return b"".join(self.envelope.sealed(number, io.BytesIO(content)))

    def opened(self, number: int, sealed: bytes, **changed: Any) -> bytes:
        found = OpenedEnvelope(self.manifest | changed, "2026", self.private)
        return b"".join(found.plain(number, io.BytesIO(sealed)))

    def by_script(self, script: Any, number: int, sealed: bytes) -> bytes:
        mine = {"suite": self.suite.name, "keyId": "2026", "private": self.private.hex()}
        key = script.content_key(self.manifest, mine)
        return b"".join(script.opened(self.manifest, key, number, io.BytesIO(sealed)))


@pytest.fixture(params=["international", "national"])
def sealing(request: pytest.FixtureRequest) -> Sealing:
    return Sealing(request.param)


@pytest.fixture
def script() -> Iterator[Any]:
    """The documented script, which knows nothing of this code."""
    sys.path.insert(0, str(DOCS))
    try:
        import open_sealed

        yield open_sealed
    finally:
        sys.path.remove(str(DOCS))


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_opens_here_and_by_the_script(
    sealing: Sealing,
    script: Any,
    size: int,
) -> None:
    content = bytes(n % 251 for n in range(size))
    sealed = sealing.part(1, content)
    chunks = max(1, -(-size // CHUNK_BYTES))
    assert len(sealed) == size + chunks * TAG_BYTES
    assert sealing.opened(1, sealed) == content
    assert sealing.by_script(script, 1, sealed) == content


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_any_content_of_any_part(content: bytes, part: int) -> None:
    sealing = Sealing("international")
    assert sealing.opened(part, sealing.part(part, content)) == content


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit": lambda sealed: bytes([sealed[0] ^ 1]) + sealed[1:],
    "a bit of the tag": lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]),
    "the last byte": lambda sealed: sealed[:-1],
    "the last chunk": lambda sealed: sealed[: 2 * SEALED_CHUNK],
    "all but the first chunk": lambda sealed: sealed[:SEALED_CHUNK],
    "the first chunk": lambda sealed: sealed[SEALED_CHUNK:],
    "everything": lambda _: b"",
    "two chunks swapped": lambda sealed: (
        sealed[SEALED_CHUNK : 2 * SEALED_CHUNK] + sealed[:SEALED_CHUNK] + sealed[2 * SEALED_CHUNK :]
    ),
    "a chunk repeated": lambda sealed: sealed[:SEALED_CHUNK] + sealed,
    "more at the end": lambda sealed: sealed + b"\x00" * 20,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_damaged_does_not_open(
    sealing: Sealing,
    script: Any,
    damage: str,
) -> None:
    sealed = sealing.part(1, bytes(2 * CHUNK_BYTES + 100))
    damaged = DAMAGES[damage](sealed)
    with pytest.raises(PolicyError, match="does not open"):
        sealing.opened(1, damaged)
    with pytest.raises(script.Refused, match="altered, cut off"):
        sealing.by_script(script, 1, damaged)


def test_no_part_passes_for_another(sealing: Sealing) -> None:
    rows, deletes = sealing.part(1, b"rows"), sealing.part(2, b"keys")
    for part, sealed in ((2, rows), (1, deletes)):
        with pytest.raises(PolicyError, match="does not open"):
            sealing.opened(part, sealed)


@pytest.mark.parametrize("name", BOUND)
def test_every_term_of_the_manifest_is_bound(sealing: Sealing, name: str) -> None:
    sealed = sealing.part(1, b"rows")
    with pytest.raises(PolicyError, match="does not open"):
        sealing.opened(1, sealed, **{name: "other"})
    without = {k: v for k, v in sealing.manifest.items() if k != name}
    with pytest.raises(PolicyError, match="does not open"):
        b"".join(OpenedEnvelope(without, "2026", sealing.private).plain(1, io.BytesIO(sealed)))


def test_an_older_delivery_under_a_newer_manifest(sealing: Sealing) -> None:
    """Each delivery has a key of its own: neither file nor envelope fits another manifest."""
    newer = Sealing(sealing.suite.name, deliveryId="f13-00000008-cd34")
    newer.private = sealing.private
    sealed = sealing.part(1, b"rows of old")
    with pytest.raises(PolicyError, match="does not open"):
        newer.opened(1, sealed)
    with pytest.raises(PolicyError, match="does not open"):
        sealing.opened(1, sealed, deliveryId="f13-00000008-cd34")


def test_another_key(sealing: Sealing, script: Any) -> None:
    sealed = sealing.part(1, b"rows")
    stranger, _ = sealing.suite.receiver_pair()
    with pytest.raises(PolicyError, match="does not open"):
        OpenedEnvelope(sealing.manifest, "2026", stranger)
    with pytest.raises(PolicyError, match="sealed for key '2026', not for '2025'"):
        OpenedEnvelope(sealing.manifest, "2025", sealing.private)
    sealing.private = stranger
    with pytest.raises(script.Refused, match="key of this delivery does not open"):
        sealing.by_script(script, 1, sealed)


@pytest.mark.parametrize(
    "note",
    [
        None,
        {"format": 2, "keyId": "2026"},
        {"format": 1, "keyId": "2026", "suite": "rot13", "wrapped": "00"},
        {"format": 1, "keyId": "2026", "suite": "international", "wrapped": "zz"},
        {"format": 1, "keyId": "2026", "suite": "international", "wrapped": "00"},
        {"format": 1, "keyId": "2026", "suite": "national", "wrapped": "04" * 120},
    ],
)
def test_a_note_that_says_nothing(note: object) -> None:
    with pytest.raises(PolicyError):
        OpenedEnvelope({**TERMS, "sealing": note}, "2026", bytes(31) + b"\x07")


def test_two_deliveries_have_nothing_in_common(sealing: Sealing) -> None:
    other = Envelope(
        sealing.suite,
        ReceiverKey("2026", sealing.suite.name, sealing.suite.receiver_pair()[1]),
        sealing.terms,
    )
    content = bytes(1000)
    assert sealing.part(1, content) != b"".join(other.sealed(1, io.BytesIO(content)))
    assert sealing.part(1, content) != sealing.part(2, content)
    assert json.dumps(sealing.envelope.note)  # it stands in the manifest


class Counting(io.RawIOBase):
    """Endless content that counts what is read of it."""

    given = 0

    def read(self, size: int = -1) -> bytes:
        self.given += size
        return bytes(size)


def test_memory_is_bounded(sealing: Sealing) -> None:
    plain: Any = Counting()
    chunks = sealing.envelope.sealed(1, plain)
    for number in range(1, 50):
        next(chunks)
        assert plain.given == (number + 1) * CHUNK_BYTES


@pytest.mark.parametrize("name", ["international", "national"])
@pytest.mark.parametrize("public", [b"", b"\x04" + bytes(64), bytes(32), b"\x02" * 65])
def test_what_is_no_public_key(name: str, public: bytes) -> None:
    with pytest.raises(PolicyError, match="nothing leaves"):
        suite(name).wrap(public, bytes(suite(name).content_bytes))


def test_the_script_s_hpke_gives_the_published_answer(script: Any) -> None:
    """RFC 9180, A.1.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, sequence 0."""
    known = bytes.fromhex
    found = script.hpke_opened(
        known("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"),
        known(
            "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
            "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9"
            "6d8770ac83d07bea87e13c512a"
        ),
        known("4f6465206f6e2061204772656369616e2055726e"),
        b"\x00\x01",
        16,
        known("436f756e742d30"),
    )
    assert found == b"Beauty is truth, truth beauty"


def test_sm2_encryption_gives_the_published_answer() -> None:
    """GM/T 0003.5, appendix C; the module proves itself by it, here the way back."""
    private = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
    wrapped = bytes.fromhex(
        "04"
        "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
        "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
        "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
        "21886ca989ca9c7d58087307ca93092d651efa"
    )
    secret = private.to_bytes(32, "big")
    assert sm2_encryption.unwrap(secret, wrapped) == b"encryption standard"
    for place in (1, 70, len(wrapped) - 1):
        damaged = wrapped[:place] + bytes([wrapped[place] ^ 1]) + wrapped[place + 1 :]
        with pytest.raises(PolicyError, match="does not open"):
            sm2_encryption.unwrap(secret, damaged)
    for number in (0, sm2.N - 1, sm2.N):
        with pytest.raises(PolicyError, match="does not open"):
            sm2_encryption.unwrap(number.to_bytes(32, "big"), wrapped)


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "deletes cut off"])
def test_the_script_opens_rows_and_deletes_or_neither(
    sealing: Sealing, script: Any, tmp_path: Path, cut: bool
) -> None:
    """A hub that signs what it has cut off itself is found out by the chunks."""
    rows, deletes = tmp_path / "d.csv.sealed", tmp_path / "d.deletes.csv.sealed"
    rows.write_bytes(sealing.part(1, b"code\r\na\r\n"))
    sealed = sealing.part(2, bytes(CHUNK_BYTES) + b"b")
    deletes.write_bytes(sealed[:SEALED_CHUNK] if cut else sealed)
    keys.create(tmp_path / "keys.json", [], "2026")
    signer = Signer(sealing.suite.name, KeyStore(tmp_path / "keys.json"))

    def told(file: Path) -> dict[str, str]:
        return {"file": file.name, "sha256": sha256(file.read_bytes()).hexdigest()}

    made = {**sealing.manifest, **told(rows), "deletes": {"rows": 1, **told(deletes)}}
    note, public, mine = (tmp_path / f"{n}.json" for n in ("note", "public", "mine"))
    note.write_text(json.dumps(signed_manifest(made, signer), ensure_ascii=False), "utf-8")
    public.write_text(json.dumps(signer.public_keys()))
    key = {"suite": sealing.suite.name, "keyId": "2026", "private": sealing.private.hex()}
    mine.write_text(json.dumps(key))
    code = script.main(note, public, "x", tmp_path / "taken", mine, rows, deletes)
    opened = sorted(f.name for f in tmp_path.iterdir() if f.name.startswith("d."))
    if cut:
        assert (code, opened) == (1, [rows.name, deletes.name])
        assert not (tmp_path / "taken").exists()
        return
    assert code == 0
    assert (tmp_path / "d.csv").read_bytes() == b"code\r\na\r\n"
    assert (tmp_path / "d.deletes.csv").read_bytes()[-1:] == b"b"
    assert script.main(note, public, "x", tmp_path / "taken", mine, rows, deletes) == 2
