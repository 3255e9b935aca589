"""Data sets made for other loaders, seen as sources."""

import bisect
import copy
import hashlib
import itertools
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import ConcatDataset, IterableDataset, Subset

from ..._files import read_file
from ...errors import CorruptJPEGError, DctloadError, add_note
from ..sampler import Indices, checked
from .base import Inputs, Options, Raw, Slot, Source
from .translate import equivalent, is_native

_ACCEPTED = (
    "a dctload or torchvision ImageFolder, Files, TarShards, a Subset or "
    "ConcatDataset of these, a Hugging Face data set with an image column, or any "
    "map-style data set whose samples are (JPEG bytes or path, target, ...)"
)


# Samples looked at for one that can be read.
_MAX_TRIES = 100


def as_source(dataset: Any, given: Options = Options()) -> Source:  # noqa: B008
    """See ``dataset`` as a source.

    Args:
        dataset: Any.
        given: What the loader was told, which comes before the data set's own.

    Raises:
        TypeError: It is none that can be read without decoding pixels; the
            message says what to change.
    """
    if isinstance(dataset, Source):
        return _checked_source(dataset)
    is_torchs = _getter(dataset).__module__.startswith("torch.")
    if isinstance(dataset, Subset) and is_torchs:
        return _Subset(as_source(dataset.dataset, given), dataset.indices)
    if isinstance(dataset, ConcatDataset) and is_torchs:
        parts = [as_source(part, given) for part in dataset.datasets]
        return _Concat(parts, given)
    if isinstance(dataset, IterableDataset):
        raise TypeError(
            f"{type(dataset).__name__} is an IterableDataset, which has no order to "
            f"shuffle, share or resume. The loader takes {_ACCEPTED}."
        )
    if _is_huggingface(dataset):
        return _HuggingFace(dataset)
    if hasattr(dataset, "samples") and hasattr(dataset, "loader"):
        if _getter(dataset).__module__.startswith("torchvision."):
            return _TorchvisionFolder(dataset, given)
        return _ChangedFolder(dataset, given)
    if isinstance(dataset, (str, bytes, os.PathLike)):
        raise TypeError(
            f"got the path {dataset!r}; make a data set of it: ImageFolder for a "
            "folder of classes, Files for a list of files, TarShards for archives"
        )
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
        return _Mapped(dataset)
    raise TypeError(f"got {type(dataset).__name__}; the loader takes {_ACCEPTED}.")


def _getter(dataset: Any) -> type:
    """The class whose code gets samples of ``dataset``, which may not be its own."""
    for kind in type(dataset).__mro__:
        if not vars(kind).keys().isdisjoint(("__getitem__", "__getitems__")):
            return kind
    return object


def _checked_source(source: Source) -> Source:
    """A source whose samples are what ``fetch`` says."""
    order = type(source).__mro__
    fetcher = next(kind for kind in order if "fetch" in vars(kind))
    if order.index(_getter(source)) < order.index(fetcher):
        raise TypeError(
            f"{type(source).__name__} overrides __getitem__, which the loader does not "
            "call: it reads many files at a time. Change targets by target_transform=, "
            "samples by collate_fn=, or override fetch()."
        )
    return source


def _digest(*parts: Any) -> str:
    text = "\0".join(map(str, parts)).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


class _Subset(Source):
    """Some of a source's samples."""

    def __init__(self, source: Source, indices: Any):
        self._source = source
        self._indices: Indices = checked(indices, len(source), "the Subset")
        self.options = source.options
        self.other_formats = source.other_formats
        self.is_remote = source.is_remote

    def __len__(self) -> int:
        return len(self._indices)

    def fetch(self, indices: Indices) -> Inputs:
        return self._source.fetch(self._indices[indices])

    def name(self, index: int) -> str:
        return self._source.name(int(self._indices[index]))

    def fingerprint(self) -> str:
        chosen = hashlib.blake2b(self._indices.tobytes(), digest_size=16)
        return _digest(self._source.fingerprint(), chosen.hexdigest())


class _Concat(Source):
    """Several sources, one after another."""

    def __init__(self, sources: list[Source], given: Options):
        first = sources[0]
        for source in sources[1:]:
            if given.over(source.options) != given.over(first.options):
                raise TypeError(
                    "the parts of a ConcatDataset have different transforms or "
                    "options; give them to the DataLoader instead"
                )
            if source.other_formats != first.other_formats:
                raise TypeError(
                    "the parts of a ConcatDataset differ in other_formats: "
                    f"{first.other_formats!r} and {source.other_formats!r}"
                )
        self._sources = sources
        self.options = first.options
        self.other_formats = first.other_formats
        self.is_remote = any(source.is_remote for source in sources)
        sizes = [len(source) for source in sources]
        self._starts = [0, *itertools.accumulate(sizes)]

    def __len__(self) -> int:
        return self._starts[-1]

    def _locate(self, index: int) -> tuple[Source, int]:
        part = bisect.bisect_right(self._starts, index) - 1
        return self._sources[part], index - self._starts[part]

    def fetch(self, indices: Indices) -> Inputs:
        part = np.searchsorted(self._starts, indices, side="right") - 1
        order = np.argsort(part, kind="stable")
        pieces: list[Inputs] = []
        for number in np.unique(part).tolist():
            chosen = indices[part == number] - self._starts[number]
            pieces.append(self._sources[number].fetch(chosen))
        if len(pieces) == 1:
            return pieces[0]
        return _joined(pieces, np.argsort(order, kind="stable"))

    def name(self, index: int) -> str:
        source, own = self._locate(index)
        return source.name(own)

    def fingerprint(self) -> str:
        return _digest(*(source.fingerprint() for source in self._sources))


def _joined(pieces: list[Inputs], places: Indices) -> Inputs:
    """The inputs of several sources as one, reordered."""
    raw: list[Raw] = []
    failed: dict[int, Exception] = {}
    is_path = all(piece.is_path for piece in pieces)
    for piece in pieces:
        failed |= {len(raw) + i: error for i, error in piece.failed.items()}
        if piece.is_path and not is_path:
            raw += [
                _read(path, len(raw) + i, failed) for i, path in enumerate(piece.raw)
            ]
        else:
            raw += list(piece.raw)
    order = places.tolist()
    result = Inputs([raw[i] for i in order], is_path)
    result.failed = {new: failed[i] for new, i in enumerate(order) if i in failed}
    if all(piece.targets is not None for piece in pieces):
        together = [piece.targets for piece in pieces if piece.targets is not None]
        result.targets = np.concatenate(together)[places]
        return result
    samples: list[Any] = []
    for piece in pieces:
        samples += piece.uncollated([None] * len(piece))
    result.samples = [samples[i] for i in order]
    result.slot = pieces[0].slot
    return result


def _read(path: Any, place: int, failed: dict[int, Exception]) -> bytes:
    """The file; nothing where it cannot be read, which is noted in ``failed``."""
    try:
        return read_file(path)
    except (OSError, DctloadError) as error:
        failed[place] = error
        return b""


class _TorchvisionFolder(Source):
    """torchvision's ImageFolder or DatasetFolder: its paths, not its pixels."""

    def __init__(self, dataset: Any, given: Options):
        self._dataset = dataset
        if given.transform is None:
            self.options = Options(transform=_native_transform(dataset))

    def __len__(self) -> int:
        return len(self._dataset)

    def fetch(self, indices: Indices) -> Inputs:
        samples = self._dataset.samples
        chosen = [samples[i] for i in indices.tolist()]
        raw = [os.fsencode(path) for path, _ in chosen]
        if self._dataset.target_transform is None:
            targets = np.array([target for _, target in chosen], np.int64)
            return Inputs(raw, True, targets=targets)
        change = self._dataset.target_transform
        pairs = [(None, change(target)) for _, target in chosen]
        return Inputs(raw, True, samples=pairs)

    def name(self, index: int) -> str:
        return str(self._dataset.samples[index][0])

    def fingerprint(self) -> str:
        root = os.fsencode(os.path.join(getattr(self._dataset, "root", ""), ""))
        digest = hashlib.blake2b(digest_size=16)
        for path, _ in self._dataset.samples:
            digest.update(os.fsencode(path)[len(root) :] + b"\0")
        return digest.hexdigest()


class _ChangedFolder(_TorchvisionFolder):
    """A subclass of these whose samples hold more, or other targets.

    Its own code is asked for samples, with paths where it would have pixels.
    """

    def __init__(self, dataset: Any, given: Options):
        super().__init__(dataset, given)
        undecoded = copy.copy(dataset)
        undecoded.loader = undecoded.transform = _as_it_is
        try:
            self._samples = _Mapped(undecoded)
        except Exception as error:
            raise TypeError(
                f"the __getitem__ of {type(dataset).__name__} needs pixels, and no "
                "pixel is made here: let it return the file's path in place of the "
                "image, and give dctload transforms to DataLoader(transform=...)"
            ) from error

    def fetch(self, indices: Indices) -> Inputs:
        return self._samples.fetch(indices)

    def name(self, index: int) -> str:
        return self._samples.name(index)


def _as_it_is(value: Any) -> Any:
    return value


def _native_transform(dataset: Any) -> Any:
    """The data set's transform, if it is one of dctload's."""
    transform = getattr(dataset, "transform", None)
    if transform is None or is_native(transform):
        return transform
    raise TypeError(
        f"the transform of this {type(dataset).__name__} works on pixels, and no "
        "pixel is made here. Its equivalent on DCT coefficients:\n\n"
        f"{equivalent(transform)}\n\n"
        "Give that to the data set or to DataLoader(transform=...)."
    )


def _is_huggingface(dataset: Any) -> bool:
    module = type(dataset).__module__
    return module.split(".")[0] == "datasets" and hasattr(dataset, "features")


def _shown(dataset: Any) -> Any:
    """The data set without the columns that its ``with_format(columns=...)`` hides."""
    names = dataset.column_names
    shown = [name for name in names if name in dataset.format["columns"]]
    if dataset.format["output_all_columns"] or len(shown) == len(names):
        return dataset
    return dataset.select_columns(shown)


class _HuggingFace(Source):
    """A Hugging Face data set with one image column, read undecoded."""

    def __init__(self, dataset: Any):
        dataset = _shown(dataset)
        features = dataset.features
        images = [k for k, v in features.items() if type(v).__name__ == "Image"]
        if len(images) != 1:
            raise TypeError(
                f"the data set must have one Image column, it has {images or 'none'}; "
                "use select_columns or cast_column"
            )
        if dataset.format["type"] == "custom":
            raise TypeError(
                "the data set has a transform of its own (set_transform); take it off "
                "with dataset.with_format(None) and give DataLoader(transform=...)"
            )
        (self._column,) = images
        undecoded = type(features[self._column])(decode=False)
        dataset = dataset.with_format(None)
        self._dataset = dataset.cast_column(self._column, undecoded)
        self._fingerprint = str(dataset._fingerprint)

    def __len__(self) -> int:
        return len(self._dataset)

    def fetch(self, indices: Indices) -> Inputs:
        columns = self._dataset[indices.tolist()]
        images = columns.pop(self._column)
        failed: dict[int, Exception] = {}
        raw = [
            _raw(image, place, "row", index, False, failed)
            for place, (image, index) in enumerate(zip(images, indices, strict=True))
        ]
        rows = zip(*columns.values(), strict=True) if columns else [()] * len(raw)
        samples = [
            {self._column: None, **dict(zip(columns, row, strict=True))} for row in rows
        ]
        slot = Slot(self._column)
        return Inputs(raw, False, samples=samples, slot=slot, failed=failed)

    def name(self, index: int) -> str:
        return _name_of(self._dataset[index][self._column], f"row {index}")

    def fingerprint(self) -> str:
        return _digest(self._fingerprint, len(self))


class _Mapped(Source):
    """Any map-style data set whose samples hold a path or the bytes of a file."""

    def __init__(self, dataset: Any):
        self._dataset = dataset
        self._slot = _find_slot(dataset) if len(dataset) else Slot(0)
        transform = getattr(dataset, "transform", None)
        self.options = Options(transform=transform if is_native(transform) else None)

    def __len__(self) -> int:
        return len(self._dataset)

    def _rows(self, indices: Indices, failed: dict[int, Exception]) -> list[Any]:
        """The samples; None where one's file cannot be had, noted in ``failed``."""
        if callable(getattr(self._dataset, "__getitems__", None)):
            try:
                return list(self._dataset.__getitems__(indices.tolist()))
            except OSError:
                pass  # of which one, the others tell
        rows = []
        for place, index in enumerate(indices.tolist()):
            try:
                rows.append(self._dataset[index])
            except OSError as error:
                failed[place] = error
                rows.append(None)
            except Exception as error:
                add_note(error, f"in sample {index} of the data set")
                raise
        return rows

    def fetch(self, indices: Indices) -> Inputs:
        failed: dict[int, Exception] = {}
        samples = self._rows(indices, failed)
        images = [
            None if i in failed else self._slot.get(sample)
            for i, sample in enumerate(samples)
        ]
        is_path = all(isinstance(image, (str, os.PathLike)) for image in images)
        raw = [
            _raw(image, place, "sample", index, is_path, failed)
            for place, (image, index) in enumerate(zip(images, indices, strict=True))
        ]
        return Inputs(raw, is_path, samples=samples, slot=self._slot, failed=failed)

    def name(self, index: int) -> str:
        try:
            image = self._slot.get(self._dataset[index])
        except OSError:
            return f"sample {index}"
        if isinstance(image, (str, os.PathLike)):
            return os.fspath(image)
        return _name_of(image, f"sample {index}")

    def fingerprint(self) -> str:
        kind = type(self._dataset)
        return _digest(kind.__module__, kind.__qualname__, len(self))


def _is_bytes(value: Any) -> bool:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return True
    if isinstance(value, torch.Tensor):
        return value.dtype == torch.uint8 and value.ndim == 1
    if isinstance(value, np.ndarray):
        return value.dtype == np.uint8 and value.ndim == 1
    return isinstance(value, Mapping) and {"bytes", "path"} <= value.keys()


def _has_file(image: Any) -> bool:
    """Whether there is something to read: a null or an empty record is not."""
    if isinstance(image, Mapping):
        return any(image.get(key) is not None for key in ("bytes", "path"))
    return image is not None


def _name_of(image: Any, place: str) -> str:
    """The path of the file, or where its bytes are; they may come from any path."""
    path = image.get("path") if isinstance(image, Mapping) else None
    if not path:
        return place
    return str(path) if image["bytes"] is None else f"{place} ({path})"


def _raw(
    image: Any,
    place: int,
    kind: str,
    index: int,
    is_path: bool,
    failed: dict[int, Exception],
) -> Raw:
    """What the engine reads: an encoded path, or a buffer, empty if it ``failed``."""
    if type(image) is bytes:  # the rest takes as long as all else that Python does
        return image
    if not _has_file(image):
        name = f"{kind} {index}"
        missing = CorruptJPEGError(f"{name}: no image", name=name)
        failed.setdefault(place, missing)  # or why it could not be had
        return b""
    if isinstance(image, (str, os.PathLike)):
        return os.fsencode(image) if is_path else _read(image, place, failed)
    if isinstance(image, Mapping):
        data = image["bytes"]
        return data if data is not None else _read(image["path"], place, failed)
    return image.numpy() if isinstance(image, torch.Tensor) else image


def _is_file(value: Any) -> bool:
    """Whether it may be a path or the bytes of a file."""
    return isinstance(value, (str, os.PathLike)) or _is_bytes(value)


_KEYS = "image", "img", "jpg", "jpeg", "bytes", "path", "file", "filename"


def _find_slot(dataset: Any) -> Slot:
    """Look at the first sample for the place of the image."""
    sample = _first(dataset)
    if _is_file(sample):
        return Slot(None)
    if isinstance(sample, Mapping):
        keys = [key for key in _KEYS if _is_file(sample.get(key))]
        keys = keys or [key for key, value in sample.items() if _is_bytes(value)]
        if keys:
            return Slot(keys[0])
    elif isinstance(sample, (tuple, list)) and sample and _is_file(sample[0]):
        return Slot(0)
    raise TypeError(
        f"a sample of this {type(dataset).__name__} is {_describe(sample)}, which "
        "holds neither a path nor the bytes of an image. Return the file's path or "
        "content where the decoded image stands now, and give dctload transforms to "
        f"DataLoader(transform=...). The loader takes {_ACCEPTED}."
    )


def _first(dataset: Any) -> Any:
    """The first sample, or the next one if its file cannot be read."""
    for index in range(min(len(dataset), _MAX_TRIES)):
        try:
            return dataset[index]
        except OSError as error:
            failure = error
    raise failure


def _describe(sample: Any) -> str:
    if isinstance(sample, (tuple, list)):
        return f"({', '.join(type(part).__name__ for part in sample)})"
    if isinstance(sample, Mapping):
        parts = (f"{key}: {type(value).__name__}" for key, value in sample.items())
        return f"{{{', '.join(parts)}}}"
    return f"a {type(sample).__name__}"
