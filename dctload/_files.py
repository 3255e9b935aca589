"""Whole files into memory as the engine reads them: bounded, and without waiting."""

import errno
import os
import stat
from typing import Any

from . import _native

Path = str | bytes | os.PathLike[str]

# As in csrc/engine/file.c.
_PEEK_MIN_NBYTES = 4 << 20
_SOI = b"\xff\xd8"


def open_regular(path: Path) -> int:
    """A descriptor of a regular file; a named pipe is an error, not a long wait.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    return _open(path)[0]


def _open(path: Path) -> tuple[int, int]:
    """A descriptor, and the size."""
    path = os.fsdecode(path)  # as errors show it
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode):
        return fd, found.st_size
    os.close(fd)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "not a regular file", path)


def read_file(path: Path, limits: Any = None, jpeg: bool = False) -> bytes:
    """The content of a regular file.

    Args:
        path: Its path.
        limits: What larger files are refused.
        jpeg: Other files are refused, and not read if they are large.

    Raises:
        OSError: It cannot be read, or is no regular file.
        LimitError: It is larger than ``limits`` allow.
        CorruptJPEGError: It is no JPEG; small ones are not looked at.
    """
    fd, nbytes = _open(path)
    try:
        most = None if limits is None else limits.max_file_nbytes
        if most is None:
            most = _native.DEFAULT_LIMITS.max_file_nbytes
        if nbytes > most:
            raise _error(_native.FILE_TOO_LARGE, path, most, nbytes)
        if jpeg and nbytes >= _PEEK_MIN_NBYTES and os.pread(fd, 2, 0) != _SOI:
            raise _error(_native.NOT_JPEG, path, 0, nbytes)
        parts = []
        while nbytes > 0 and (part := os.read(fd, nbytes)):
            parts.append(part)
            nbytes -= len(part)
    finally:
        os.close(fd)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _error(status: int, path: Path, offset: int, nbytes: int) -> Exception:
    return _native.error(status, os.fsdecode(path), offset, nbytes)
