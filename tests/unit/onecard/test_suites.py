"""Both suites against published vectors, and what they refuse."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SM3

from onecard.crypto.suites import Suite, common, prove, sm2, suite
from onecard.errors import ConfigError, PolicyError

NAMES = ("international", "national")
SECRET = bytes(range(32))
SM3_ABC = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
HMAC_SM3 = "88a5a14b0fcf4a8a7b0c5084b8ee36e70efca4e8467fa264c3231bf16463b425"


@pytest.fixture(params=NAMES)
def any_suite(request: pytest.FixtureRequest) -> Suite:
    return suite(request.param)


def test_sm3_and_its_hmac() -> None:
    national = suite("national")
    assert national.hash(b"abc").hex() == SM3_ABC
    assert common.hmac(SM3(), b"key", b"data").hex() == HMAC_SM3


def test_the_domains_vectors_are_the_same(domain: Path) -> None:
    known = json.loads((domain / "oracle_vectors.json").read_text())
    assert known["sm3"]["abc"] == SM3_ABC
    assert known["hmac_sm3"]["key=key,data=data"] == HMAC_SM3
    found = {what: wanted.hex() for what, _, wanted in suite("national").vectors()}
    assert known["sm4_ecb_key=pt=0123456789abcdeffedcba9876543210"] == found["SM4"]


def test_every_published_vector_comes_out(any_suite: Suite) -> None:
    vectors = list(any_suite.vectors())
    assert len(vectors) == 4
    assert all(found == wanted for _, found, wanted in vectors)


def test_digests_are_hmacs_of_the_prefixed_values() -> None:
    values = ["410199194901010014", "", "张三"]
    expected = [hmac.digest(SECRET, f"v1|{v}".encode(), "sha256") for v in values]
    assert suite("international").digests(SECRET, values) == expected
    expected = [common.hmac(SM3(), SECRET, f"v1|{v}".encode()) for v in values]
    assert suite("national").digests(SECRET, iter(values)) == expected
    assert suite("national").digests(SECRET, []) == []


def test_file_digests_are_named() -> None:
    assert suite("international").hash(b"x") == hashlib.sha256(b"x").digest()
    assert [suite(n).file_digest_name for n in NAMES] == ["sha256", "sm3"]
    assert [suite(n).name for n in NAMES] == list(NAMES)


@pytest.mark.parametrize("data", [b"", b"x", "张三".encode() * 1000])
def test_what_is_sealed_opens_again(any_suite: Suite, data: bytes) -> None:
    sealed = any_suite.seal(SECRET, data, b"place")
    assert len(sealed) == len(data) + common.NONCE_BYTES + common.TAG_BYTES
    assert sealed != any_suite.seal(SECRET, data, b"place")
    assert any_suite.unseal(SECRET, sealed, b"place") == data


def test_another_key_place_or_content_does_not_open(any_suite: Suite) -> None:
    sealed = any_suite.seal(SECRET, b"410199194901010014", b"place")
    altered = bytes([sealed[0], sealed[1] ^ 1]) + sealed[2:]
    attempts = [
        (secrets.token_bytes(32), sealed, b"place"),
        (SECRET, sealed, b"elsewhere"),
        (SECRET, altered, b"place"),
        (SECRET, sealed[:-1], b"place"),
        (SECRET, sealed[:20], b"place"),
        (SECRET, b"", b"place"),
    ]
    for attempt in attempts:
        with pytest.raises(PolicyError, match="does not open") as caught:
            any_suite.unseal(*attempt)
        assert "4101" not in str(caught.value)
        assert SECRET.hex() not in str(caught.value)


def test_the_suites_do_not_open_each_others() -> None:
    sealed = suite("national").seal(SECRET, b"x", b"")
    with pytest.raises(PolicyError):
        suite("international").unseal(SECRET, sealed, b"")


def test_signatures_hold_for_one_message_and_one_key(any_suite: Suite) -> None:
    signature = any_suite.sign(SECRET, b"receipt 7")
    public = any_suite.public(SECRET)
    assert any_suite.verify(public, b"receipt 7", signature)
    assert not any_suite.verify(public, b"receipt 8", signature)
    assert not any_suite.verify(any_suite.public(bytes(31) + b"\x07"), b"receipt 7", signature)
    for wrong in (b"", signature[:-1], signature + b"\0", bytes(len(signature))):
        assert not any_suite.verify(public, b"receipt 7", wrong)
    for wrong in (b"", public[:-1], bytes(len(public)), public[:-1] + bytes([public[-1] ^ 1])):
        assert not any_suite.verify(wrong, b"receipt 7", signature)


def test_a_short_signing_key_is_refused(any_suite: Suite) -> None:
    for call in (any_suite.public, lambda s: any_suite.sign(s, b"x")):
        with pytest.raises(PolicyError, match=r"nothing leaves$"):
            call(b"short")


def test_sm2_reduces_every_secret_into_its_range() -> None:
    for secret in (bytes(32), b"\xff" * 32, (sm2.N - 1).to_bytes(32, "big")):
        public = sm2.public(secret)
        assert sm2.verify(public, b"x", sm2.sign(secret, b"x"))


def test_sm2_takes_public_keys_that_begin_with_04() -> None:
    """The library strips such digits; here they stay."""
    secret = next(s for s in _secrets() if sm2.public(s)[1] in (0x04, 0x40, 0x44, 0x00))
    assert sm2.verify(sm2.public(secret), b"x", sm2.sign(secret, b"x"))


def _secrets() -> Iterator[bytes]:
    return (number.to_bytes(32, "big") for number in range(1, 2000))


def test_sm2_refuses_numbers_out_of_range() -> None:
    public = sm2.public(SECRET)
    r, s = decode_dss_signature(sm2.sign(SECRET, b"x"))
    for pair in ((r + sm2.N, s), (r, s + sm2.N), (0, s), (r, 0), (r, sm2.N - r)):
        assert not sm2.verify(public, b"x", encode_dss_signature(*pair))


def test_two_sm2_signatures_never_share_a_nonce() -> None:
    found = {decode_dss_signature(sm2.sign(SECRET, b"x"))[0] for _ in range(5)}
    assert len(found) == 5


def test_openssl_takes_our_sm2_signature(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl 3 on the path")
    header = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
    (tmp_path / "key.der").write_bytes(header + sm2.public(SECRET))
    (tmp_path / "message").write_bytes(b"receipt 7")
    (tmp_path / "signature").write_bytes(sm2.sign(SECRET, b"receipt 7"))
    command = [openssl, "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pubin"]
    command += ["-keyform", "DER", "-inkey", "key.der", "-in", "message"]
    command += ["-sigfile", "signature", "-pkeyopt", "distid:1234567812345678"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verified Successfully" in done.stdout, done.stderr


def test_an_unknown_suite_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'martian'; known: international, national"):
        suite("martian")


def test_a_suite_that_fails_a_vector_is_not_used() -> None:
    with pytest.raises(PolicyError, match="self-test of SM3: nothing leaves"):
        prove("national", [("SM3", b"a", b"b"), ("SM4", b"c", b"c")])


def test_a_suite_that_cannot_run_here_is_not_used() -> None:
    def vectors() -> Iterator[common.Vector]:
        msg = "SM4"
        raise UnsupportedAlgorithm(msg)
        yield

    with pytest.raises(PolicyError, match=r"cannot run here \(UnsupportedAlgorithm\).*leaves"):
        prove("national", vectors())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "secret", [SECRET, bytes(range(200, 232)), b"\x7f" * 65], ids=["text", "octets", "long"]
)
def test_a_column_has_the_digests_of_its_values(name: str, secret: bytes) -> None:
    values = ["410199194912310022", "", "王小明", "𠮷", "410199194912310022", None]
    column = pl.Series("v", ["left out", *values]).slice(1)
    found = suite(name).digest_rows(secret, column)
    plain = suite(name).digests(secret, [v or "" for v in values])
    assert [bytes(row) for row in found] == plain
    assert suite(name).digest_rows(secret, column.head(0)).shape == (0, 32)


def test_a_failing_column_shows_neither_key_nor_value() -> None:
    secret = b"a key of seven-bit bytes, thirty"
    with pytest.raises(PolicyError) as raised:
        suite("international").digest_rows(secret, pl.Series("v", [["41019919491231"]]))
    assert "tokens cannot be computed" in str(raised.value)
    assert "seven" not in str(raised.value) + repr(raised.value.__context__)
    assert "4101" not in str(raised.value)
