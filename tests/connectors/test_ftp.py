"""FTP and FTPS: lists of every form, files that grow or come short, drafts, clear text by name only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.files import ftp_lists
from connectors.files.connector import FilesConnector
from connectors.files.folders import opened
from connectors.files.read import FilesReading
from onecard.base.connections import Connection
from onecard.errors import (
    ConfigError,
    OnecardError,
    ProtocolError,
    SourceUnavailable,
    StorageError,
)
from onecard.ports.source import Column, ReadRequest, Refusal
from tests.connectors.systems import conn
from tests.ftp_server import Manners, ftp_server

CSV = "k,v\n1,吴娜\n"


@contextmanager
def serving(root: Path, manners: Manners | None = None, **more: Any) -> Iterator[Connection]:
    (root / "out").mkdir(exist_ok=True)
    with ftp_server(root, manners) as port:
        extra = {"clear_text": True, **more.pop("extra", {})}
        given = {"conn_type": "ftp", "login": "hub", "password": "secret", **more}
        yield conn(host="127.0.0.1", port=port, extra=extra, **given)


def start(connection: Connection, **more: Any) -> FilesReading:
    given = {"directory": "out", "pattern": "*.csv", "format": {"kind": "csv"}, **more}
    options = FilesConnector.source_options.model_validate(given)
    return FilesReading(
        connection, ReadRequest("a/b", (Column("k", "k"), Column("v", "v")), options)
    )


@pytest.mark.parametrize("listing", ["facts", "unix", "windows"])
def test_lists_of_every_form(tmp_path: Path, listing: str) -> None:
    with serving(tmp_path, Manners(listing=listing)) as connection:
        (tmp_path / "out" / "名册 1.csv").write_text(CSV)
        (tmp_path / "out" / "folder.csv").mkdir()
        reading = start(connection)
        rows = [r for c in reading for r in c.batch.to_pylist()]
        assert rows == [{"k": "1", "v": "吴娜"}]
        assert list(reading.checkpoint["files"]) == ["名册 1.csv"]  # type: ignore[call-overload]


def test_a_list_that_nobody_knows_is_no_empty_folder(tmp_path: Path) -> None:
    with serving(tmp_path, Manners(listing="odd")) as connection:
        (tmp_path / "out" / "1.csv").write_text(CSV)
        with pytest.raises(ProtocolError, match="form that is not known"):
            list(start(connection))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("-rw-r--r-- 1 a b 12 Jan  5  2026 a.csv", ("a.csv", 12)),
        ("-rw-r--r--+ 1 a b 12 Jan 15 23:59 a  b.csv", ("a  b.csv", 12)),
        ("-rwxr-xr-x 1 0 0 0 2026-01-05 08:00 x", ("x", 0)),
        ("01-05-2026  08:00 7 y.csv", ("y.csv", 7)),
        ("lrwxrwxrwx 1 a b 9 Jan  5 08:00 l -> /etc/passwd", None),
        ("drwxr-xr-x 2 a b 9 Jan  5 08:00 d", None),
        ("-rw-r--r-- 1 a b 12 Jan  5  2026 ../x.csv", None),
    ],
)
def test_lines_of_lists(line: str, found: tuple[str, int] | None) -> None:
    listed = [(f.name, f.size) for f in ftp_lists.of_lines(["total 4", "", line], "c")]
    assert listed == ([found] if found else [])


@pytest.mark.parametrize("sizes", [True, False])
def test_a_file_that_grows_or_comes_short_waits(tmp_path: Path, sizes: bool) -> None:
    for manners in (Manners(grows=b"2,b\n", sizes=sizes), Manners(cut=5, sizes=sizes)):
        with serving(tmp_path, manners) as connection:
            (tmp_path / "out" / "1.csv").write_text(CSV)
            reading = start(connection)
            assert (list(reading), reading.waiting) == ([], ("1.csv",))
            assert reading.checkpoint["files"] == {}
            manners.grows, manners.cut = b"", None
            assert sum(c.batch.num_rows for c in start(connection)) >= 1


def test_an_inbox_that_comes_short_is_no_delivery_that_was_taken(tmp_path: Path) -> None:
    with serving(tmp_path, Manners(cut=5)) as connection, opened(connection) as folder:
        (tmp_path / "out" / "1.csv").write_text(CSV)
        words = "5 bytes came, the server has"
        with pytest.raises(SourceUnavailable, match=words), folder.local("out/1.csv"):
            pass


def test_nothing_is_resumed(tmp_path: Path) -> None:
    manners = Manners()
    with serving(tmp_path, manners) as connection:
        (tmp_path / "out" / "1.csv").write_text(CSV)
        list(start(connection))
    assert "REST" not in manners.seen


@pytest.mark.fault("F33", "a file of more bytes than are taken is given up while it comes")
def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with serving(tmp_path) as connection:
        (tmp_path / "out" / "1.csv").write_text("k,v\n" + "1,a\n" * 500_000)
        (tmp_path / "out" / "2.csv").write_text(CSV)
        with opened(connection) as folder:
            from connectors.files.folder import TooLarge

            with pytest.raises(TooLarge), folder.local("out/1.csv", 1000):
                pass
            with folder.local("out/2.csv") as copy:
                assert copy.read_text() == CSV, "the session goes on"
        reading = start(connection, max_bytes=1000)
        assert [c.origin for c in reading] == ["2.csv"]
        assert reading.refused == (Refusal("1.csv", "file.size"),)


def test_marks_over_ftp(tmp_path: Path) -> None:
    with serving(tmp_path) as connection:
        (tmp_path / "out" / "1.csv").write_text(CSV)
        note = {"suffix": ".ok", "content": "none"}
        reading = start(connection, manifest=note)
        assert (list(reading), reading.waiting) == ([], ("1.csv",))
        (tmp_path / "out" / "1.csv.ok").touch()
        assert len(list(start(connection, manifest=note))) == 1


def test_clear_text_must_be_allowed_by_name(tmp_path: Path) -> None:
    clear, words = {"clear_text": False}, "clear text: use ftps or sftp"
    with serving(tmp_path, extra=clear) as connection, pytest.raises(ConfigError, match=words):
        list(start(connection))


def test_what_is_said_where_it_fails(tmp_path: Path) -> None:
    with serving(tmp_path, password="hunter2") as connection:
        with pytest.raises(ConfigError, match="login refused") as refused:
            list(start(connection))
        assert "hunter2" not in str(refused.value)
    away, words = {"path": "nowhere"}, "is not there"
    with serving(tmp_path, extra=away) as connection, pytest.raises(ConfigError, match=words):
        list(start(connection))
    with serving(tmp_path) as connection:
        with pytest.raises(ConfigError, match="is not there"):
            list(start(connection, directory="none"))
        with pytest.raises(ConfigError, match=r"valid choices|known"):
            list(
                start(
                    connection.model_copy(update={"extra": {"clear_text": True, "encoding": "x"}})
                )
            )
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        list(start(connection))


def test_names_in_gbk(tmp_path: Path) -> None:
    manners = Manners(encoding="gb18030")
    with serving(tmp_path, manners, extra={"encoding": "gb18030"}) as connection:
        (tmp_path / "out" / "名册.csv").write_text(CSV)
        assert [c.origin for c in start(connection)] == ["名册.csv"]
        utf = connection.model_copy(update={"extra": {"clear_text": True}})
        with pytest.raises(OnecardError, match="encoding"):
            list(start(utf))


@pytest.mark.parametrize("overwrites", [True, False])
def test_writing(tmp_path: Path, overwrites: bool) -> None:
    manners = Manners(overwrites=overwrites)
    with serving(tmp_path, manners) as connection, opened(connection) as folder:
        source = tmp_path / "source"
        for content in ("one", "two"):
            source.write_text(content)
            folder.ready("in/a", 10)
            folder.write("in/a/f.csv", source, lambda: None)
            assert (tmp_path / "in" / "a" / "f.csv").read_text() == content

        def stop() -> None:
            msg = "stopped"
            raise StorageError(msg)

        source.write_text("three")
        with pytest.raises(StorageError, match="stopped"):
            folder.write("in/a/f.csv", source, stop)
        (tmp_path / "in" / "a" / ".f.csv.0.part").touch()
        folder.sweep("in/a")
        folder.sweep("in/none")
        assert [f.name for f in (tmp_path / "in" / "a").iterdir()] == ["f.csv"]
        assert (tmp_path / "in" / "a" / "f.csv").read_text() == "two"
        manners.full = True
        with pytest.raises(StorageError, match="no room"):
            folder.ready("in/a", 10)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    own, secret = folder / "cert.pem", folder / "key.pem"
    own.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return own, secret


def test_ftps(tmp_path: Path) -> None:
    own, secret = certificate(tmp_path)
    manners = Manners(tls=(own, secret))
    extra = {"clear_text": False, "ca_file": str(own)}
    with serving(tmp_path, manners, conn_type="ftps", extra=extra) as connection:
        (tmp_path / "out" / "1.csv").write_text(CSV)
        assert [c.origin for c in start(connection)] == ["1.csv"]
        assert manners.seen.index("AUTH") < manners.seen.index("USER"), "no login in clear text"
        assert "PROT" in manners.seen
        with opened(connection) as folder:
            source = tmp_path / "source"
            source.write_text("one")
            folder.write("in/f.csv", source, lambda: None)
        assert (tmp_path / "in" / "f.csv").read_text() == "one"
        untrusted = connection.model_copy(update={"extra": {}})
        with pytest.raises(ConfigError, match="certificate is not trusted"):
            list(start(untrusted))
    with (
        serving(tmp_path, conn_type="ftps", extra=extra) as connection,
        pytest.raises(OnecardError),
    ):
        list(start(connection))


@pytest.mark.fault("F02", "a full disk of the hub's own machine is not told as the server's")
def test_no_room_for_the_private_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path) as connection:
        (tmp_path / "out" / "1.csv").write_bytes(b"k,v\n" + b"1,a\n" * 100_000)
        monkeypatch.setattr("tempfile.TemporaryFile", partial(Path("/dev/full").open, "r+b", 0))
        with pytest.raises(StorageError, match="the private copy of a file cannot be written"):
            list(start(connection))
