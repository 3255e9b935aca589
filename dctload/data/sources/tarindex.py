"""Where the members of a tar archive begin, from its headers alone.

Python's tarfile makes an object of 20 attributes a member; an index of a
million members needs three numbers and a name. Reads ustar, GNU long names and
the path and size of pax headers.
"""

import functools
import os
from collections.abc import Callable, Iterator

from ..._files import open_regular

_BLOCK = 512
_REGULAR = (b"0", b"\0", b"7")


def _number(field: bytes) -> int:
    """An octal number, or base 256 where the first bit is set (GNU)."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    return int(field.split(b"\0")[0].strip() or b"0", 8)


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _pax(data: bytes) -> dict[bytes, bytes]:
    """The records of a pax header: "LENGTH KEY=VALUE" and a line feed, in turn."""
    records = {}
    while data and data[:1] != b"\0":
        length = int(data.split(b" ", 1)[0])
        keyword, _, value = data[:length].partition(b" ")[2].partition(b"=")
        records[keyword] = value[:-1]
        data = data[length:]
    return records


# A function of (size, offset) that gives the bytes there.
Read = Callable[[int, int], bytes]


def members(path: str) -> Iterator[tuple[str, int, int]]:
    """Yield (name, offset of the content, its size) of every regular file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is no tar archive, or breaks off.
    """
    fd = open_regular(path)
    try:
        total = os.fstat(fd).st_size
        yield from members_of(functools.partial(os.pread, fd), total, path)
    finally:
        os.close(fd)


def members_of(read: Read, total: int, path: str) -> Iterator[tuple[str, int, int]]:
    """The same of an archive of ``total`` bytes that is read by ``read``."""
    offset, last = 0, "its start"
    long_name: bytes | None = None
    pax: dict[bytes, bytes] = {}
    while True:
        if offset >= total:
            # Cut where a member ends: tarfile would take it for the whole.
            raise ValueError(f"{path}: breaks off after {last}, without an end")
        header = read(_BLOCK, offset)
        if not header.strip(b"\0"):
            return  # the end of an archive is a block of zeroes
        name, kind, size = _header(header, path, offset)
        if b"size" in pax and kind in _REGULAR:
            size = int(pax[b"size"])
        content, offset = offset + _BLOCK, offset + _BLOCK + -(-size // _BLOCK) * _BLOCK
        if content + size > total:
            raise ValueError(f"{path}: breaks off within {os.fsdecode(name)}")
        if kind == b"L":
            long_name = _text(read(size, content))
        elif kind == b"x":
            pax = _pax(read(size, content))
        else:
            if kind in _REGULAR:
                name = pax.get(b"path", long_name or name)
                last = os.fsdecode(name)
                yield last, content, size
            long_name, pax = None, {}


def _header(header: bytes, path: str, offset: int) -> tuple[bytes, bytes, int]:
    try:
        given = _number(header[148:156])
        size = _number(header[124:136])
    except (ValueError, IndexError):
        given, size = -1, 0
    # The checksum counts its own field as spaces.
    blank = header[:148] + b" " * 8 + header[156:]
    if len(header) < _BLOCK or sum(blank) != given:
        raise ValueError(f"{path}: no tar header at byte {offset}")
    name = _text(header[:100])
    if header[257:263] == b"ustar\0" and (prefix := _text(header[345:500])):
        name = prefix + b"/" + name
    return name, header[156:157], size
