"""A list of files."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from ..sampler import Indices
from .base import Inputs, Layout, OtherFormats, _Given, expand
from .paths import PathTable
from .remote import StorageOptions


class Files(_Given):
    """The images at ``paths``, in this order.

    Args:
        paths: The files, or their URLs; read when a sample is asked for.
        targets: One for each file, of any kind that torch can collate. None:
            the target of a sample is its index, so a prediction, or what is
            left after ``on_error="skip"``, can be traced to its file.
        transform: A dctload transform.
        target_transform: Called with each target.
        layout: As in :class:`~dctload.DataLoader`, like the next three.
        dtype: Of the tensors.
        memory_format: Of the tensors.
        apply_orientation: Turn images upright as their EXIF data say.
        other_formats: What to do with files that are not JPEG: ``"convert"``
            through Pillow, ``"skip"``, or ``"error"``.
        storage_options: For URLs, passed to fsspec.

    Immutable, so threads may share it.

    >>> Files(["a.jpg", "b.jpg"], targets=[3, 5]).targets
    [3, 5]
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        targets: Sequence[Any] | None = None,
        transform: Any = None,
        target_transform: Callable[[Any], Any] | None = None,
        *,
        layout: Layout | None = None,
        dtype: torch.dtype | None = None,
        memory_format: torch.memory_format | None = None,
        apply_orientation: bool | None = None,
        other_formats: OtherFormats = "convert",
        storage_options: StorageOptions = None,
    ):
        if isinstance(paths, (str, bytes, os.PathLike)):
            raise TypeError(f"paths must be several paths, got {paths!r}")
        names = [expand(path) for path in paths]
        self._paths = PathTable(names)
        self._set_remote(names, storage_options)
        self._set_targets(targets, len(self._paths))
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
    def targets(self) -> Sequence[Any]:
        """The targets given, before ``target_transform``."""
        if self._targets is not None:
            targets: list[int] = self._targets.tolist()
            return targets
        assert self._other_targets is not None
        return self._other_targets

    def fetch(self, indices: Indices) -> Inputs:
        """The paths at ``indices``; the engine reads the files."""
        return self._fetch_files(self._paths, indices)

    def name(self, index: int) -> str:
        """The path of the sample."""
        return self._paths[index]

    def fingerprint(self) -> str:
        """A digest of the paths from the folder that holds all: it may be moved."""
        below = self._paths.digest(self._paths.folder_nbytes())
        digest = hashlib.blake2b(below, digest_size=16)
        return digest.hexdigest()
