# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest's spec means for its /etc: init scripts, their defaults, the balancer's configuration."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

# Each kind of service, and the options its program takes.
KINDS = {"web": {"port", "delay_ms"}, "db": {"port"}}

SCRIPT = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides:          {name}
# Required-Start:    $remote_fs $network
# Required-Stop:     $remote_fs $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: {summary}
### END INIT INFO

. /run/guest/env
PIDFILE={pid_file}
OPTIONS=
STOP_SECONDS=30
[ ! -r /etc/default/{name} ] || . /etc/default/{name}

running() {{
    [ -s "$PIDFILE" ] && kill -0 "$(cat "$PIDFILE")" 2>/dev/null
}}

start() {{
    running && return 0
    {{ {command}; }} </dev/null >>/var/log/{name}.log 2>&1 || return 1
    # Daemons fork first and write their pid once they listen.
    tries=100
    until running; do
        [ "$tries" -gt 0 ] || return 1
        tries=$((tries - 1))
        sleep 0.02
    done
}}

stop() {{
    running || return 0
    pid=$(cat "$PIDFILE")
    kill -TERM "$pid"
    tenths=$((STOP_SECONDS * 10))
    while kill -0 "$pid" 2>/dev/null; do
        [ "$tenths" -gt 0 ] || kill -KILL "$pid" 2>/dev/null
        tenths=$((tenths - 1))
        sleep 0.1
    done
    rm -f "$PIDFILE"
}}

case "$1" in
    start) start ;;
    stop) stop ;;
    restart|force-reload) stop && start ;;
    status)
        if running; then echo "{name} is running"; else echo "{name} is stopped"; exit 3; fi ;;
    *) echo "usage: $0 start|stop|restart|force-reload|status" >&2; exit 2 ;;
esac
"""

APP = (
    '"$GUEST_PYTHON" -sE /srv/app/{kind}.py --name "$GUEST_NAME" --address "$GUEST_ADDRESS" '
    '--pid-file "$PIDFILE" $OPTIONS'
)
SSHD = '/usr/sbin/sshd -f /etc/ssh/sshd_config -E /var/log/ssh.log -o ListenAddress="$GUEST_ADDRESS"'
HAPROXY = 'mkdir -p /run/haproxy && /usr/sbin/haproxy -D -f /etc/haproxy/haproxy.cfg -p "$PIDFILE"'

SSHD_CONFIG = """\
Port 2222
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
AuthorizedKeysFile /etc/ssh/authorized_keys
PermitRootLogin prohibit-password
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
LogLevel ERROR
PrintMotd no
PrintLastLog no
MaxStartups 64
MaxSessions 64
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""

# A connection that cannot be opened is tried once more, elsewhere: that is what lets an idle balancer survive a stopped
# server. A request that was sent is never sent again, or a lost one would not be seen.
HAPROXY_GLOBAL = """\
global
    stats socket /run/haproxy/admin.sock mode 600 level admin
    nbthread 1
    maxconn 2000

defaults
    mode http
    retries 1
    option redispatch
    retry-on conn-failure
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout check 1s
    default-server inter 500ms rise 2 fall 2
"""


def write_services(etc: Path, spec: dict[str, Any]) -> None:
    """Install and enable what `spec` names: `services`, their options under their own name, `balancer`."""
    install(etc, "ssh", "OpenSSH server", "/run/sshd.pid", SSHD, order=99)
    for kind in spec.get("services") or []:
        install(etc, kind, f"simulated {kind}", f"/run/{kind}.pid", APP.format(kind=kind))
        options = " ".join(
            f"--{key.replace('_', '-')} {shlex.quote(str(value))}" for key, value in (spec.get(kind) or {}).items()
        )
        (etc / "default" / kind).write_text(f"OPTIONS={shlex.quote(options)}\n", encoding="utf-8")
    if spec.get("balancer"):
        install(etc, "haproxy", "HAProxy", "/run/haproxy/haproxy.pid", HAPROXY)
        (etc / "haproxy").mkdir(exist_ok=True)
        (etc / "haproxy" / "haproxy.cfg").write_text(haproxy_config(spec["balancer"]), encoding="utf-8")


def install(etc: Path, name: str, summary: str, pid_file: str, command: str, order: int = 1) -> None:
    """Write /etc/init.d/NAME and enable it in the runlevels a machine boots into, last in line with a high `order`."""
    script = etc / "init.d" / name
    script.write_text(SCRIPT.format(name=name, summary=summary, pid_file=pid_file, command=command), encoding="utf-8")
    script.chmod(0o755)
    for level in (2, 3, 4, 5):
        (etc / f"rc{level}.d" / f"S{order:02d}{name}").symlink_to(f"../init.d/{name}")


def haproxy_config(balancer: dict[str, Any]) -> str:
    """One frontend per backend, on the backend's `port` or else the balancer's."""
    parts = [HAPROXY_GLOBAL]
    for name, backend in balancer["backends"].items():
        port = backend.get("port", balancer["port"])
        servers = [f"    server {server} {address} check" for server, address in backend["servers"].items()]
        parts.append(
            "\n".join(
                [
                    f"frontend {name}-in",
                    f'    bind "${{GUEST_ADDRESS}}:{port}"',
                    f"    default_backend {name}",
                    "",
                    f"backend {name}",
                    "    balance roundrobin",
                    "    option httpchk GET /healthz",
                    "    http-check expect status 200",
                    *servers,
                    "",
                ]
            )
        )
    return "\n".join(parts)
