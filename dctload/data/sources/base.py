"""What every data set here offers to the loader.

A source hands out compressed bytes or paths, many at a time; it never decodes.
What else belongs to a sample (its target) travels beside them.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from ..sampler import Indices
from .paths import PathTable
from .remote import RemoteFiles, StorageOptions, is_url, local

OtherFormats = Literal["convert", "error", "skip"]
Layout = Literal["concat", "planes"]
# A file by its path (str), or the bytes of a file (anything with a buffer).
Raw = Any


@dataclass(frozen=True)
class Options:
    """How images become tensors; None where a data set leaves it to the loader.

    Attributes:
        transform: A dctload transform, or several in a list.
        layout: ``"concat"``, one tensor, or ``"planes"``, luma and chroma apart.
        dtype: Of the tensors.
        memory_format: ``torch.contiguous_format`` or ``torch.channels_last``.
        apply_orientation: Turn images upright as their EXIF data say.
    """

    transform: Any = None
    layout: Layout | None = None
    dtype: torch.dtype | None = None
    memory_format: torch.memory_format | None = None
    apply_orientation: bool | None = None

    def __post_init__(self) -> None:
        if self.layout is not None and self.layout not in get_args(Layout):
            raise ValueError(
                f"layout must be one of {get_args(Layout)}, got {self.layout!r}"
            )
        if self.dtype is not None and not isinstance(self.dtype, torch.dtype):
            raise TypeError(f"dtype must be a torch.dtype, got {self.dtype!r}")
        formats = (None, torch.contiguous_format, torch.channels_last)
        if self.memory_format not in formats:
            raise ValueError(
                "memory_format must be torch.contiguous_format or "
                f"torch.channels_last, got {self.memory_format}"
            )

    def over(self, other: "Options") -> "Options":
        """These options, and where they are None those of ``other``."""
        mine = {name: value for name, value in vars(self).items() if value is not None}
        return replace(other, **mine)


DEFAULTS = Options(None, "concat", torch.float32, torch.contiguous_format, True)


@dataclass(frozen=True)
class Slot:
    """The place of the image in a sample: a position, a key, or the whole of it."""

    key: int | str | None

    def get(self, sample: Any) -> Any:
        """The image of ``sample``."""
        return sample if self.key is None else sample[self.key]

    def put(self, sample: Any, image: Any) -> Any:
        """A sample like ``sample``, if there is one, with ``image`` in its place."""
        if self.key is None or sample is None:
            return image
        if isinstance(self.key, str):
            return {**sample, self.key: image}
        rest = list(sample)
        rest[self.key] = image
        return _like(sample, rest, tuple)

    def collate(self, samples: Sequence[Any], images: Any) -> Any:
        """What torch's ``default_collate`` gives, with ``images`` collated already."""
        if self.key is None:
            return images
        if isinstance(self.key, str):
            return {
                key: images
                if key == self.key
                else default_collate([sample[key] for sample in samples])
                for key in samples[0]
            }
        columns: list[Any] = list(zip(*samples, strict=True))
        batch = [
            images if i == self.key else default_collate(column)
            for i, column in enumerate(columns)
        ]
        return _like(samples[0], batch, list)


def _like(sample: Any, parts: list[Any], kind: Callable[[Any], Any]) -> Any:
    """Named tuples stay what they are, as torch has it; others become ``kind``."""
    return type(sample)(*parts) if hasattr(sample, "_fields") else kind(parts)


@dataclass
class Inputs:
    """The compressed images of one batch and what goes with them.

    Attributes:
        raw: A path (bytes) or the content (another buffer) of each file.
        is_path: Whether ``raw`` are paths, the same for all.
        targets: Integer targets, if that is all a sample has beside its image.
        samples: Otherwise the samples, with anything in the image's place.
        slot: Where the image belongs in a sample.
        failed: Places whose content could not be had (``raw`` is empty), and why.
    """

    raw: Sequence[Raw]
    is_path: bool
    targets: Indices | None = None
    samples: list[Any] | None = None
    slot: Slot = field(default=Slot(0))
    failed: dict[int, Exception] = field(default_factory=dict)
    _has_boxes: bool | None = None

    def __len__(self) -> int:
        return len(self.raw)

    def put(self, place: int, other: "Inputs") -> None:
        """Let the only sample of ``other`` stand at ``place``."""
        if self.targets is not None and other.targets is not None:
            self.targets[place] = other.targets[0]
        if self.samples is not None and other.samples is not None:
            self.samples[place] = other.samples[0]

    def has_boxes(self) -> bool:
        """Whether targets hold tv_tensors, which move with the image."""
        if self.samples is None or "torchvision.tv_tensors" not in sys.modules:
            return False
        if self._has_boxes is None:
            self._has_boxes = any(map(_has_tv_tensor, self.samples))
        return self._has_boxes

    def move(self, place: int, log: Any, size: tuple[int, int], i: int = 0) -> None:
        """Let boxes follow the image of ``size`` by entry ``i`` of the log."""
        from ...transforms._targets import move

        if self.samples is not None:
            self.samples[place] = move(self.samples[place], log, size, i)

    def keep(self, places: list[int]) -> None:
        """Leave out what goes with the images at other places."""
        if self.targets is not None:
            self.targets = self.targets[places]
        if self.samples is not None:
            self.samples = [self.samples[place] for place in places]

    def collate(self, images: Any) -> Any:
        """A batch of ``images`` as torch's ``default_collate`` makes it."""
        if self.targets is not None:
            return [images, torch.from_numpy(self.targets)]
        assert self.samples is not None
        return self.slot.collate(self.samples, images)

    def uncollated(self, images: Sequence[Any]) -> list[Any]:
        """One sample per image, for a ``collate_fn`` of the user's."""
        if self.targets is not None:
            return list(zip(images, self.targets.tolist(), strict=True))
        assert self.samples is not None
        pairs = zip(self.samples, images, strict=True)
        return [self.slot.put(sample, image) for sample, image in pairs]


def _has_tv_tensor(value: Any) -> bool:
    """Whether there is a torchvision tv_tensor anywhere in ``value``."""
    if isinstance(value, dict):
        return any(map(_has_tv_tensor, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_has_tv_tensor, value))
    return type(value).__module__.startswith("torchvision.tv_tensors")


class Source(Dataset[Any]):
    """A data set that the loader reads natively.

    ``source[i]`` gives one sample as a batch would hold it, with random
    transforms drawing from torch's default generator.

    Subclasses give ``__len__``, ``fetch``, ``name`` and ``fingerprint``.
    """

    options = Options()
    other_formats: OtherFormats = "convert"
    # Whether fetch() waits for other machines, so that it had better be called ahead.
    is_remote: bool = False

    def __len__(self) -> int:
        raise NotImplementedError

    def fetch(self, indices: Indices) -> Inputs:
        """The compressed images at ``indices``, in this order. Decodes nothing."""
        raise NotImplementedError

    def name(self, index: int) -> str:
        """What an error message calls the sample."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """A digest of which samples there are and of their order."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self):,} samples>"

    def __getitem__(self, index: int) -> Any:
        from .._slow import load_one

        num = len(self)
        if not -num <= index < num:
            raise IndexError(f"index {index} of a data set of {num} samples")
        return load_one(self, index % num)


class _Given(Source):
    """A source with a target for each sample, and options of its own."""

    target_transform: Callable[[Any], Any] | None = None
    _targets: Indices | None = None
    _other_targets: Sequence[Any] | None = None
    _remote: RemoteFiles | None = None

    def _set_targets(self, targets: Sequence[Any] | None, num: int) -> None:
        if targets is None:
            self._targets = np.arange(num)
            return
        if hasattr(targets, "to_numpy"):  # a data frame's column has its own index
            targets = targets.to_numpy()
        if len(targets) != num:
            raise ValueError(f"{num} files but {len(targets)} targets")
        first = targets[0] if num else 0
        if isinstance(first, (int, np.integer)) and not isinstance(first, bool):
            array = np.asarray(targets)
            if array.ndim == 1 and array.dtype.kind in "iu":
                self._targets = array.astype(np.int64)
                return
        self._other_targets = targets

    def _target(self, index: int) -> Any:
        if self._targets is not None:
            target: Any = int(self._targets[index])
        else:
            assert self._other_targets is not None
            target = self._other_targets[index]
        return self.target_transform(target) if self.target_transform else target

    def _inputs(self, raw: Sequence[Raw], is_path: bool, indices: Indices) -> Inputs:
        if self._targets is not None and self.target_transform is None:
            return Inputs(raw, is_path, targets=self._targets[indices])
        samples = [(None, self._target(i)) for i in indices.tolist()]
        return Inputs(raw, is_path, samples=samples)

    def _set_remote(self, paths: Sequence[str], options: StorageOptions) -> None:
        """Read through fsspec if one of the paths is a URL."""
        if any(map(is_url, paths)):
            self._remote, self.is_remote = RemoteFiles(options), True

    def _fetch_files(self, paths: PathTable, indices: Indices) -> Inputs:
        """Files for the engine to read, or their content if it cannot."""
        if self._remote is None:
            return self._inputs(paths.take(indices), True, indices)
        urls = [paths[i] for i in indices.tolist()]
        data, failed = self._remote.read(urls)
        inputs = self._inputs(data, False, indices)
        inputs.failed = failed
        return inputs

    def _set_options(
        self,
        transform: Any,
        target_transform: Callable[[Any], Any] | None,
        layout: Layout | None,
        dtype: torch.dtype | None,
        memory_format: torch.memory_format | None,
        apply_orientation: bool | None,
        other_formats: OtherFormats,
    ) -> None:
        if other_formats not in get_args(OtherFormats):
            raise ValueError(
                f"other_formats must be one of {get_args(OtherFormats)}, "
                f"got {other_formats!r}"
            )
        self.options = Options(
            transform, layout, dtype, memory_format, apply_orientation
        )
        self.target_transform = target_transform
        self.other_formats = other_formats

    @property
    def transform(self) -> Any:
        """The dctload transform given."""
        return self.options.transform


def expand(path: str | os.PathLike[str]) -> str:
    """The path as a string, with ``~`` replaced; URLs stay, but for ``file://``."""
    text = local(os.fspath(path))
    return text if is_url(text) else os.path.expanduser(text)
