"""An FTP server on loopback, small and bendable: what servers of agencies do, right and wrong."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Manners:
    """How the server behaves.

    Attributes:
        listing: `facts` (MLSD), `unix`, `windows`, or `odd`: a form that nobody knows.
        sizes: whether it knows SIZE.
        cut: bytes after which it ends a transfer as if it were complete.
        grows: bytes that a file gets while it is sent.
        overwrites: whether it renames over a file.
        full: it refuses to store.
        tls: certificate and key, for FTPS.
        encoding: of names.
        seen: commands that came, without their arguments.
    """

    listing: str = "facts"
    sizes: bool = True
    cut: int | None = None
    grows: bytes = b""
    overwrites: bool = True
    full: bool = False
    tls: tuple[Path, Path] | None = None
    encoding: str = "utf-8"
    seen: list[str] = field(default_factory=list)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.here = "/"
        self.listener: socket.socket | None = None
        self.private = False
        self.renamed = ""
        self.user = ""

    def finish(self) -> None:
        super().finish()
        self.unlisten()
        if self.connection is not self.request:
            self.connection.close()

    def unlisten(self) -> None:
        if self.listener is not None:
            self.listener.close()

    @property
    def manners(self) -> Manners:
        return self.server.manners

    def say(self, text: str) -> None:
        self.wfile.write((text + "\r\n").encode(self.manners.encoding))
        self.wfile.flush()

    def handle(self) -> None:
        self.say("220 ready")
        while line := self.rfile.readline():
            command, _, argument = line.decode(self.manners.encoding).rstrip("\r\n").partition(" ")
            self.manners.seen.append(command.upper())
            if command.upper() == "QUIT":
                self.say("221 bye")
                return
            action = getattr(self, f"do_{command.lower()}", None)
            if action is None:
                self.say("502 not known")
            else:
                action(argument)

    def place(self, argument: str) -> Path:
        path = argument if argument.startswith("/") else f"{self.here.rstrip('/')}/{argument}"
        return self.server.root / path.strip("/")

    def do_auth(self, _argument: str) -> None:
        if self.manners.tls is None:
            self.say("502 no TLS")
            return
        self.say("234 go on")
        self.connection = self.server.context.wrap_socket(self.request, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb")  # type: ignore[assignment]

    def do_pbsz(self, _argument: str) -> None:
        self.say("200 ok")

    def do_prot(self, argument: str) -> None:
        self.private = argument == "P"
        self.say("200 ok")

    def do_user(self, argument: str) -> None:
        self.user = argument
        self.say("331 password")

    def do_pass(self, argument: str) -> None:
        right = (self.user, argument) == ("hub", "secret")
        self.say("230 in" if right else "530 no")

    def do_type(self, _argument: str) -> None:
        self.say("200 ok")

    def do_pwd(self, _argument: str) -> None:
        self.say(f'257 "{self.here}" is here')

    def do_cwd(self, argument: str) -> None:
        if not self.place(argument).is_dir():
            self.say("550 no such folder")
            return
        found = self.place(argument).resolve().relative_to(self.server.root.resolve())
        self.here = "/" if str(found) == "." else f"/{found}"
        self.say("250 ok")

    def do_epsv(self, _argument: str) -> None:
        self.unlisten()
        listener = self.listener = socket.create_server(("127.0.0.1", 0))
        self.say(f"229 Extended ({'|||'}{listener.getsockname()[1]}|)")

    def do_pasv(self, _argument: str) -> None:
        self.unlisten()
        listener = self.listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        self.say(f"227 Passive (127,0,0,1,{port // 256},{port % 256})")

    def line(self) -> socket.socket:
        assert self.listener is not None
        with self.listener as listener:
            found, _ = listener.accept()
        if self.private:
            return self.server.context.wrap_socket(found, server_side=True)
        return found

    def listed(self, lines: list[str]) -> None:
        self.say("150 comes")
        with self.line() as data:
            data.sendall("".join(f"{text}\r\n" for text in lines).encode(self.manners.encoding))
            _end(data)
        self.say("226 done")

    def do_mlsd(self, _argument: str) -> None:
        if self.manners.listing != "facts":
            self.say("500 not known")
            return
        lines = [f"type=cdir;modify=20260105000000; {self.here}"]
        for item in sorted(self.place("").iterdir()):
            kind = "dir" if item.is_dir() else "file"
            when = time.strftime("%Y%m%d%H%M%S", time.gmtime(item.stat().st_mtime))
            lines.append(f"type={kind};size={item.stat().st_size};modify={when}; {item.name}")
        self.listed(lines)

    def do_list(self, _argument: str) -> None:
        lines = ["total 8"] if self.manners.listing == "unix" else []
        for item in sorted(self.place("").iterdir()):
            size, folder = item.stat().st_size, item.is_dir()
            if self.manners.listing == "unix":
                kind = "d" if folder else "-"
                lines.append(f"{kind}rw-r--r--   1 1000 users {size:8} Jan  5 08:00 {item.name}")
            elif self.manners.listing == "windows":
                what = "<DIR>         " if folder else f"{size:14}"
                lines.append(f"01-05-26  08:00AM {what} {item.name}")
            else:
                lines.append(f"{item.name} -> {size}")
        self.listed(lines)

    def do_size(self, argument: str) -> None:
        if not self.manners.sizes:
            self.say("502 not known")
        elif self.place(argument).is_file():
            self.say(f"213 {self.place(argument).stat().st_size}")
        else:
            self.say("550 no such file")

    def do_retr(self, argument: str) -> None:
        place = self.place(argument)
        if not place.is_file():
            self.say("550 no such file")
            return
        self.say("150 comes")
        content = place.read_bytes()[: self.manners.cut]
        with self.line() as data:
            try:
                data.sendall(content)
                _end(data)
            except OSError:
                self.say("426 broken off")
                return
        if self.manners.grows:
            with place.open("ab") as stream:
                stream.write(self.manners.grows)
        self.say("226 done")

    def do_stor(self, argument: str) -> None:
        if self.manners.full:
            self.say("552 no room")
            return
        self.say("150 send")
        with self.line() as data, self.place(argument).open("wb") as stream:
            while piece := data.recv(1 << 16):
                stream.write(piece)
            _end(data)
        self.say("226 stored")

    def do_rnfr(self, argument: str) -> None:
        self.renamed = argument
        self.say("350 to what")

    def do_rnto(self, argument: str) -> None:
        if self.place(argument).exists() and not self.manners.overwrites:
            self.say("550 is there")
            return
        self.place(self.renamed).replace(self.place(argument))
        self.say("250 ok")

    def do_dele(self, argument: str) -> None:
        if not self.place(argument).is_file():
            self.say("550 no such file")
            return
        self.place(argument).unlink()
        self.say("250 ok")

    def do_mkd(self, argument: str) -> None:
        if self.place(argument).exists():
            self.say("550 is there")
            return
        self.place(argument).mkdir()
        self.say(f'257 "{argument}" made')


def _end(data: socket.socket) -> None:
    """Say that nothing follows; over TLS too."""
    if isinstance(data, ssl.SSLSocket):
        try:
            data.unwrap()
        except OSError:
            return


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, root: Path, manners: Manners) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root, self.manners = root, manners
        if manners.tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*manners.tls)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone is nobody's trouble."""


@contextmanager
def ftp_server(root: Path, manners: Manners | None = None) -> Iterator[int]:
    """The server on a folder; gives its port. Login: hub, secret."""
    server = _Server(root, manners or Manners())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
