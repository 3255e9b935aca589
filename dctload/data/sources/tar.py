"""Tar shards, read at random: every member is found by an index made once."""

import functools
import glob
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch

from ..._files import open_regular
from ..._native import MappedFile
from ..sampler import Indices
from .base import Inputs, Layout, OtherFormats, _Given, expand
from .folder import EXTENSIONS
from .paths import PathTable
from .remote import RemoteFiles, StorageOptions, is_url
from .tarindex import members, members_of

Target = Literal["auto", "folder", "index"] | str

# Archives mapped at a time, the last ones used, beside those of batches under way:
# Linux gives a process 65,530 mappings.
_MAX_MAPPED = 4096
_JPEG = (".jpg", ".jpeg")


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
    (``7.jpg``, ``7.cls``) and must be neighbours, as webdataset writes them. Of
    several images ``7.jpg`` is the sample's, if the others are no JPEG. Where all
    files of a name are JPEG files with more dots (``2019.05.01.jpg``,
    ``2019.05.02.jpg``), and their targets, each is a sample. Links to files of the
    archive are these files under another name.

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
        ValueError: An archive is broken, holds no image, has the parts of a sample
            apart from each other, or two images for one.
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


_Place = tuple[int, int]  # offset and size


def _samples(
    path: str, found: Iterator[tuple[str, int, int]], wanted: str
) -> Iterable[tuple[str, _Place, _Place | None]]:
    """Yield (member, image, target) of one archive."""
    done: set[str] = set()
    for key, group in itertools.groupby(found, lambda member: split_name(member[0])[0]):
        if key in done:
            raise ValueError(
                f"{path}: the files of sample {key!r} are not next to each other; "
                "write the archive sorted by name"
            )
        done.add(key)
        names: dict[str, str] = {}
        places: dict[str, _Place] = {}
        for name, offset, size in group:
            part = split_name(name)[1]
            if name in names.values():
                raise ValueError(f"{path}: {name} is in it twice")
            names[part], places[part] = name, (offset, size)
        for part in _images(path, key, names, wanted):
            # A dotted name goes on to its last dot, and so does that of its target.
            label = places.get(_stem(part) + wanted, places.get(wanted))
            yield names[part], places[part], label


def _images(path: str, key: str, names: dict[str, str], wanted: str) -> list[str]:
    """Which of a key's parts are images; several are samples with dots in the name.

    Raises:
        ValueError: It cannot be told which of several is the image.
    """
    images = [p for p in names if p.endswith(EXTENSIONS) and p != wanted]
    if len(images) < 2:
        return images
    jpeg = [part for part in images if part.endswith(_JPEG)]
    if len(jpeg) == 1 and jpeg[0] in _JPEG:
        return jpeg
    stems = {_stem(part) for part in images}
    dotted = len(stems) == len(images) == len(jpeg) and "" not in stems
    if dotted and stems == {_stem(part) for part in names}:
        return images
    one, other, *_ = (names[part] for part in images)
    raise ValueError(
        f"{path}: {one} and {other} are both images of sample {key!r}, whose name ends "
        f"at the first dot. Only {key}.jpg beside others that are no JPEG is told from "
        "them: leave one out, or write names without dots"
    )


def _stem(part: str) -> str:
    return part.rpartition(".")[0]
