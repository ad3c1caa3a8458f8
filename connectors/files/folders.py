"""Where files lie: a local folder, or one of an SFTP (its key pinned), FTPS or FTP server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.common.breaker import watching
from connectors.files.folder import Folder
from connectors.files.local import LocalFolder
from onecard.base.connections import Connection
from onecard.errors import ConfigError, unknown


@contextmanager
def opened(connection: Connection) -> Iterator[Folder]:
    """The folder that a connection names.

    Raises:
        ConfigError: another connection type, no such folder, refused login or host key.
        SourceUnavailable: the server cannot be reached.
    """
    if connection.conn_type in ("fs", "file"):
        yield LocalFolder(connection)
    elif connection.conn_type == "sftp":
        from connectors.files.sftp import connected  # noqa: PLC0415 - asyncssh only where needed

        with watching(connection), connected(connection) as folder:
            yield folder
    elif connection.conn_type in ("ftp", "ftps"):
        from connectors.files.ftp import connected as ftp_connected  # noqa: PLC0415 - as above

        with watching(connection), ftp_connected(connection) as folder:
            yield folder
    else:
        what = f"file store type of connection {connection.id!r}"
        raise ConfigError(unknown(what, connection.conn_type, ("fs", "sftp", "ftps", "ftp")))
