"""Tar shards, read at random: every member is found by an index made once."""

import functools
import glob
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch

from ..._native import MappedFile
from ..sampler import Indices
from .base import Inputs, Layout, OtherFormats, _Given, expand
from .folder import EXTENSIONS
from .paths import PathTable, open_regular
from .remote import RemoteFiles, StorageOptions, is_url
from .tarindex import members, members_of

Target = Literal["auto", "folder", "index"] | str

# Archives mapped at a time, the last ones used, beside those of batches under way:
# Linux gives a process 65,530 mappings.
_MAX_MAPPED = 4096


def split_name(name: str) -> tuple[str, str]:
    """Split ``a/b.seg.png`` into its sample ``a/b`` and its part ``.seg.png``.

    >>> split_name("a.d/b.seg.PNG")
    ('a.d/b', '.seg.png')
    """
    folder, slash, base = name.rpartition("/")
    stem, dot, part = base.partition(".")
    return folder + slash + stem, (dot + part).lower()


class TarShards(_Given):
    """The images in tar archives, each a sample of one data set.

    Samples have the order of the archives and of the members in them; the
    loader shuffles over all of them, as the content is read at random, not as a
    stream. Files that share the name up to its first dot are one sample
    (``7.jpg``, ``7.cls``) and must be neighbours, as webdataset writes them.

    Args:
        paths: Archives or their URLs, or one pattern like ``"train-*.tar"``,
            sorted by name.
        transform: A dctload transform.
        target_transform: Called with each target.
        target: The extension of the member that holds the target: ``"json"`` is
            parsed, ``"txt"`` is text, any other is an integer. ``"folder"``: the
            class is the folder within the archive. ``"index"``: the sample's
            index. ``"auto"``: a member ``cls``, else the folder.
        layout: As in :class:`~dctload.DataLoader`, like the next three.
        dtype: Of the tensors.
        memory_format: Of the tensors.
        apply_orientation: Turn images upright as their EXIF data say.
        other_formats: What to do with images that are not JPEG: ``"convert"``
            through Pillow, ``"skip"``, or ``"error"``.
        storage_options: For URLs, passed to fsspec.

    Attributes:
        classes: With folders as targets, their names.

    The archives are mapped into memory, so they must not shrink meanwhile; those
    behind URLs are read by parts, and for the index, once, from start to end.

    Raises:
        OSError: An archive cannot be read.
        ValueError: An archive is broken, holds no image, or has the parts of a
            sample apart from each other.
    """

    def __init__(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        transform: Any = None,
        target_transform: Callable[[Any], Any] | None = None,
        *,
        target: Target = "auto",
        layout: Layout | None = None,
        dtype: torch.dtype | None = None,
        memory_format: torch.memory_format | None = None,
        apply_orientation: bool | None = None,
        other_formats: OtherFormats = "convert",
        storage_options: StorageOptions = None,
    ):
        if isinstance(paths, (str, os.PathLike)):
            files = _matching(expand(paths), storage_options)
        else:
            files = [expand(path) for path in paths]
        self.shards = files
        self._set_remote(files, storage_options)
        self.classes: list[str] = []
        self._mapped = _mapper()
        self._set_options(
            transform,
            target_transform,
            layout,
            dtype,
            memory_format,
            apply_orientation,
            other_formats,
        )
        self._index(target)

    def _index(self, target: Target) -> None:
        names: list[str] = []
        places: list[tuple[int, int, int]] = []
        labels: list[tuple[int, int, int] | None] = []
        wanted = ".cls" if target == "auto" else f".{target.lstrip('.')}"
        for shard, path in enumerate(self.shards):
            for name, image, label in _samples(path, self._members(path), wanted):
                names.append(name)
                places.append((shard, *image))
                labels.append(label and (shard, *label))
        if not names:
            raise ValueError(f"no image in {', '.join(self.shards) or 'no archive'}")
        self._names = PathTable(names)
        self._places: Indices = np.array(places, np.int64)
        self._make_targets(target, wanted, names, labels)

    def _members(self, path: str) -> Iterator[tuple[str, int, int]]:
        if self._remote is None or not is_url(path):
            return members(path)
        return members_of(self._remote.reader(path), self._remote.size(path), path)

    def _make_targets(
        self,
        target: Target,
        wanted: str,
        names: list[str],
        labels: list[tuple[int, int, int] | None],
    ) -> None:
        if target == "index":
            self._set_targets(None, len(names))
        elif target == "folder" or (target == "auto" and not any(labels)):
            folders = [os.path.dirname(name) for name in names]
            self.classes = sorted(set(folders))
            number = {name: i for i, name in enumerate(self.classes)}
            self._set_targets([number[folder] for folder in folders], len(names))
        else:
            places = []
            for name, label in zip(names, labels, strict=True):
                if label is None:
                    raise ValueError(f"{name}: no member {wanted} beside the image")
                places.append(label)
            contents, failed = self._contents(places)
            for error in failed.values():
                raise error
            given = [
                _parse(bytes(content), wanted, name)
                for content, name in zip(contents, names, strict=True)
            ]
            self._set_targets(given, len(names))

    def __len__(self) -> int:
        return len(self._names)

    def _contents(
        self, places: Sequence[tuple[int, int, int]]
    ) -> tuple[list[Any], dict[int, Exception]]:
        """What lies at (shard, offset, size), and what could not be had."""
        if self._remote is None:
            return [self._content(*place) for place in places], {}
        urls = [self.shards[shard] for shard, _, _ in places]
        contents: list[Any]
        contents, failed = self._remote.read(urls, [place[1:] for place in places])
        return contents, failed

    def _content(self, shard: int, offset: int, size: int) -> Any:
        return self._mapped(self.shards[shard]).part(offset, size)

    def fetch(self, indices: Indices) -> Inputs:
        """The mapped bytes at ``indices``; the kernel is told to read them ahead."""
        places = [(i, j, k) for i, j, k in self._places[indices].tolist()]
        raw, failed = self._contents(places)
        inputs = self._inputs(raw, False, indices)
        inputs.failed = failed
        return inputs

    def name(self, index: int) -> str:
        """Archive and member, ``train-0.tar:dog/7.jpg``."""
        return f"{self.shards[self._places[index, 0]]}:{self._names[index]}"

    def fingerprint(self) -> str:
        """A digest of the members' names, sizes and places."""
        digest = hashlib.blake2b(self._names.digest(), digest_size=16)
        digest.update(self._places.tobytes())
        return digest.hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_mapped": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._mapped = _mapper()


def _mapper() -> Callable[[str], MappedFile]:
    """A function of a path that remembers some of its results."""
    return functools.lru_cache(_MAX_MAPPED)(_map_file)


def _map_file(path: str) -> MappedFile:
    fd = open_regular(path)
    try:
        return MappedFile(fd, path)
    finally:
        os.close(fd)


def _parse(data: bytes, extension: str, name: str) -> Any:
    if extension.endswith("json"):
        return json.loads(data)
    text = data.decode()
    if extension.endswith("txt"):
        return text
    try:
        return int(text)
    except ValueError:
        raise ValueError(
            f"{name}: {extension} holds {text[:40]!r}, no number"
        ) from None


def _matching(pattern: str, options: StorageOptions) -> list[str]:
    if is_url(pattern):
        urls = RemoteFiles(options).glob(pattern) if "*" in pattern else []
        return urls or [pattern]
    return sorted(glob.glob(pattern)) or [pattern]


def _samples(
    path: str, found: Iterator[tuple[str, int, int]], wanted: str
) -> Iterable[tuple[str, tuple[int, int], tuple[int, int] | None]]:
    """Yield (member, image, target) of one archive; both are (offset, size)."""
    done: set[str] = set()
    parts: set[str] = set()
    key = name = None
    image = label = None
    for member, offset, size in found:
        member_key, part = split_name(member)
        if member_key != key:
            if image is not None and name is not None:
                yield name, image, label
            if key is not None:
                done.add(key)
            if member_key in done:
                raise ValueError(
                    f"{path}: the files of sample {member_key!r} are not next to "
                    "each other; write the archive sorted by name"
                )
            key, image, label, parts = member_key, None, None, set()
        if member in parts:
            raise ValueError(f"{path}: {member} is in it twice")
        parts.add(member)
        if part == wanted:
            label = offset, size
        elif part.endswith(EXTENSIONS) and image is None:
            name, image = member, (offset, size)
    if image is not None and name is not None:
        yield name, image, label
