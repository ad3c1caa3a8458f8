"""A folder of an FTP server, by ftplib: with TLS (`ftps`), or in clear text where that is allowed.

Nothing is resumed: a transfer that breaks off is done anew. What arrived is held against the size
that the server says afterwards, so that a file which grows is left for the next time.
"""

from __future__ import annotations

import ftplib
import io
import secrets
import socket
import ssl
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from connectors.files import ftp_lists
from connectors.files.folder import NOTE_LIMIT, Growing, ListedFile, TooLarge, private_file
from onecard.base import timeouts, unreachable
from onecard.base.connections import Connection
from onecard.base.shown import file_name
from onecard.errors import (
    ConfigError,
    OnecardError,
    ProtocolError,
    SourceUnavailable,
    StorageError,
    unknown,
    unwritten,
)

PORT = 21
"""TLS begins by command on the same port (RFC 4217)."""
PIECE = 1 << 16
"""Bytes that are received at once."""
_ENCODINGS = ("utf-8", "gb18030")
_UNKNOWN = ("500", "501", "502", "504")
"""Answers to a command that a server does not know (RFC 959)."""
_FULL = ("452", "552")
_REFUSED = "530"


@contextmanager
def connected(connection: Connection) -> Iterator[FtpFolder]:
    """The folder that a connection names.

    Args:
        connection: of type `ftp` or `ftps`.

    Raises:
        ConfigError: clear text is not allowed, the login or the certificate is refused.
        SourceUnavailable: the server cannot be reached.
    """
    client = _client(connection)
    where = f"connection {connection.id!r} ({connection.address})"
    try:
        with _protocol_errors(where, "the login"):
            _login(client, connection, where)
        yield FtpFolder(connection, client)
    finally:
        if client.sock is not None:
            with suppress(OSError, EOFError, ftplib.Error):
                client.quit()
        client.close()


class FtpFolder:
    """Implements `connectors.files.folder.Folder` over an FTP session."""

    def __init__(self, connection: Connection, client: ftplib.FTP) -> None:
        self._client = client
        self._where = f"connection {connection.id!r}"
        base = str(connection.extra.get("path") or ".")
        with self._protocol_errors(base):
            client.cwd(base)
            self._home = client.pwd().rstrip("/")

    def entries(self, directory: str) -> list[ListedFile]:
        """Plain files by name, by facts where the server knows them."""
        with self._protocol_errors(directory):
            self._client.cwd(self._path(directory))
            try:
                return ftp_lists.of_facts(list(self._client.mlsd()), self._where)
            except ftplib.error_perm as error:
                if not str(error).startswith(_UNKNOWN):
                    raise
            lines: list[str] = []
            self._client.retrlines("LIST", lines.append)
            return ftp_lists.of_lines(lines, self._where)

    def read(self, path: str) -> bytes | None:
        """A small file's content, or None."""
        folder, _, name = path.rpartition("/")
        try:
            entries = self.entries(folder)
        except ConfigError:  # no such folder yet
            return None
        if all(entry.name != name for entry in entries):
            return None
        found = io.BytesIO()
        self._retrieve(path, found, NOTE_LIMIT)
        return found.getvalue()

    @contextmanager
    def local(self, path: str, limit: int = 1 << 62) -> Iterator[Path]:
        """A private copy, removed at the end."""
        with private_file() as copy:
            with copy.open("wb") as stream:
                self._retrieve(path, stream, limit)
            yield copy

    def _retrieve(self, path: str, stream: BinaryIO, limit: int) -> None:
        """The file's bytes; raises Growing where the server says another size than came."""
        with self._protocol_errors(path):
            done = self._received(f"RETR {self._path(path)}", stream, limit)
        if done > limit:
            raise TooLarge
        size = self._size(path)
        if size != done:
            msg = f"{self._where}: {file_name(path)!r}: {done} bytes came, the server has {size}"
            raise Growing(msg)

    def _received(self, command: str, stream: BinaryIO, limit: int) -> int:
        """Bytes that came, at most one piece more than `limit`."""
        self._client.voidcmd("TYPE I")
        with self._client.transfercmd(command) as line:
            done = 0
            while done <= limit and (piece := line.recv(PIECE)):
                done += len(piece)
                try:
                    stream.write(piece)
                except OSError as error:  # of this machine, not of the server
                    what = "the private copy of a file"
                    raise unwritten(what, error) from None
        if done > limit:
            with suppress(ftplib.Error):  # the server says that nobody took the rest
                self._client.voidresp()
        else:
            self._client.voidresp()
        return done

    def _size(self, path: str) -> int | None:
        """The size that the server says, by SIZE or by its list."""
        with self._protocol_errors(path):
            try:
                return self._client.size(self._path(path))
            except ftplib.error_perm as error:
                if not str(error).startswith(_UNKNOWN):
                    raise
        folder, _, name = path.rpartition("/")
        return next((e.size for e in self.entries(folder) if e.name == name), None)

    def write(self, path: str, source: Path, leave: Callable[[], object]) -> None:
        """Upload beside the target, then rename it into place.

        Args:
            path: of the file.
            source: its content.
            leave: asked before it is renamed.
        """
        folder, _, name = path.rpartition("/")
        part = f"{folder}/.{name}.{secrets.token_hex(4)}.part"
        try:
            self._make(folder)
            with self._protocol_errors(path), source.open("rb") as stream:
                self._client.storbinary(f"STOR {self._path(part)}", stream)
            self._check_kept(part, path, source.stat().st_size)
            leave()
            with self._protocol_errors(path):
                self._replace(part, path)
        except Exception:
            # What stays is swept by the next attempt.
            with suppress(OnecardError), self._protocol_errors(path):
                self._client.delete(self._path(part))
            raise

    def _check_kept(self, part: str, path: str, size: int) -> None:
        """Some servers take every block of a file and drop what does not fit."""
        kept = self._size(part)
        if kept != size:
            msg = f"{self._where}: {file_name(path)!r}: {kept} of {size} bytes were kept"
            raise StorageError(msg)

    def _replace(self, part: str, path: str) -> None:
        """Rename; a server that renames over nothing has the older file taken away first."""
        try:
            self._client.rename(self._path(part), self._path(path))
        except ftplib.error_perm:
            self._client.delete(self._path(path))
            self._client.rename(self._path(part), self._path(path))

    def draft(self, directory: str) -> AbstractContextManager[Path]:  # noqa: ARG002 - not there yet
        """A file of this machine, to be uploaded."""
        return private_file()

    def ready(self, directory: str, sources: Collection[Path]) -> None:  # noqa: ARG002 - see below
        """See that a draft can be made there; how much room there is, FTP does not tell.

        Args:
            directory: of the inbox.
            sources: that will lie there.
        """
        self._make(directory)
        part = self._path(f"{directory}/.ready.part")
        with self._protocol_errors(directory):
            self._client.storbinary(f"STOR {part}", io.BytesIO())
            self._client.delete(part)

    def sweep(self, directory: str) -> None:
        """Remove drafts; the hub sends one delivery of an agreement at a time."""
        try:
            entries = self.entries(directory)
        except ConfigError:  # not there yet
            return
        with self._protocol_errors(directory):
            for entry in entries:
                if entry.name.startswith(".") and entry.name.endswith(".part"):
                    self._client.delete(self._path(f"{directory}/{entry.name}"))

    def _make(self, directory: str) -> None:
        """Make a directory and those above it, where they are missing."""
        steps = directory.split("/")
        for end in range(1, len(steps) + 1):
            with suppress(ftplib.error_perm), self._protocol_errors(directory, ftplib.error_perm):
                self._client.mkd(self._path("/".join(steps[:end])))

    def _path(self, path: str) -> str:
        return f"{self._home}/{path}" if path not in ("", ".") else self._home or "/"

    @contextmanager
    def _protocol_errors(self, path: str, *passed: type[Exception]) -> Iterator[None]:
        with _protocol_errors(self._where, repr(file_name(path)), *passed):
            yield


@contextmanager
def _protocol_errors(where: str, what: str, *passed: type[Exception]) -> Iterator[None]:
    """Errors of the protocol as ours; the server's words are not handed on."""
    try:
        yield
    except passed:
        raise
    except (ftplib.error_perm, ftplib.error_temp) as error:
        raise _refused(where, what, str(error)) from None
    except (ftplib.error_reply, ftplib.error_proto) as error:
        msg = f"{where}: {what}: the server does not keep to the protocol ({type(error).__name__})"
        raise ProtocolError(msg) from None
    except ssl.SSLCertVerificationError:
        msg = f"{where}: the server's certificate is not trusted: name its CA in extra.ca_file"
        raise ConfigError(msg) from None
    except (UnicodeError, ValueError):
        msg = f"{where}: {what}: a name is not in the server's encoding: see extra.encoding"
        raise ConfigError(msg) from None
    except (OSError, EOFError) as error:
        msg = f"{where}: {what}: {type(error).__name__}"
        raise SourceUnavailable(msg) from None


def _refused(where: str, what: str, said: str) -> OnecardError:
    """The error of an answer that is no yes; nothing but its number is shown."""
    code = said[:3]
    if code in _FULL:
        return StorageError(f"{where}: {what} cannot be written: the server has no room for it")
    if code.startswith("4"):
        return SourceUnavailable(f"{where}: {what}: the server cannot now (answer {code})")
    if code == _REFUSED:
        return ConfigError(f"{where}: login refused")
    return ConfigError(f"{where}: {what} is not there, or may not be used (answer {code})")


class _Tls(ftplib.FTP_TLS):
    """With one TLS session for all lines, as servers ask that would know whose a line is."""

    def ntransfercmd(
        self, cmd: str, rest: int | str | None = None
    ) -> tuple[socket.socket, int | None]:
        """A line for data, under the session of the commands."""
        line, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - TLS begins below
        session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
        return self.context.wrap_socket(line, server_hostname=self.host, session=session), size


def _client(connection: Connection) -> ftplib.FTP:
    """A client that is not connected yet."""
    where = f"connection {connection.id!r}"
    encoding = str(connection.extra.get("encoding") or "utf-8")
    if encoding not in _ENCODINGS:
        raise ConfigError(unknown(f"extra.encoding of {where}", encoding, _ENCODINGS))
    limit = 2 * timeouts.seconds()
    if connection.conn_type == "ftps":
        try:
            context = ssl.create_default_context(cafile=connection.extra.get("ca_file"))
        except (OSError, ssl.SSLError):
            msg = f"{where}: extra.ca_file cannot be used"
            raise ConfigError(msg) from None
        return _Tls(context=context, timeout=limit, encoding=encoding)
    if connection.extra.get("clear_text") is not True:
        msg = (
            f"{where}: FTP carries login and data in clear text: use ftps or sftp, or say"
            " `clear_text: true` in its extra where the line itself is protected"
        )
        raise ConfigError(msg)
    return ftplib.FTP(timeout=limit, encoding=encoding)  # noqa: S321 - allowed by name


def _login(client: ftplib.FTP, connection: Connection, where: str) -> None:
    """Connect and log in; TLS begins before the login, and covers what is transferred."""
    limit = timeouts.connect_seconds(connection.extra)
    host, port = connection.host or "", connection.port or PORT
    try:
        client.connect(host, port, timeout=limit)
    except (OSError, EOFError) as error:
        why = unreachable.said(error, connection.extra) if isinstance(error, OSError) else ""
        msg = f"{where}: cannot be reached{why} ({type(error).__name__})"
        raise SourceUnavailable(msg) from None
    client.timeout = 2 * timeouts.seconds()
    if isinstance(client.sock, socket.socket):
        client.sock.settimeout(client.timeout)
    client.login(connection.login or "", connection.secret or "")
    if isinstance(client, ftplib.FTP_TLS):
        client.prot_p()
