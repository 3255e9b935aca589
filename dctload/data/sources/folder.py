"""A folder with one folder of images per class."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from ..sampler import Indices
from .base import Inputs, Layout, OtherFormats, _Given, expand
from .paths import PathTable, Samples
from .remote import RemoteFiles, StorageOptions

# torchvision's list, so that both give the same samples of the same folder.
EXTENSIONS = (
    ".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp",
)  # fmt: skip


# Folders below one, each with the names of the files in it.
Walk = Callable[[str], Iterable[tuple[str, list[str]]]]


def find_classes(root: str) -> list[str]:
    """The class names, which are the names of the folders in ``root``, sorted."""
    with os.scandir(root) as entries:
        classes = sorted(entry.name for entry in entries if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"{root}: no folder in it, so there is no class")
    return classes


def walk(top: str) -> Iterator[tuple[str, list[str]]]:
    """Every folder from ``top`` down, links followed, and the files in it.

    Raises:
        OSError: A folder cannot be listed, or links to one that it lies in.
    """
    yield from _walk(top, ())


def _walk(
    folder: str, above: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, list[str]]]:
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                inside = folders if entry.is_dir() else files
            except OSError:  # links that lead nowhere: a file that is missing
                inside = files
            inside.append(entry.name)
    yield folder, files
    if not folders:
        return
    # A circle closes at a link, but to see it all folders above must be known.
    status = os.stat(folder)
    here = status.st_dev, status.st_ino
    if here in above:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), folder)
    for inner in folders:
        yield from _walk(os.path.join(folder, inner), (*above, here))


def remote_folders(root: str, remote: RemoteFiles) -> tuple[list[str], Walk]:
    """The class names below a URL, and what lists a class's folders."""
    top = root.rstrip("/")
    classes: dict[str, dict[str, list[str]]] = {}
    for path in remote.list(root):
        folder, _, name = path.rpartition("/")
        if folder:
            inside = classes.setdefault(folder.split("/", 1)[0], {})
            inside.setdefault(f"{top}/{folder}", []).append(name)
    if not classes:
        raise FileNotFoundError(f"{root}: no folder in it, so there is no class")
    return sorted(classes), lambda url: classes[url.rpartition("/")[2]].items()


def find_files(
    root: str,
    classes: list[str],
    is_valid: Callable[[str], bool],
    allow_empty: bool,
    found: Walk,
) -> tuple[list[str], list[int]]:
    """Every image below each class's folder, in torchvision's order."""
    paths: list[str] = []
    targets: list[int] = []
    empty = []
    for target, name in enumerate(classes):
        before = len(paths)
        for folder, files in sorted(found(os.path.join(root, name))):
            start = os.path.join(folder, "")
            paths += filter(is_valid, [start + file for file in sorted(files)])
        targets += [target] * (len(paths) - before)
        if len(paths) == before:
            empty.append(name)
    if empty and not allow_empty:
        raise FileNotFoundError(
            f"{root}: no image for {len(empty)} of {len(classes)} classes: "
            f"{', '.join(empty[:10])}; allow_empty=True accepts that"
        )
    return paths, targets


class ImageFolder(_Given):
    """Images in one folder per class: ``root/dog/1.jpg``, ``root/cat/a/2.jpg``.

    Classes and samples are those of ``torchvision.datasets.ImageFolder``, in the
    same order. The folder is listed once, now; files are read when asked for.

    Args:
        root: The folder that holds the classes' folders, or its URL.
        transform: A dctload transform. Pixel transforms do not work here.
        target_transform: Called with each class number.
        is_valid_file: Decides which paths are images; by default the file
            extension does.
        allow_empty: Accept classes without an image.
        layout: As in :class:`~dctload.DataLoader`, like the next three.
        dtype: Of the tensors.
        memory_format: Of the tensors.
        apply_orientation: Turn images upright as their EXIF data say.
        other_formats: What to do with files that are not JPEG: ``"convert"``
            through Pillow, ``"skip"``, or ``"error"``.
        storage_options: For URLs, passed to fsspec.

    Attributes:
        classes: Class names; the target of a sample is an index into these.
        class_to_idx: The same the other way round.
        root: As given.

    Raises:
        FileNotFoundError: There is no class, or a class has no image.
        OSError: A folder cannot be listed, or links lead around in circles.

    Immutable, so threads may share it.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Any = None,
        target_transform: Callable[[Any], Any] | None = None,
        *,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        layout: Layout | None = None,
        dtype: torch.dtype | None = None,
        memory_format: torch.memory_format | None = None,
        apply_orientation: bool | None = None,
        other_formats: OtherFormats = "convert",
        storage_options: StorageOptions = None,
    ):
        self.root = expand(root)
        self._set_remote([self.root], storage_options)
        found: Walk = walk
        if self._remote is None:
            self.classes = find_classes(self.root)
        else:
            self.classes, found = remote_folders(self.root, self._remote)
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        is_valid = is_valid_file or (lambda path: path.lower().endswith(EXTENSIONS))
        paths, targets = find_files(
            self.root, self.classes, is_valid, allow_empty, found
        )
        self._paths = PathTable(paths)
        self._labels = np.asarray(targets, dtype=np.int64)
        self._targets = self._labels
        self._set_options(
            transform,
            target_transform,
            layout,
            dtype,
            memory_format,
            apply_orientation,
            other_formats,
        )

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def samples(self) -> Samples:
        """(path, class number) of every sample."""
        return Samples(self._paths, self._labels)

    imgs = samples

    @property
    def targets(self) -> list[int]:
        """The class number of every sample."""
        targets: list[int] = self._labels.tolist()
        return targets

    def fetch(self, indices: Indices) -> Inputs:
        """The paths at ``indices``; the engine reads the files."""
        return self._fetch_files(self._paths, indices)

    def name(self, index: int) -> str:
        """The path of the sample."""
        return self._paths[index]

    def fingerprint(self) -> str:
        """A digest of the paths below ``root``: the folder may be moved."""
        if self.is_remote:
            start = self.root.rstrip("/") + "/"
        else:
            start = os.path.join(self.root, "")
        below = self._paths.digest(skip=len(os.fsencode(start)))
        return hashlib.blake2b(below, digest_size=16).hexdigest()
