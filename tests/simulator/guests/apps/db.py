# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for a database: keeps TCP connections open, greets with name and boot id, echoes lines.

It stops as a database told to be fast does: takes no new client, tells the ones it has, hangs up.
"""

from __future__ import annotations

import argparse
import socket
import socketserver
import threading
from pathlib import Path

from daemon import boot_id, serve_until_term


class Server(socketserver.ThreadingTCPServer):
    """Knows its clients, to be able to say goodbye."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        self.greeting = f"{name} {boot_id()}\n".encode()
        self.clients: set[socket.socket] = set()
        self.lock = threading.Lock()
        super().__init__(address, Session)

    def stop(self) -> None:
        """Hang up on everybody."""
        self.shutdown()
        self.server_close()
        with self.lock:
            for client in self.clients:
                try:
                    client.sendall(b"shutting down\n")
                    client.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Session(socketserver.StreamRequestHandler):
    """One client, for as long as it likes."""

    server: Server

    def handle(self) -> None:
        """Greet, then echo."""
        with self.server.lock:
            self.server.clients.add(self.connection)
        try:
            self.wfile.write(self.server.greeting)
            for line in self.rfile:
                self.wfile.write(line)
        except OSError:
            pass
        finally:
            with self.server.lock:
                self.server.clients.discard(self.connection)


def main() -> None:
    """Bind, become a daemon, serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, default=5432)
    parser.add_argument("--pid-file", type=Path, default=Path("/run/db.pid"))
    options = parser.parse_args()
    server = Server(options.name, (options.address, options.port))
    serve_until_term(options.pid_file, lambda: server.serve_forever(0.2), server.stop)


if __name__ == "__main__":
    main()
