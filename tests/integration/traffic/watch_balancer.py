# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a balancer until its output is closed: five times a second one line of JSON, {time, servers: {name: [status, sessions]}}.

Arguments: the admin socket, the backend. Times are seconds since 1970.
"""

import csv
import io
import json
import socket
import sys
import time


def look(path: str, backend: str) -> dict[str, list[object]]:
    """Status and current sessions of each server."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(f"show stat {backend} 4 -1\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    return {row["svname"]: [row["status"], int(row["scur"])] for row in csv.DictReader(io.StringIO(answer.removeprefix("# ")))}


while True:
    print(json.dumps({"time": time.time(), "servers": look(sys.argv[1], sys.argv[2])}), flush=True)
    time.sleep(0.2)
