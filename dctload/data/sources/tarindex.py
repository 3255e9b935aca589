"""Where the members of a tar archive begin, from its headers alone.

Python's tarfile makes an object of 20 attributes a member; an index of a
million members needs three numbers and a name. Reads ustar, GNU long names and
the path, link and size of pax headers.
"""

import functools
import os
import posixpath
from collections.abc import Callable, Iterator

from ..._files import open_regular
from .folder import EXTENSIONS

_BLOCK = 512
_REGULAR = (b"0", b"\0", b"7")
_HARD, _SYMBOLIC = b"1", b"2"
_LINKS = (_HARD, _SYMBOLIC)
# Whatever size such a header has, no content follows: links, devices, folders, pipes.
_EMPTY = (*_LINKS, b"3", b"4", b"5", b"6")
# Members that hold a long name of the next one, and its key in pax headers.
_GNU_LONG = {b"L": b"path", b"K": b"linkpath"}
_MAX_LINKS = 40  # as Linux


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
    """Yield (name, offset of the content, its size) of every file.

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
    """The same of an archive of ``total`` bytes that is read by ``read``.

    Links to files of the archive are these files under another name.
    """
    table: dict[str, tuple[int, int] | str] | None = None
    for name, kind, offset, size, target in _entries(read, total, path):
        if kind in _LINKS:
            if table is None:  # few archives have any; then all headers are read twice
                table = _table(_entries(read, total, path))
            found = _followed(table, name, target, path)
            if found is None:
                continue
            offset, size = found
        elif kind not in _REGULAR:
            continue
        yield name, offset, size


# Name, kind, offset and size of the content, and where a link leads.
_Entry = tuple[str, bytes, int, int, str]


def _table(entries: Iterator[_Entry]) -> dict[str, tuple[int, int] | str]:
    """Where the content of each file is, and what each link links to."""
    table: dict[str, tuple[int, int] | str] = {}
    for name, kind, offset, size, target in entries:
        if kind in _REGULAR:
            table[posixpath.normpath(name)] = offset, size
        elif kind in _LINKS:
            table[posixpath.normpath(name)] = target
    return table


def _followed(
    table: dict[str, tuple[int, int] | str], name: str, target: str, path: str
) -> tuple[int, int] | None:
    """Offset and size of the file that a link leads to.

    None if it leads to a folder, or is gone and was not called as an image is.
    """
    found: tuple[int, int] | str | None = target
    for _ in range(_MAX_LINKS):
        if not isinstance(found, str):
            return found
        last, found = found, table.get(found)
        if found is None:
            if not name.lower().endswith(EXTENSIONS):
                return None
            if any(known.startswith(f"{last}/") for known in table):
                return None
            raise ValueError(
                f"{path}: {name} is a link to {last}, which is not in the archive; "
                "write it with the files that links lead to (tar --dereference)"
            )
    raise ValueError(f"{path}: {name} is a link that leads around in circles")


def _entries(read: Read, total: int, path: str) -> Iterator[_Entry]:
    """Yield what the headers say of each member."""
    offset, last = 0, "its start"
    long: dict[bytes, bytes] = {}
    while True:
        if offset >= total:
            # Cut where a member ends: tarfile would take it for the whole.
            raise ValueError(f"{path}: breaks off after {last}, without an end")
        header = read(_BLOCK, offset)
        if not header.strip(b"\0"):
            return  # the end of an archive is a block of zeroes
        name, kind, size = _header(header, path, offset)
        if b"size" in long and kind in _REGULAR:
            size = int(long[b"size"])
        content, offset = offset + _BLOCK, offset + _BLOCK + -(-size // _BLOCK) * _BLOCK
        if content + size > total:
            raise ValueError(f"{path}: breaks off within {os.fsdecode(name)}")
        if kind in _GNU_LONG:
            long[_GNU_LONG[kind]] = _text(read(size, content))
        elif kind == b"x":
            long |= _pax(read(size, content))
        else:
            last = os.fsdecode(long.get(b"path", name))
            if kind == b"S" or any(key.startswith(b"GNU.sparse.") for key in long):
                raise ValueError(
                    f"{path}: {last} is stored without its zeroes; write the archive "
                    "without --sparse"
                )
            target = long.get(b"linkpath", _text(header[157:257]))
            yield last, kind, content, size, _target(last, kind, target)
            long = {}


def _target(name: str, kind: bytes, target: bytes) -> str:
    """Where a link leads, as a path in the archive."""
    if kind not in _LINKS:
        return ""
    folder = posixpath.dirname(name) if kind == _SYMBOLIC else ""
    return posixpath.normpath(posixpath.join(folder, os.fsdecode(target)))


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
    kind = header[156:157]
    return name, kind, 0 if kind in _EMPTY else size
