"""A folder with one folder of images per class."""

import hashlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..sampler import Indices
from .base import Inputs, Layout, OtherFormats, _Given, expand
from .paths import PathTable, Samples

# torchvision's list, so that both give the same samples of the same folder.
EXTENSIONS = (
    ".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp",
)  # fmt: skip


def find_classes(root: str) -> tuple[list[str], dict[str, int]]:
    """The class names, which are the names of the folders in ``root``, sorted."""
    with os.scandir(root) as entries:
        classes = sorted(entry.name for entry in entries if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"{root}: no folder in it, so there is no class")
    return classes, {name: i for i, name in enumerate(classes)}


def find_files(
    root: str, classes: list[str], is_valid: Callable[[str], bool], allow_empty: bool
) -> tuple[list[str], list[int]]:
    """Every image below each class's folder, in torchvision's order."""
    paths: list[str] = []
    targets: list[int] = []
    empty = []
    for target, name in enumerate(classes):
        before = len(paths)
        walk = os.walk(os.path.join(root, name), followlinks=True)
        for folder, _, files in sorted(walk):
            found = [os.path.join(folder, file) for file in sorted(files)]
            paths += filter(is_valid, found)
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
        root: The folder that holds the classes' folders.
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

    Attributes:
        classes: Class names; the target of a sample is an index into these.
        class_to_idx: The same the other way round.
        root: As given.

    Raises:
        FileNotFoundError: There is no class, or a class has no image.

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
    ):
        self.root = expand(root)
        self.classes, self.class_to_idx = find_classes(self.root)
        is_valid = is_valid_file or (lambda path: path.lower().endswith(EXTENSIONS))
        paths, targets = find_files(self.root, self.classes, is_valid, allow_empty)
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
        return self._inputs(self._paths.take(indices), True, indices)

    def name(self, index: int) -> str:
        """The path of the sample."""
        return self._paths[index]

    def fingerprint(self) -> str:
        """A digest of the paths below ``root``: the folder may be moved."""
        below = self._paths.digest(skip=len(os.fsencode(self.root)))
        return hashlib.blake2b(below, digest_size=16).hexdigest()
