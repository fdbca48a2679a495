# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print, as a JSON list, the backends in which a server takes traffic now: haproxy_state.py SOCKET SERVER BACKEND...

Read-only. A server that is in maintenance or draining is left out: someone else took it out, and it is theirs to bring back.
Exits 3, naming it, when a backend does not know the server.
"""

from __future__ import annotations

import csv
import io
import json
import socket
import sys


def main(path, server, backends):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        connection.sendall(b"show stat\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    rows = {row["# pxname"]: row["status"] for row in csv.DictReader(io.StringIO(answer)) if row["svname"] == server}
    unknown = [backend for backend in backends if backend not in rows]
    if unknown:
        sys.stderr.write("HAProxy at %s has no server %s in backend %s\n" % (path, server, ", ".join(unknown)))
        return 3
    print(json.dumps([backend for backend in backends if not rows[backend].startswith(("MAINT", "DRAIN"))]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
