# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTPS server: routes, authentication, permissions, and a kubeconfig for clients."""

from __future__ import annotations

import copy
import json
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from simulator.wire import certs

from kubeapi import controllers, discovery, errors, selectors
from kubeapi.cluster import Cluster

TOKEN = "admin-token"
_PATH = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/v1))(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+)(?:/(?P<sub>[a-z]+))?)?$"
)


class Server:
    """A cluster on a port of loopback, until `stop`; `directory` gets the certificates and the kubeconfig."""

    def __init__(self, directory: Path, declared: dict[str, Any]) -> None:
        self.cluster = Cluster(declared)
        self.directory = directory
        self.authority, server = certs.ensure(directory)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": self.cluster}))
        self._http.daemon_threads = True
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def kubeconfig(self, token: str = TOKEN, name: str = "kubeconfig") -> Path:
        """A file that clients sign in with, with one context named "fake"."""
        path = self.directory / name
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "fake", "preferences": {},
            "clusters": [{"name": "fake", "cluster": {"server": self.url, "certificate-authority": str(self.authority)}}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "user"}}],
        }), encoding="utf-8")
        return path

    def stop(self) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def log_message(self, *_arguments: Any) -> None:
        """Tests read the ledger."""

    def do_GET(self) -> None:  # noqa: N802
        self._answer()

    do_POST = do_PATCH = do_DELETE = do_PUT = do_GET

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            with self.cluster.lock:
                code, answer = self._serve(json.loads(body) if body else {})
                sent = json.dumps(answer).encode()
        except errors.Refused as refused:
            code, sent = refused.code, json.dumps(refused.body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        if code == 429:
            self.send_header("Retry-After", "10")
        self.end_headers()
        self.wfile.write(sent)

    def _serve(self, body: Any) -> tuple[int, Any]:
        user = self._user()
        url = urlsplit(self.path)
        found = discovery.document(url.path.rstrip("/"))
        if found is not None and self.command == "GET":
            return 200, found
        match = _PATH.match(url.path)
        plural = (match["plural"] + (f"/{match['sub']}" if match["sub"] else "")) if match else ""
        if not match or plural not in discovery.KINDS or discovery.api_version(plural) != (match["core"] or match["group"]):
            raise errors.no_such_path()
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        namespace, name = match["namespace"] or "", match["name"] or ""
        controllers.run(self.cluster)
        if self.command == "GET":
            self._permit(user, "get" if name else "list", plural, namespace, name)
            return 200, self._read(plural, namespace, name, query)
        return self._write(user, plural, (namespace, name), body, query)

    def _user(self) -> str:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token == TOKEN:
            return "admin"
        if token not in self.cluster.declared.get("tokens", {}):
            raise errors.unauthorized()
        return token

    def _permit(self, user: str, verb: str, resource: str, namespace: str, name: str) -> None:
        denied = self.cluster.declared.get("tokens", {}).get(user, [])
        if f"{verb} {resource}" in denied:
            raise errors.forbidden(user, verb, resource, namespace, name)

    def _read(self, plural: str, namespace: str, name: str, query: dict[str, str]) -> dict[str, Any]:
        kind = {"kind": discovery.KINDS[plural], "apiVersion": discovery.api_version(plural)}
        if name:
            return {**kind, **self.cluster.get(plural, namespace, name)}
        items = [
            item for item in self.cluster.all(plural, namespace)
            if selectors.labels_match(query.get("labelSelector", ""), item["metadata"].get("labels", {}))
            and selectors.fields_match(query.get("fieldSelector", ""), item)
        ]
        version = {"resourceVersion": str(self.cluster.serial)}
        return {"kind": f"{kind['kind']}List", "apiVersion": kind["apiVersion"], "metadata": version, "items": items}

    def _write(self, user: str, plural: str, key: tuple[str, str], body: Any, query: dict[str, str]) -> tuple[int, Any]:
        verb = {"POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}[self.command]
        options = body.get("deleteOptions") or {} if plural == "pods/eviction" else body
        dry_run = bool(query.get("dryRun") or (isinstance(options, dict) and options.get("dryRun")))
        try:
            self._permit(user, verb, plural, *key)
            code, answer = self._do(verb, plural, key, options, query, dry_run=dry_run)
        except errors.Refused as refused:
            self.cluster.record(user, verb, plural, key, body, refused.code, dry_run=dry_run)
            raise
        self.cluster.record(user, verb, plural, key, copy.deepcopy(body), code, dry_run=dry_run)
        return code, answer

    def _do(self, verb: str, plural: str, key: tuple[str, str], body: Any, query: dict[str, str], *, dry_run: bool) -> tuple[int, Any]:  # noqa: PLR0913
        if (verb, plural) == ("patch", "nodes"):
            kind = self.headers.get("Content-Type", "").partition(";")[0]
            return 200, {"kind": "Node", "apiVersion": "v1", **self.cluster.patch_node(key[1], body, kind, dry_run=dry_run)}
        if (verb, plural) == ("create", "pods/eviction"):
            self.cluster.evict(*key, body, dry_run=dry_run)
            return 201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        if (verb, plural) == ("delete", "pods") and key[1]:
            if "gracePeriodSeconds" in query:
                body = {**body, "gracePeriodSeconds": int(query["gracePeriodSeconds"])}
            return 200, {"kind": "Pod", "apiVersion": "v1", **self.cluster.delete_pod(*key, body, dry_run=dry_run)}
        raise errors.Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
