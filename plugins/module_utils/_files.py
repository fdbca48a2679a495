# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of our own: the one bounded read, atomic write, appended line and lock.

Only a regular file that is ours is opened; no link is followed, no pipe waited for.

Standard library only, Python 3.9 or newer: it runs on the controller and on guests, where the role watch_events installs this very file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import typing as t

MOST_BYTES = 64 << 20
"""What a file of ours may hold: a plan of 50,000 VMs."""
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFDIR: "a directory", stat.S_IFSOCK: "a socket",
          stat.S_IFLNK: "a symbolic link"}
_PLAIN = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NotOurs(OSError):
    """What is there is not ours to use; the text says why. It was neither read nor changed."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EPERM, why)

    def __str__(self) -> str:
        return str(self.strerror)


def read(path: str, ours: bool = True) -> bytes:
    """The content of a regular file. ``ours`` false is for a file that the user named: links and other owners will do.

    Raises NotOurs for anything else and beyond MOST_BYTES, FileNotFoundError and other OSErrors as open does.
    """
    with os.fdopen(_open(path, os.O_RDONLY, ours), "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise NotOurs(f"it is larger than {MOST_BYTES >> 20} MiB")
    return content


def replace(path: str, content: bytes, mode: int = 0o600) -> None:
    """Put this content in place of what is there: whole or not at all, and on disk when this returns.

    Raises NotOurs when what is there is no regular file of ours, OSError when it cannot be written.
    """
    folder = os.path.dirname(os.path.abspath(path))
    with _named():
        with contextlib.suppress(FileNotFoundError):
            _check(os.lstat(path))
        handle, partial = tempfile.mkstemp(prefix=".", suffix=".new", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise
    sync(folder)


def append(path: str, line: bytes) -> None:
    """Add a line to a file of lines, private to this user, and on disk when this returns. Several processes may do so at once.

    A line that a process began and did not end, because it was killed or the disk was full, is ended first, so that it spoils no other.
    Raises NotOurs when what is there is no regular file of ours, OSError when it cannot be written.
    """
    with os.fdopen(t.cast(int, _locked(_open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), wait=True)), "r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        begun = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
        content = memoryview((b"\n" if begun else b"") + line + b"\n")
        while content:
            content = content[file.write(content):]
        os.fsync(file.fileno())


def lock(path: str, wait: bool = False) -> int | None:
    """Take the lock that this file is, until the handle that is returned is closed; None when another process has it and there is no ``wait``."""
    return _locked(_open(path, os.O_RDWR | os.O_CREAT), wait)


def lock_folder(path: str) -> int:
    """Wait for the lock that this directory is, and take it until the handle that is returned is closed."""
    check_folder(path)
    return t.cast(int, _locked(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), wait=True))


def _locked(handle: int, wait: bool) -> int | None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return handle


def check_folder(path: str) -> None:
    """Raises NotOurs for a directory that somebody else owns or may write into: whoever may do that may take away what we wrote."""
    with _named():
        link, facts = os.lstat(path), os.stat(path)
    if not stat.S_ISDIR(facts.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    why = _foreign(link) or _foreign(facts)
    if why:
        raise NotOurs(f"{path} {why}; run as that user, or use a directory of your own")
    if _open_to_others(facts):
        mode = stat.S_IMODE(facts.st_mode)
        raise NotOurs(f"others may write into {path} (mode {mode:04o}); look at what is in it, then take that right from them (chmod go-w)")


def sync(folder: str) -> None:
    """Names of files on disk, too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open(path: str, flags: int, ours: bool = True) -> int:
    with _named():
        handle = os.open(path, flags | _PLAIN | (os.O_NOFOLLOW if ours else 0), 0o600)
    try:
        _check(os.fstat(handle), ours)
    except BaseException:
        os.close(handle)
        raise
    return handle


@contextlib.contextmanager
def _named() -> t.Iterator[None]:
    """Names what open says of a path that is none, of a link, and of a socket."""
    try:
        yield
    except ValueError as error:
        raise NotOurs(f"that is no path ({error})") from None
    except OSError as error:
        kind = {errno.ELOOP: "a symbolic link", errno.ENXIO: "a socket or a device"}.get(error.errno or 0)
        if kind is None:
            raise
        raise NotOurs(f"it is {kind}, not a regular file") from None


def _check(facts: os.stat_result, ours: bool = True) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise NotOurs(f"it is {_KINDS.get(stat.S_IFMT(facts.st_mode), 'something else')}, not a regular file")
    why = _foreign(facts) if ours else ""
    if why:
        raise NotOurs(f"it {why}")
    if ours and _open_to_others(facts):
        raise NotOurs(f"others may write to it (mode {stat.S_IMODE(facts.st_mode):04o})")


def _foreign(facts: os.stat_result) -> str:
    own = os.geteuid()
    return "" if facts.st_uid in (own, 0) else f"belongs to another user (uid {facts.st_uid}, this runs as uid {own})"


def _open_to_others(facts: os.stat_result) -> bool:
    """A group that this process is in is one that was given the file, as volumes of containers are."""
    groups = {os.getegid(), *os.getgroups()}
    return bool(facts.st_mode & stat.S_IWOTH or (facts.st_mode & stat.S_IWGRP and facts.st_gid not in groups))
