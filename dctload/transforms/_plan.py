"""From transforms to the one native pass that carries them out.

draws (N, num_draws) --fill()--> N records of struct dctload_geometry
frequencies, statistics -------> one struct dctload_output
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _native, _ops_numpy, _resample
from .._geometry import Geometry
from ..frequencies import PUBLISHED, Subset
from ._base import Array, GeometryTransform, Transform, pending
from .emission import Emission, Normalize, SelectFrequencies, emission_of

if TYPE_CHECKING:
    from ..image import DctImage

LAYOUTS = ("planes", "concat")
DTYPES = ("float32", "float16", "bfloat16", "int16", "int8")


def why_not(
    transforms: Sequence[Transform],
) -> Iterator[tuple[Transform, str | None]]:
    """Each transform, and why it is not carried out in C; None if it is."""
    after = None
    for part in transforms:
        reason = None
        if isinstance(part, GeometryTransform):
            if part.resamples and after is not None:
                reason = f"resampling after {after!r} is carried out in Python"
            if part.op_kinds:
                after = part
        elif not isinstance(part, (SelectFrequencies, Normalize)):
            reason = "carried out in Python, one image at a time"
        yield part, reason


def dtype_name(dtype: Any) -> str:
    """The name "float32" for ``torch.float32``, ``numpy.float32`` or None."""
    if dtype is None:
        return "float32"
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        name = getattr(dtype, "__name__", name)
    if name not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype}")
    return name


def is_channels_last(memory_format: Any) -> bool:
    """Whether a torch memory format, or its name, puts channels last."""
    name = str(memory_format or "contiguous_format").removeprefix("torch.")
    if name not in ("contiguous_format", "preserve_format", "channels_last"):
        raise ValueError(f"no such memory format here: {memory_format}")
    return name == "channels_last"


class Format:
    """Shapes and the ``struct dctload_output`` of what is emitted."""

    def __init__(
        self,
        size: tuple[int, int],
        emission: Emission,
        layout: str,
        dtype: Any,
        memory_format: Any,
        giver: str = "the image",
    ):
        if layout not in LAYOUTS:
            raise ValueError(f"layout must be 'planes' or 'concat', got {layout!r}")
        self.size = size
        self.layout = layout
        self.dtype = dtype_name(dtype)
        self.channels_last = is_channels_last(memory_format)
        unit = 16 if layout == "planes" else 8
        if size[0] % unit or size[1] % unit:
            raise ValueError(
                f"the size for layout {layout!r} must be a multiple of {unit}, "
                f"got {size[0]}x{size[1]} from {giver}"
            )
        self.subset: Subset = emission.subset or PUBLISHED["192"]
        self.scale, self.offset = self._scale(emission.normalize)

    def _scale(self, normalize: Normalize | None) -> tuple[Array, Array]:
        if normalize is None:
            return np.ones((3, 64)), np.zeros((3, 64))
        mean, std = normalize.vectors(self.layout, min(self.size))
        return 1 / std, -mean / std

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """(channels, rows, columns) of each tensor."""
        columns, rows = self.size[0] // 8, self.size[1] // 8
        if self.layout == "concat":
            return [(len(self.subset), rows, columns)]
        chroma = len(self.subset.cb) + len(self.subset.cr)
        return [
            (len(self.subset.y), rows, columns),
            (chroma, rows // 2, columns // 2),
        ]

    def output(self) -> Any:
        """``struct dctload_output``."""
        scale, offset = np.ones((3, 64), np.float32), np.zeros((3, 64), np.float32)
        for c, freqs in enumerate(self.subset):
            scale[c, : len(freqs)] = self.scale[c, list(freqs)]
            offset[c, : len(freqs)] = self.offset[c, list(freqs)]
        return _native.make_output(
            *self.size,
            self.layout,
            self.dtype,
            self.channels_last,
            tuple(self.subset),
            scale,
            offset,
        )

    def empty(self) -> list[Any]:
        """Tensors for one image, each of shape (channels, rows, columns)."""
        import torch

        dtype = getattr(torch, self.dtype)
        out = []
        for channels, rows, columns in self.shapes:
            if self.channels_last:
                tensor = torch.empty(rows, columns, channels, dtype=dtype)
                out.append(tensor.permute(2, 0, 1))
            else:
                out.append(torch.empty(channels, rows, columns, dtype=dtype))
        return out


class Plan:
    """How a data set's samples are made.

    Attributes:
        native: Whether C does it all; otherwise use :meth:`sample`.
        why_not: A sentence for each transform that C does not do.
        num_draws: Uniform numbers that one sample takes.
        shapes: Of each tensor of a sample.
        output: The ``struct dctload_output``.
    """

    def __init__(
        self,
        transforms: Sequence[Transform],
        layout: str = "concat",
        dtype: Any = None,
        memory_format: Any = None,
    ):
        self.transforms = list(transforms)
        self.why_not = [
            f"{part!r}: {reason}"
            for part, reason in why_not(self.transforms)
            if reason is not None
        ]
        self.native = not self.why_not
        self.num_draws = sum(part.num_draws for part in self.transforms)
        emission = Emission()
        for part in self.transforms:
            if isinstance(part, (SelectFrequencies, Normalize)):
                emission = part.record(emission)
        size, giver = self._final_size()
        self.format = Format(size, emission, layout, dtype, memory_format, giver)
        self.shapes = self.format.shapes
        self.output = self.format.output()

    def _final_size(self) -> tuple[tuple[int, int], str]:
        """Width and height of every sample, and which transform gives them."""
        size: tuple[int, int] | None = None
        giver = "the files"
        for part in self.transforms:
            after = part.size_after(size)
            if after != size or (after is None and _resizes(part)):
                giver = repr(part)
            size = after
        if size is None:
            raise ValueError(
                "the final size must be the same for all images, but that of "
                f"{giver} depends on the image: end with CenterCrop, "
                "RandomResizedCrop or Resize((height, width))"
            )
        return size, giver

    def geometry(
        self, width: Array, height: Array, u: Array, orientation: Array | None
    ) -> Geometry:
        """What becomes of N images of these stored sizes."""
        geometry = Geometry.of_size(width, height)
        if orientation is not None:
            geometry = geometry.oriented(orientation)
        at = 0
        for part in self.transforms:
            if isinstance(part, GeometryTransform):
                geometry = part.apply(geometry, u[:, at : at + part.num_draws])
            at += part.num_draws
        return geometry

    def recipe(self, upright: bool) -> Any:
        """What C needs to do as :meth:`fill` does, by itself; None if it cannot.

        It holds the transforms' parameters as they are now.
        """
        from ._recipe import make_recipe

        return make_recipe(self.transforms, upright) if self.native else None

    def fill(
        self, infos: Array, u: Array, views: Sequence[Array], orientation: bool
    ) -> Geometry:
        """Write the geometry of N images for C.

        Args:
            infos: N records with width, height and orientation.
            u: Uniform numbers (N, num_draws).
            views: Records of ``struct dctload_geometry`` to write, N in all.
            orientation: Whether to show images upright, as EXIF says.

        Returns:
            What was written; its log moves targets.
        """
        codes = infos["orientation"] if orientation else None
        geometry = self.geometry(infos["width"], infos["height"], u, codes)
        geometry.write(*views)
        return geometry

    def sample(
        self, image: "DctImage", u: Array, orientation: bool = True, target: Any = None
    ) -> Any:
        """One sample the slow way; with a target, the pair of both.

        Args:
            image: As decoded.
            u: Uniform numbers (num_draws,) or (1, num_draws).
            orientation: Whether to show the image upright, as EXIF says.
            target: Moves with the image.
        """
        u = np.reshape(u, (1, -1))
        if orientation:
            code = image._header()[0]["orientation"]
            image = image._replace(pending=pending(image).oriented(code))
        at = 0
        for part in self.transforms:
            image, target = part.sample(image, target, u[:, at : at + part.num_draws])
            at += part.num_draws
        form = self.format
        memory_format = "channels_last" if form.channels_last else None
        tensors = to_tensor(image, form.layout, form.dtype, memory_format)
        return tensors if target is None else (tensors, target)


def _resizes(part: Transform) -> bool:
    return part.size_after((80, 48)) != (80, 48)


def to_tensor(
    image: "DctImage",
    layout: str = "concat",
    dtype: Any = None,
    memory_format: Any = None,
) -> Any:
    """Emit an image: what one sample of a batch holds.

    Returns:
        A tensor (channels, rows, columns), or for "planes" a pair of them.
    """
    size = image.width, image.height
    form = Format(size, emission_of(image), layout, dtype, memory_format)
    tensors = form.empty()
    planes = image._source.planes(image._i)
    if planes[0].dtype == np.int16:
        view = _native.new_geometry(1)
        pending(image).write(view)
        addresses = [tensor.data_ptr() for tensor in tensors]
        _native.transform(
            image._header(),
            planes,
            view,
            form.output(),
            [*addresses, 0][:2],
            image.name,
        )
    else:
        _emit_floats(image, planes, form, tensors)
    return tuple(tensors) if layout == "planes" else tensors[0]


def _emit_floats(
    image: "DctImage", planes: list[Array], form: Format, tensors: list[Any]
) -> None:
    """Emission in NumPy, for planes that are no longer a file's integers."""
    import torch

    parts: list[Array] = []
    halves = [Fraction(1, 2 if form.layout == "planes" and c else 1) for c in range(3)]
    ycc = [component(image, planes, c, half) for c, half in enumerate(halves)]
    geometry = pending(image)
    if geometry.color is not None:
        ycc = geometry.color.apply(ycc)
    if geometry.ops is not None:
        size = int(geometry.x.size[0]), int(geometry.y.size[0])
        num = 1 if image.info.color == "grey" else 3
        ratios = [(half, half) for half in halves]
        ycc[:num] = _ops_numpy.run(geometry.ops, 0, ycc[:num], size, ratios)
        grids = [(image.height * h // 8, image.width * h // 8) for h in halves]
        for c in range(num, 3):
            ycc[c] = np.zeros((*map(int, grids[c]), 8, 8), np.float32)
    for amplitudes, (c, freqs) in zip(ycc, enumerate(form.subset), strict=True):
        chosen = amplitudes.reshape(*amplitudes.shape[:2], 64)[..., list(freqs)]
        index = list(freqs)
        parts.append(chosen * form.scale[c, index] + form.offset[c, index])
    if form.layout == "planes":
        parts = [parts[0], np.concatenate(parts[1:], axis=-1)]
    else:
        parts = [np.concatenate(parts, axis=-1)]
    for tensor, part in zip(tensors, parts, strict=True):
        values = torch.from_numpy(part.transpose(2, 0, 1).astype(np.float32))
        if not tensor.is_floating_point():
            limits = torch.iinfo(tensor.dtype)
            values = values.round().clamp(limits.min, limits.max)
        tensor.copy_(values)


def component(image: "DctImage", planes: list[Array], c: int, ratio: Fraction) -> Array:
    """Component Y, Cb or Cr of float planes after the pending geometry.

    Pending colour is not applied.
    """
    record = image._header()[0]
    size = int(record["width"]), int(record["height"])
    geometry = pending(image)
    color = image.info.color
    if color not in ("grey", "YCbCr", "RGB"):
        raise _native.error(_native.lib.DCTLOAD_COLOR, image.name)

    def one(k: int) -> Array:
        sampling = _resample.sampling_of(record, k)
        level = 0 if color == "RGB" else float(geometry.fill[0, k])
        return _resample.resample_plane(
            planes[k], size, sampling, geometry, (ratio, ratio), level
        )

    if color == "RGB":
        total = sum(_resample.YCC_FROM_RGB[c, k] * one(k) for k in range(3))
        return np.asarray(total, np.float32)
    if color == "grey" and c > 0:
        size = int(geometry.y.size[0]), int(geometry.x.size[0])
        rows, columns = (-(-_resample.ceil_size(n, ratio) // 8) for n in size)
        return np.zeros((rows, columns, 8, 8), np.float32)
    return one(c)
