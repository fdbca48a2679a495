# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where notifications end up in tests: a web server that is also a proxy into itself, and a mail server with STARTTLS and AUTH."""

from __future__ import annotations

import base64
import contextlib
import datetime
import email
import email.policy
import json
import socketserver
import ssl
import threading
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder: Path, host: str) -> Path:
    """A certificate of `host` with its key, in PEM, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - day).not_valid_after(now + day).add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


class _Serving:
    """Runs in a thread from its making to the end of `with`."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are expected."""


class Web(_Serving, ThreadingHTTPServer):
    """`http://127.0.0.1:PORT`, and the proxy through which every host is this one; `posts` has (host, path, headers, JSON)."""

    daemon_threads = True

    def __init__(self, pem: Path) -> None:
        self.posts: list[tuple[str, str, dict[str, str], Any]] = []
        self.status = 200
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(pem)
        super().__init__(("127.0.0.1", 0), _WebHandler)


class _WebHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tunnel = ""

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.tunnel = self.path
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.posts.append((self.tunnel, self.path, headers, json.loads(data)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


class Mail(_Serving, socketserver.ThreadingTCPServer):
    """An SMTP server; `mails` has (recipients, message), `logins` (user name, password, encrypted). `broken`: it refuses every sender."""

    daemon_threads = True

    def __init__(self, pem: Path) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.logins: list[tuple[str, str, bool]] = []
        self.attempts = 0
        self.broken = False
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(pem)
        super().__init__(("127.0.0.1", 0), _MailHandler)


class _MailHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.recipients: list[str] = []
        with contextlib.suppress(OSError):
            self._say("220 test")
            while line := self.rfile.readline():
                words = line.decode("latin-1").split()
                verb = words[0].upper() if words else ""
                if not verb.isalpha():  # not SMTP, a client that tries TLS first
                    return
                if getattr(self, f"_{verb.lower()}", self._other)(words) == "end":
                    return

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def _other(self, words: list[str]) -> None:
        self._say("250 OK")

    def _ehlo(self, words: list[str]) -> None:
        self._say("250-test", "250-STARTTLS", "250 AUTH PLAIN")

    def _starttls(self, words: list[str]) -> None:
        self._say("220 go ahead")
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)

    def _auth(self, words: list[str]) -> None:
        dummy, user, password = base64.b64decode(words[2]).decode().split("\0")
        self.server.logins.append((user, password, isinstance(self.connection, ssl.SSLSocket)))
        self._say("235 OK")

    def _mail(self, words: list[str]) -> None:
        self.server.attempts += 1
        self._say("550 no mail today" if self.server.broken else "250 OK")

    def _rcpt(self, words: list[str]) -> None:
        self.recipients.append(words[1].partition("<")[2].rstrip(">"))
        self._say("250 OK")

    def _data(self, words: list[str]) -> None:
        self._say("354 go on")
        lines = list(iter(self.rfile.readline, b".\r\n"))
        self.server.mails.append((self.recipients, email.message_from_bytes(b"".join(lines), policy=email.policy.default)))
        self._say("250 OK")

    def _quit(self, words: list[str]) -> str:
        self._say("221 bye")
        return "end"
