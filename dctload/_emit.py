"""One image to tensors: a batch of one, through the same C code."""

from typing import Any

import torch

from . import _native
from .image import DctImage

_ALL = (tuple(range(64)),) * 3


def empty_sample(
    shape: tuple[int, int, int], dtype: torch.dtype, channels_last: bool
) -> torch.Tensor:
    """Memory for one sample, laid out as in a batch of one."""
    kind = torch.channels_last if channels_last else torch.contiguous_format
    return torch.empty((1, *shape), dtype=dtype, memory_format=kind)[0]


def sample_shapes(
    width: int, height: int, layout: str, frequencies: Any
) -> list[tuple[int, int, int]]:
    """The shape of each tensor of a sample."""
    ky, kcb, kcr = map(len, frequencies)
    if layout == "concat":
        return [(ky + kcb + kcr, height // 8, width // 8)]
    return [(ky, height // 8, width // 8), (kcb + kcr, height // 16, width // 16)]


def to_tensor(
    image: DctImage,
    layout: str,
    dtype: torch.dtype | None,
    memory_format: torch.memory_format | None,
) -> torch.Tensor | tuple[torch.Tensor, ...]:
    """See :meth:`dctload.image.DctImage.to_tensor`."""
    if layout not in _native.LAYOUTS:
        raise ValueError(f"layout must be 'concat' or 'planes', got {layout!r}")
    dtype = dtype or torch.float32
    channels_last = memory_format == torch.channels_last
    width, height = image.width, image.height
    emission = image._emission
    frequencies = _ALL if emission is None else emission.frequencies
    output = _native.make_output(
        width,
        height,
        layout,
        str(dtype).removeprefix("torch."),
        channels_last,
        frequencies,
        None if emission is None else emission.scale,
        None if emission is None else emission.offset,
    )
    shapes = sample_shapes(width, height, layout, frequencies)
    out = [empty_sample(shape, dtype, channels_last) for shape in shapes]
    geometry = _native.new_geometry()
    if image._pending is not None:
        image._pending.write(geometry)
    _native.transform(
        image._header(),
        image._source.planes(image._i),
        geometry,
        output,
        [tensor.data_ptr() for tensor in out],
        image.name,
    )
    return out[0] if layout == "concat" else tuple(out)
