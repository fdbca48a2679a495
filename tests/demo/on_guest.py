# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the guest itself can tell: its boot id, marks, services, and what its HAProxy thinks. Runs on the guest."""

import csv
import glob
import io
import json
import os
import socket
import subprocess

STATS = "/run/haproxy/admin.sock"
FACTS = "/etc/ansible/facts.d/*.fact"


def is_mark(path):
    """Whether a file of local facts says that somebody has the host out of service: it tells what to undo, or how far a drain is.

    One that cannot be read as JSON may be half a mark, and counts.
    """
    try:
        with open(path, encoding="utf-8") as file:
            facts = json.load(file)
    except ValueError:
        return True
    return isinstance(facts, dict) and bool({"undo", "phase"} & set(facts))


def services():
    """Whether each service that is enabled runs; without sshd, which is how we got here."""
    names = {os.path.basename(path)[3:] for path in glob.glob("/etc/rc2.d/S*")} - {"ssh"}
    return {name: subprocess.call(["service", name, "status"], stdout=subprocess.DEVNULL) == 0 for name in names}


def servers():
    """Status of every server of every backend, if there is an HAProxy."""
    if not os.path.exists(STATS):
        return {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(STATS)
        connection.sendall(b"show stat\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    rows = csv.DictReader(io.StringIO(answer.lstrip("# ")))
    return {
        "%s/%s" % (row["pxname"], row["svname"]): row["status"]
        for row in rows
        if row["svname"] not in ("FRONTEND", "BACKEND")
    }


with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
    boot_id = file.read().strip()
marks = sorted(filter(is_mark, glob.glob(FACTS)))
print(json.dumps({"boot_id": boot_id, "marks": marks, "services": services(), "servers": servers()}))
