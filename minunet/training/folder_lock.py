"""A folder to which one process at a time writes.

The process holds a lock of the operating system on the file LOCK in the folder. The system lets go of it when the
process ends, however it ends: a killed run leaves no lock that somebody must remove. In the file stands who holds it,
for the message that a second process prints.

On a network disk it depends on the server whether a lock holds against other machines too: NFS 4 and Lustre (mounted
with flock) do it, an NFS mounted with nolock keeps each machine's locks to itself. Where there are no locks at all, a
warning says so, and nothing is held.
"""

import contextlib
import datetime
import errno
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from minunet.errors import InputError

LOCK = ".minunet.lock"
TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)  # another process holds it; the last two are Windows' words for it
OFFSET = 1 << 30  # Windows locks a byte, which nobody else can read: one far behind the text

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        """Lock an open file at once, or raise OSError."""
        os.lseek(descriptor, OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        """Lock an open file at once, or raise OSError."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FolderInUseError(InputError):
    """Another process writes to the folder."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder that exists until the block ends.

    Raises
    ------
    FolderInUseError
        If another process holds it; the message names it.
    OSError
        If nothing can be written there.
    """
    descriptor = _open_and_lock(folder)
    _write_who_holds_it(descriptor)
    try:
        yield
    finally:
        if os.name == "nt":  # where an open file cannot be removed
            os.close(descriptor)
            _remove(folder)
        else:
            _remove(folder)
            os.close(descriptor)


def _open_and_lock(folder: Path) -> int:
    """Return a locked file of the folder, open."""
    while True:
        try:
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OSError(
                f"could not write to {folder}: {error.strerror}; choose another folder, or copy this one"
            ) from error
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno in TAKEN:
                holder = _who_holds_it(descriptor)
                os.close(descriptor)
                raise FolderInUseError(
                    f"{folder} must be free, but {holder} writes to it; wait until it ends, or choose another folder"
                ) from error
            warnings.warn(
                f"{folder} is on a disk without locks ({error.strerror}); start no second run in it", stacklevel=4
            )
        if _is_still_there(descriptor, folder):
            return descriptor
        os.close(descriptor)  # the one who held it has just removed it


def _is_still_there(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(folder / LOCK))
    except FileNotFoundError:
        return False


def _write_who_holds_it(descriptor: int) -> None:
    since = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
    text = f"process {os.getpid()} on {socket.gethostname()}, since {since},"
    with contextlib.suppress(OSError):  # the disk is full; the lock holds all the same
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode())


def _who_holds_it(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 1000).decode(errors="replace") or "another process"  # which has not written it yet


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):  # on Windows: the next process has it open already
        os.unlink(folder / LOCK)
