# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that answers echo, taken out of what is shown and kept. Standard library only; pure."""

from __future__ import annotations

import re
import urllib.parse

_SECRET = "***"
_LONGEST = 4000
_NAMES = r"(?:secret|password|passwd|pwd|token|signature|sig|(?:api|account|access|shared|sas)[-_ ]?key|assertion|credential)"
# Sign-in headers and tokens, queries of URLs (a shared access signature is one), and values with a telling name, as in connection strings and JSON.
_SECRETS = (
    (re.compile(r"""(?i)(authorization[\\"']*\s*[:=]\s*[\\"']*)[^\r\n\\"'<>]+"""), rf"\1{_SECRET}"),
    (re.compile(r"""(?i)\b(bearer|sharedkey|sharedaccesssignature)\s+(?!\*|token\b)[^\s"'<>,;]+"""), rf"\1 {_SECRET}"),
    (re.compile(r"\beyJ[\w-]{5,}[\w.~+/=-]*"), _SECRET),
    (re.compile(r"""\?[\w$%.-]+=[^\s"'<>()]*"""), f"?{_SECRET}"),
    (re.compile(rf"""(?i)({_NAMES}\s*=\s*["']?)[^\s"'&;,<>]+"""), rf"\1{_SECRET}"),
    (re.compile(rf"""(?i)({_NAMES}[\\"']+\s*:\s*[\\"']*)[^\s\\"',}}]+"""), rf"\1{_SECRET}"),
    (re.compile(rf"""(?i)((?:(?<=[-_]){_NAMES}|[-_]key)\s*:\s*)[^\s"',;]+"""), rf"\1{_SECRET}"),
)
# What an operation is asked after with. Where its URL is signed besides, that spares a permission to read operations, and is one to keep.
_OF_AN_OPERATION = ("api-version", "monitor", "p")
_PLAIN = re.compile(r"[0-9a-fA-F-]{1,36}|[0-9-]{10}-preview|true|false")


def without_secrets(text: str) -> str:
    """A text of Azure's or of a library's that is safe to show and to keep; of a very long one its beginning."""
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def url_to_keep(url: str) -> str:
    """An operation's URL as it may be written down: of its query only what names the operation."""
    parts = urllib.parse.urlsplit(url)
    query = [(name, value) for name, value in urllib.parse.parse_qsl(parts.query) if name in _OF_AN_OPERATION and _PLAIN.fullmatch(value)]
    host, path = parts.netloc.rpartition("@")[2], without_secrets(parts.path)
    return urllib.parse.urlunsplit((parts.scheme, host, path, urllib.parse.urlencode(query), ""))
