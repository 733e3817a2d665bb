"""A folder to which one process at a time writes.

The process holds a lock of the operating system on the file LOCK in the folder or, for a folder that may hold nothing
else, such as a Zarr store, on one beside it. The system lets go of it when the process ends, however it ends: a killed
run leaves no lock that somebody must remove. In the file stands who holds it, for the message that a second process
prints.

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
def locked(folder: Path, lock: Path | None = None) -> Iterator[None]:
    """Hold a folder until the block ends.

    Parameters
    ----------
    folder : Path
        It must exist, unless `lock` lies elsewhere.
    lock : Path, optional
        The file to lock; by default LOCK in the folder. All who write to the folder must name the same.

    Raises
    ------
    FolderInUseError
        If another process holds it; the message names it.
    """
    lock = lock or folder / LOCK
    descriptor = _open_and_lock(lock, folder)
    _write_who_holds_it(descriptor)
    try:
        yield
    finally:
        if os.name == "nt":  # where an open file cannot be removed
            os.close(descriptor)
            _remove(lock)
        else:
            _remove(lock)
            os.close(descriptor)


def lock_beside(folder: Path) -> Path:
    """Return the file to lock for a folder that may hold no other files, or does not exist yet."""
    return folder.with_name(f".{folder.name}{LOCK}")


def _open_and_lock(lock: Path, folder: Path) -> int:
    """Return the file, open and locked."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
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
        if _is_still_there(descriptor, lock):
            return descriptor
        os.close(descriptor)  # the one who held it has just removed it


def _is_still_there(descriptor: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(lock))
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


def _remove(lock: Path) -> None:
    with contextlib.suppress(OSError):  # on Windows: the next process has it open already
        os.unlink(lock)
