"""Files behind URLs, many at a time, through fsspec (``dctload[remote]``).

A batch is one call, which file systems that can (HTTP, S3, GCS) answer with requests
that overlap. The loader makes these calls in threads, some batches ahead.
"""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

StorageOptions = Mapping[str, Any] | None


def is_url(path: str) -> bool:
    """Whether ``path`` is for fsspec; ``file://`` is a local path."""
    return "://" in path and not path.startswith("file://")


def local(path: str) -> str:
    """A ``file://`` URL as a path, any other path as it is."""
    return path.removeprefix("file://")


def open_filesystem(url: str, options: StorageOptions) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise ImportError(
            f"{url}: URLs need fsspec: pip install 'dctload[remote]'"
        ) from None
    found: tuple[Any, str] = url_to_fs(url, **(options or {}))
    return found


def os_error(error: BaseException, url: str) -> OSError:
    """An error of any file system as one of the operating system's, with the URL."""
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url)
    if isinstance(error, PermissionError):
        return PermissionError(errno.EACCES, os.strerror(errno.EACCES), url)
    text = " ".join(str(error).split()) or "no reason given"
    return OSError(errno.EIO, f"{type(error).__name__}: {text}", url)


class RemoteFiles:
    """Reads files, or parts of them. May be pickled; connections are not.

    Args:
        options: Passed to fsspec: credentials, endpoints.
    """

    def __init__(self, options: StorageOptions = None):
        self.options = dict(options or {})

    def read(
        self, urls: Sequence[str], parts: Sequence[tuple[int, int]] | None = None
    ) -> tuple[list[bytes], dict[int, Exception]]:
        """The content of each, and what went wrong with those that are left empty.

        Args:
            urls: One for each file; they may be of different file systems.
            parts: (offset, size) in each; None for whole files.
        """
        data: list[bytes] = [b""] * len(urls)
        failed: dict[int, Exception] = {}
        for filesystem, places, paths in self._by_filesystem(urls):
            starts: Any = [parts[i][0] for i in places] if parts else None
            ends: Any = [sum(parts[i]) for i in places] if parts else None
            found = filesystem.cat_ranges(paths, starts, ends, on_error="return")
            for i, content in zip(places, found, strict=True):
                if isinstance(content, BaseException):
                    failed[i] = os_error(content, urls[i])
                elif parts and len(content) != parts[i][1]:
                    failed[i] = _wrong_size(urls[i], *parts[i], len(content))
                else:
                    data[i] = content
        return data, failed

    def _by_filesystem(
        self, urls: Sequence[str]
    ) -> list[tuple[Any, list[int], list[str]]]:
        groups: dict[int, tuple[Any, list[int], list[str]]] = {}
        for i, url in enumerate(urls):
            filesystem, path = open_filesystem(url, self.options)
            _, places, paths = groups.setdefault(id(filesystem), (filesystem, [], []))
            places.append(i)
            paths.append(path)
        return list(groups.values())

    def size(self, url: str) -> int:
        """Bytes of a file.

        Raises:
            OSError: It cannot be found, or does not say.
        """
        filesystem, path = open_filesystem(url, self.options)
        try:
            size = filesystem.size(path)
        except Exception as error:
            raise os_error(error, url) from error
        if size is None:
            raise OSError(errno.EIO, "the server does not tell the size", url)
        return int(size)

    def reader(self, url: str) -> Callable[[int, int], bytes]:
        """A function of (size, offset) for reading small parts in ascending order.

        What lies between them is read too, in large pieces: it costs less than a
        request for each header.
        """
        filesystem, path = open_filesystem(url, self.options)
        try:
            file = filesystem.open(path, "rb")
        except Exception as error:
            raise os_error(error, url) from error

        def read(size: int, offset: int) -> bytes:
            try:
                file.seek(offset)
                content: bytes = file.read(size)
            except Exception as error:
                raise os_error(error, url) from error
            return content

        return read

    def glob(self, pattern: str) -> list[str]:
        """URLs that match, sorted."""
        filesystem, path = open_filesystem(pattern, self.options)
        try:
            found = filesystem.glob(path)
        except Exception as error:
            raise os_error(error, pattern) from error
        return [filesystem.unstrip_protocol(path) for path in sorted(found)]

    def list(self, root: str) -> list[str]:
        """Paths of all files below ``root``, from there on, with slashes.

        Raises:
            FileNotFoundError: There is no such folder.
        """
        filesystem, path = open_filesystem(root, self.options)
        path = path.rstrip("/") + "/"
        try:
            found = filesystem.find(path)
        except Exception as error:
            raise os_error(error, root) from error
        if not found:
            raise FileNotFoundError(errno.ENOENT, "no file in it", root)
        return [file[len(path) :] for file in found if file.startswith(path)]


def _wrong_size(url: str, offset: int, size: int, got: int) -> OSError:
    return OSError(
        errno.EIO,
        f"asked for {size} bytes at byte {offset} and got {got}: the file has "
        "changed, or the server does not serve parts of files",
        url,
    )
