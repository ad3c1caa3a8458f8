"""Keys: three sources, purposes apart, rotation, and that no secret is ever shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import traceback
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onecard.base.settings import Settings
from onecard.cli.app import app
from onecard.crypto import key_document, keys
from onecard.crypto.keys import Key, KeyStore
from onecard.crypto.suites import suite
from onecard.errors import ConfigError, PolicyError, SourceUnavailable, UsageError

DAY = date(2026, 11, 24)
HEX = "ab" * 32


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "state" / "keys.json"
    keys.create(made, ["bank", "operator"], "2026", DAY)
    return made


def document(secret: object = HEX, **more: object) -> str:
    epoch = {"secret": secret, "created": "2026-01-02"}
    return json.dumps(
        {"format": 2, "purposes": {"signing": {"current": "1", "epochs": {"1": epoch}}}} | more
    )


def shown(error: BaseException) -> str:
    """Everything that anything may print of an error, chained ones included."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None:
        chain.append(link)
        link = link.__cause__ or link.__context__
    texts = [f"{e!r} {e} {vars(e)} {getattr(e, 'doc', '')}" for e in chain]
    return " ".join([*texts, *traceback.format_exception(error)])


def secrets_in(file: Path) -> list[str]:
    return re.findall(r'"secret": "([0-9a-f]{64})"', file.read_text())


# --- sources


def test_a_new_file_has_every_purpose_and_is_private(file: Path) -> None:
    store = KeyStore(file)
    listed = [(k.purpose, k.epoch, k.created, k.until, k.current) for k in store.listed()]
    purposes = ("quarantine", "signing", "token/bank", "token/operator")
    assert listed == [(p, "2026", DAY, None, True) for p in purposes]
    assert file.stat().st_mode & 0o777 == 0o600
    found = [store.quarantine(), store.signing(), store.token("bank"), store.token("operator")]
    assert len({k.secret for k in found}) == 4
    assert {len(k.secret) for k in found} == {32}
    assert store.quarantine_of("2026") == store.quarantine()
    assert store.signing_of("2026") == store.signing()


def test_the_environment_goes_before_the_file(file: Path) -> None:
    text = file.read_text()
    given = keys.configured(file.with_name("none.json"), {"ONECARD_KEYS": text})
    assert given.token("bank") == KeyStore(file).token("bank")
    assert keys.configured(file, {"ONECARD_KEYS": ""}).signing() == KeyStore(file).signing()
    with pytest.raises(PolicyError, match="no key signing in the key source: nothing leaves"):
        keys.configured(file, {"ONECARD_KEYS": '{"format": 2, "purposes": {}}'}).signing()


def test_a_callable_is_asked_each_time(file: Path) -> None:
    store = KeyStore(file.read_text)
    before = store.token("bank")
    keys.rotate(file, "token/bank", "2027", timedelta(days=30), DAY)
    assert store.token("bank") != before


def test_a_foreign_error_of_a_callable_is_not_quoted() -> None:
    def failing() -> str:
        raise KeyError(HEX)

    with pytest.raises(PolicyError, match=r"fails with KeyError: nothing leaves$") as caught:
        KeyStore(failing).signing()
    assert HEX not in repr(caught.value) + str(caught.value)
    assert caught.value.__context__ is None


def test_our_own_error_of_a_callable_passes() -> None:
    def failing() -> str:
        raise SourceUnavailable

    with pytest.raises(SourceUnavailable):
        KeyStore(failing).signing()


# --- refusals


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        f'"{HEX}',
        "[" * 100_000,
        f'["{HEX}"]',
        '{"format": 2}',
        json.dumps({"format": 3, "purposes": {HEX: HEX}}),
        document(more=HEX),
        document(secret=[HEX]),
        document(secret=HEX[:-2]),
        document(secret=HEX + "ab"),
        document(secret="zz" * 32),
        document(secret=""),
        json.dumps({"epoch": "2026", "token": {}, "quarantine": {"2026": HEX}}),
    ],
)
def test_what_is_no_key_document_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(PolicyError, match=r"nothing leaves$") as caught:
        KeyStore(lambda: text).signing()
    assert "abababab" not in shown(caught.value)
    assert "zzzz" not in shown(caught.value)


def test_format_1_says_what_to_do(tmp_path: Path) -> None:
    old = tmp_path / "keys.json"
    old.write_text(json.dumps({"epoch": "2026", "token": {"bank": {"2026": HEX}}}))
    old.chmod(0o600)
    with pytest.raises(PolicyError, match=r"format 1.*`onecard keys init`: nothing leaves"):
        KeyStore(old).token("bank")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_reach_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(PolicyError, match=r"chmod 600 it: nothing leaves$"):
        KeyStore(file).quarantine()
    with pytest.raises(PolicyError, match="chmod 600"):
        keys.rotate(file, "signing", "2027", timedelta(0), DAY)


@pytest.mark.fault("F35", "a missing key is refused by name")
def test_missing_files_keys_and_epochs_are_refused(file: Path) -> None:
    store = KeyStore(file)
    for wrong, call in {
        "no key token/police in": lambda: store.token("police"),
        "no key token/police": lambda: store.token_epochs("police"),
        "no key quarantine of epoch '1999'": lambda: store.quarantine_of("1999"),
        "no key quarantine of epoch ''": lambda: store.quarantine_of(""),
        "no key signing of epoch '1999'": lambda: store.signing_of("1999"),
        "onecard keys init": lambda: KeyStore(file.with_name("none")).signing(),
        "Is a directory": lambda: KeyStore(file.parent).signing(),
    }.items():
        if wrong == "Is a directory":
            file.parent.chmod(0o700)
        with pytest.raises(PolicyError, match=wrong + ".*nothing leaves$"):
            call()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match=r"UTF-8.*nothing leaves$"):
        store.signing()


def test_keys_are_never_overwritten(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(PolicyError, match="never overwritten"):
        keys.create(file, ["bank"], "2027", DAY)
    with pytest.raises(PolicyError, match="never overwritten"):
        keys.rotate(file, "token/bank", "2026", timedelta(days=1), DAY)
    assert file.read_bytes() == before


@pytest.mark.parametrize("epoch", ["", "a/b", "x" * 33, "2027\n", HEX])
def test_an_epoch_has_a_plain_name(file: Path, epoch: str) -> None:
    with pytest.raises(PolicyError, match="an epoch is") as caught:
        keys.rotate(file, "signing", epoch, timedelta(0), DAY)
    assert HEX not in str(caught.value)
    with pytest.raises(PolicyError, match="an epoch is"):
        keys.create(file.with_name("other.json"), [], epoch)


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(PolicyError, match="cannot be written"):
        keys.create(tmp_path / "plain" / "keys.json", [], "2026", DAY)


# --- rotation


def test_the_old_epoch_delivers_for_its_window_and_is_known_for_ever(file: Path) -> None:
    store = KeyStore(file)
    first = store.token("bank")
    keys.rotate(file, "token/bank", "2027", timedelta(days=30), DAY)
    second = store.token("bank")
    assert (first.epoch, second.epoch) == ("2026", "2027")
    assert first.secret != second.secret
    assert store.token_epochs("bank") == (second, first)
    last = DAY + timedelta(days=30)
    assert store.token_epochs("bank", on=last) == (second, first)
    assert store.token_epochs("bank", on=last + timedelta(days=1)) == (second,)
    later = DAY + timedelta(days=365)
    keys.rotate(file, "token/bank", "2028", timedelta(days=5), later)
    third = store.token("bank")
    assert store.token_epochs("bank") == (third, second, first)
    assert store.token_epochs("bank", on=later) == (third, second)
    assert [(k.epoch, k.until) for k in store.listed() if k.purpose == "token/bank"] == [
        ("2028", None),
        ("2027", later + timedelta(days=5)),
        ("2026", last),
    ]


def test_a_purpose_turns_alone(file: Path) -> None:
    store = KeyStore(file)
    before = store.token("operator"), store.signing(), store.quarantine()
    keys.rotate(file, "quarantine", "2027", timedelta(0), DAY)
    assert (store.token("operator"), store.signing()) == before[:2]
    assert store.quarantine().epoch == "2027"
    assert store.quarantine_of("2026") == before[2]
    keys.rotate(file, "signing", "2027", timedelta(0), DAY)
    assert store.signing_of("2026") == before[1]
    assert file.stat().st_mode & 0o777 == 0o600
    assert {p.name for p in file.parent.iterdir()} == {"keys.json", "keys.json.lock"}


def test_what_rotate_cannot_do_changes_nothing(file: Path) -> None:
    before = file.read_bytes()
    known = "known: quarantine, signing, token/bank, token/operator"
    with pytest.raises(UsageError, match=f"'token/police'; {known}"):
        keys.rotate(file, "token/police", "2027", timedelta(0), DAY)
    with pytest.raises(PolicyError, match="9999"):
        keys.rotate(file, "signing", "2027", timedelta(days=9_000_000), DAY)
    with pytest.raises(PolicyError, match="onecard keys init"):
        keys.rotate(file.with_name("none"), "signing", "2027", timedelta(0), DAY)
    assert file.read_bytes() == before


ROTATE_MANY = """
import sys
from datetime import date, timedelta
from pathlib import Path
from onecard.crypto import keys
print("ready", flush=True)
sys.stdin.readline()
for number in range(15):
    epoch = f"{sys.argv[2]}{number}"
    keys.rotate(Path(sys.argv[1]), "signing", epoch, timedelta(0), date(2026, 11, 24))
"""


def test_two_processes_lose_no_rotation(file: Path) -> None:
    command = [sys.executable, "-c", ROTATE_MANY, str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen([*command, who], **pipes) for who in ("a", "b")]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 2
    for worker in workers:
        worker.stdin.close()  # both start now
    while any(worker.poll() is None for worker in workers):
        KeyStore(file).signing()  # a reader never meets half a file
        time.sleep(0.005)
    for worker in workers:
        worker.stdout.close()
    assert [worker.returncode for worker in workers] == [0, 0]
    epochs = {k.epoch for k in KeyStore(file).listed() if k.purpose == "signing"}
    assert epochs == {"2026", *(f"{w}{n}" for w in "ab" for n in range(15))}


def test_a_link_to_the_file_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file)
    keys.rotate(link, "signing", "2027", timedelta(0), DAY)
    assert link.is_symlink()
    assert KeyStore(file).signing().epoch == "2027"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives a file to another user")
def test_root_leaves_the_file_to_its_owner(file: Path) -> None:
    os.chown(file, 12345, 12345)
    keys.rotate(file, "signing", "2027", timedelta(0), DAY)
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 12345)


# --- what the keys are for


@pytest.mark.fault("F36", "tokens differ between consumers and epochs")
@pytest.mark.parametrize("name", ["international", "national"])
def test_tokens_differ_between_consumers_and_epochs(file: Path, name: str) -> None:
    store = KeyStore(file)
    keys.rotate(file, "token/bank", "2027", timedelta(0), DAY)
    used: list[Key] = [*store.token_epochs("bank"), store.token("operator")]
    person = "410199194901010014"
    assert len({suite(name).digests(k.secret, [person])[0] for k in used}) == 3


def test_no_representation_shows_a_secret(file: Path) -> None:
    store, found = KeyStore(file), key_document.read(file)
    things = [store, store.token("bank"), store.listed(), found, found.purposes, found.model_dump()]
    text = " ".join(f"{thing!r} {thing}" for thing in things) + found.model_dump_json()
    hidden = secrets_in(file)
    assert len(hidden) == 4
    assert not [s for s in hidden if s in text or repr(bytes.fromhex(s)) in text]


# --- commands


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ONECARD_NOW", "2026-11-24T02:00:00+08:00")
    monkeypatch.delenv("ONECARD_KEYS", raising=False)
    monkeypatch.delenv("ONECARD_KEYS_FILE", raising=False)
    return lambda *arguments: CliRunner().invoke(app, ["keys", *arguments])


def test_init_rotate_and_list(run, tmp_path: Path) -> None:
    file = tmp_path / "home" / "keys.json"
    output = [run("init"), run("rotate", "signing", "--epoch", "2027", "--window", "P10D")]
    output += [run("list"), run("list", "--json")]
    assert [done.exit_code for done in output] == [0, 0, 0, 0]
    listed = json.loads(output[-1].stdout)["keys"]
    signing = [k for k in listed if k["purpose"] == "signing"]
    assert signing == [
        {"purpose": "signing", "epoch": "2027", "created": "2026-11-24", "until": None}
        | {"current": True, "delivers": True},
        {"purpose": "signing", "epoch": "2026", "created": "2026-11-24", "until": "2026-12-04"}
        | {"current": False, "delivers": True},
    ]
    assert "2026-12-04" in output[1].stdout
    assert "2026-12-04" in output[2].stdout
    text = "".join(done.output for done in output)
    assert not [s for s in secrets_in(file) if s in text]


def test_add_makes_a_key_to_seal_an_agencys_own_rows(run, tmp_path: Path) -> None:
    assert run("init").exit_code == 0
    done = run("add", "health", "--epoch", "2027", "--for", "handback")
    assert done.exit_code == 0, done.output
    store = KeyStore(tmp_path / "home" / "keys.json")
    assert store.handback("health").epoch == "2027"
    assert "has keys already" in run("add", "health", "--epoch", "2028").stderr
    assert (
        "known: caller, handback, token"
        in run("add", "health", "--epoch", "1", "--for", "x").stderr
    )


def test_token_keys_are_text_and_others_need_not_be(run, tmp_path: Path) -> None:
    assert run("init").exit_code == 0
    store = KeyStore(tmp_path / "home" / "keys.json")
    tokens = [i.purpose for i in store.listed() if i.purpose.startswith("token/")]
    assert len(tokens) > 5
    assert all(store.token(p.removeprefix("token/")).secret.isascii() for p in tokens)
    assert len({store.token(p.removeprefix("token/")).secret for p in tokens}) == len(tokens)


def test_commands_refuse_in_one_line(run, tmp_path: Path, monkeypatch) -> None:
    assert "onecard keys init" in run("list").stderr
    assert run("init").exit_code == 0
    assert "never overwritten" in run("init").stderr
    for window in ("30 days", "P" + "9" * 30 + "D"):
        done = run("rotate", "signing", "--epoch", "2027", "--window", window)
        assert (done.exit_code, "--window" in done.stderr) == (2, True)
    assert "did you mean token/" in run("rotate", "tokens", "--epoch", "2027").stderr
    monkeypatch.setenv("ONECARD_KEYS", document())
    assert "ONECARD_KEYS" in run("rotate", "signing", "--epoch", "2027").stderr
    assert "ONECARD_KEYS" in run("init").stderr
    assert [k["epoch"] for k in json.loads(run("list", "--json").stdout)["keys"]] == ["1"]


# --- settings


def test_suite_and_actor_are_settings(tmp_path: Path) -> None:
    plain = Settings.load({"ONECARD_HOME": str(tmp_path)})
    assert (plain.suite, bool(plain.actor)) == ("international", True)
    chosen = Settings.load({"ONECARD_SUITE": "national", "ONECARD_ACTOR": "li"})
    assert (chosen.suite, chosen.actor) == ("national", "li")
    with pytest.raises(ConfigError, match="ONECARD_SUITE: unknown suite 'gm'; known: inter"):
        Settings.load({"ONECARD_SUITE": "gm"})
