"""Consumers' public keys: made, accepted, rotated, and refused."""

from __future__ import annotations

import json
import stat
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onecard.cli.app import app
from onecard.crypto import key_document, keys, receiver_keys
from onecard.crypto.keys import KeyStore
from onecard.crypto.receiver_keys import PublicKeyFile
from onecard.crypto.suites import suite
from onecard.errors import PolicyError, UsageError

DAY = date(2026, 11, 24)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "keys.json"
    keys.create(made, ["bank"], "2026", DAY)
    return made


def pair(folder: Path, epoch: str, name: str = "international") -> PublicKeyFile:
    return receiver_keys.make_pair(
        "bank",
        epoch,
        "national" if name == "national" else "international",
        folder / f"{epoch}-{name}.json",
    )


@pytest.mark.parametrize("name", ["international", "national"])
def test_a_pair_and_its_acceptance(file: Path, tmp_path: Path, name: str) -> None:
    store = KeyStore(file)
    assert store.receiver("bank") is None
    made = pair(tmp_path, "2026", name)
    private = tmp_path / f"2026-{name}.json"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    receiver_keys.accept(file, made, DAY)
    found = store.receiver("bank")
    assert found is not None
    assert (found.epoch, found.suite, found.public.hex()) == ("2026", name, made.public)
    mine = receiver_keys.read_private(private)
    secret = bytes.fromhex(mine.private.get_secret_value())
    proven = suite(name)
    content = bytes(range(proven.content_bytes))
    assert proven.unwrap(secret, proven.wrap(found.public, content)) == content
    assert mine.private.get_secret_value() not in repr(mine)
    assert mine.private.get_secret_value() not in file.read_text()


def test_after_a_rotation_the_old_key_is_not_used_and_not_accepted_again(
    file: Path, tmp_path: Path
) -> None:
    old, new = pair(tmp_path, "2026"), pair(tmp_path, "2027")
    receiver_keys.accept(file, old, DAY)
    receiver_keys.accept(file, new, DAY)
    store = KeyStore(file)
    found = store.receiver("bank")
    assert found is not None
    assert (found.epoch, found.public.hex()) == ("2027", new.public)
    listed = [k for k in store.listed() if k.purpose == "sealing/bank"]
    assert [(k.epoch, k.current, k.delivers(DAY)) for k in listed] == [
        ("2027", True, True),
        ("2026", False, False),
    ]
    with pytest.raises(PolicyError, match="has a key '2026' already"):
        receiver_keys.accept(file, old, DAY + timedelta(days=1))
    again = old.model_copy(update={"epoch": "2028"})
    with pytest.raises(PolicyError, match="was used before"):
        receiver_keys.accept(file, again, DAY)
    other = old.model_copy(update={"consumer": "transport"})
    with pytest.raises(PolicyError, match="was used before"):
        receiver_keys.accept(file, other, DAY)
    assert store.receiver("transport") is None


def test_other_changes_of_the_file_keep_the_receivers(file: Path, tmp_path: Path) -> None:
    made = pair(tmp_path, "2026")
    receiver_keys.accept(file, made, DAY)
    keys.add(file, "handback/transport", "2026", DAY)
    keys.rotate(file, "token/bank", "2027", timedelta(days=1), DAY)
    found = KeyStore(file).receiver("bank")
    assert found is not None
    assert found.public.hex() == made.public


def test_what_is_no_key_of_its_suite_is_not_accepted(file: Path, tmp_path: Path) -> None:
    made = pair(tmp_path, "2026")
    wrong = made.model_copy(update={"suite": "national"})
    with pytest.raises(PolicyError, match="none of this suite"):
        receiver_keys.accept(file, wrong, DAY)
    with pytest.raises(PolicyError, match="epoch is 1 to 32"):
        receiver_keys.accept(file, made.model_copy(update={"epoch": "../x"}), DAY)
    assert KeyStore(file).receiver("bank") is None


def test_a_private_key_is_never_overwritten_nor_taken_for_a_public_one(tmp_path: Path) -> None:
    made = pair(tmp_path, "2026")
    private = tmp_path / "2026-international.json"
    before = private.read_text()
    with pytest.raises(PolicyError, match="never overwritten"):
        pair(tmp_path, "2026")
    assert private.read_text() == before
    with pytest.raises(UsageError, match="holds a private key") as caught:
        receiver_keys.read_public(private)
    assert json.loads(before)["private"] not in str(caught.value)
    public = tmp_path / "public.json"
    public.write_text(made.model_dump_json(by_alias=True))
    assert receiver_keys.read_public(public) == made
    with pytest.raises(UsageError, match="no private key"):
        receiver_keys.read_private(public)
    for text in ("{", "[]", '{"consumer": "bank"}', '{"public": "xyz"}'):
        public.write_text(text)
        with pytest.raises(UsageError, match=r"public\.json"):
            receiver_keys.read_public(public)
    with pytest.raises(UsageError, match="cannot be read"):
        receiver_keys.read_public(tmp_path / "none.json")


def test_documents_of_before_are_read_and_written_as_they_were(file: Path) -> None:
    content = json.loads(file.read_text())
    assert "receivers" not in content
    assert key_document.read(file).receivers == {}


def test_the_commands(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ONECARD_KEYS_FILE", str(file))
    run = CliRunner()
    private, public = tmp_path / "mine.json", tmp_path / "ours.json"
    told = ["keys", "pair", "bank", "--epoch", "2027", "--private", str(private)]
    made = run.invoke(app, [*told, "--public", str(public)])
    assert made.exit_code == 0, made.output
    accepted = run.invoke(app, ["keys", "accept", str(public)])
    assert accepted.exit_code == 0, accepted.output
    print_of = [
        line.partition(": ")[2] for line in (*made.output.splitlines(),) if "finger" in line
    ]
    assert print_of[0] in accepted.output
    assert json.loads(private.read_text())["private"] not in made.output + accepted.output
    assert "sealing/bank" in run.invoke(app, ["keys", "list"]).output
    again = run.invoke(app, ["keys", "accept", str(public)])
    assert again.exit_code != 0
    assert "already" in again.output
    stranger = json.loads(public.read_text()) | {"consumer": "nobody"}
    public.write_text(json.dumps(stranger))
    refused = run.invoke(app, ["keys", "accept", str(public)])
    assert refused.exit_code == 2
    assert "unknown consumer" in refused.output
    public.write_text(json.dumps(stranger | {"consumer": "bank", "suite": "national"}))
    refused = run.invoke(app, ["keys", "accept", str(public)])
    assert refused.exit_code == 2
    assert "suite" in refused.output


def test_the_public_half_replaces_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Least of all the private one, which nobody has a second time."""
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path / "home"))
    run, other = CliRunner(), tmp_path / "older.json"
    pair(tmp_path, "older")
    (kept,) = (f for f in tmp_path.iterdir() if f.is_file())
    content, fresh = kept.read_bytes(), tmp_path / "fresh.json"
    for private, public in ((fresh, fresh), (fresh, tmp_path / "." / fresh.name), (other, kept)):
        told = ["--epoch", "2027", "--private", str(private), "--public", str(public)]
        refused = run.invoke(app, ["keys", "pair", "bank", *told])
        assert refused.exit_code == 2, refused.output
        assert not private.exists()
    assert kept.read_bytes() == content
