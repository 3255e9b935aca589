"""One image at a time, in Python: ``dataset[i]``, and what the engine cannot do."""

from typing import Any

import numpy as np
import torch

from .._convert import to_dct_image
from ..image import DctImage, Limits, _thread_decoder
from ..transforms._base import draw, pending
from ..transforms._plan import to_tensor
from ..transforms.compose import Compose, as_compose
from .sources.base import DEFAULTS, Source

_SOI = b"\xff\xd8"


def compose(transform: Any) -> Compose:
    """The transform, or the list of them, as one."""
    if isinstance(transform, (list, tuple)):
        return Compose(transform)
    return as_compose(transform)


def load(
    data: Any, name: str, limits: Limits | None, convert: bool = True
) -> tuple[DctImage, bool]:
    """The image in ``data``, with linear colours, and whether it was converted."""
    if bytes(data[:2]) == _SOI or not convert:
        image: DctImage = _thread_decoder(1)._decode(data, name, False, limits)
        if image.info.color not in ("CMYK", "YCCK"):
            return image, False
    return to_dct_image(data, name, limits), True


def sample_into(
    plan: Any,
    data: Any,
    name: str,
    uniforms: Any,
    out: list[torch.Tensor],
    upright: bool,
    limits: Limits | None,
) -> bool:
    """Make one sample of a batch; returns whether the image was converted."""
    image, converted = load(data, name, limits)
    made = plan.sample(image, uniforms, upright)
    made = made if isinstance(made, tuple) else (made,)
    for tensor, part in zip(out, made, strict=True):
        tensor.copy_(part)
    return converted


def load_one(source: Source, index: int) -> Any:
    """One sample: the tensor that a batch would hold, and its target."""
    inputs = source.fetch(np.array([index]))
    name = source.name(index)
    (raw,) = inputs.raw
    if inputs.is_path:
        with open(raw, "rb") as file:
            raw = file.read()
    image, _ = load(raw, name, None, source.other_formats == "convert")
    options = source.options.over(DEFAULTS)
    transform = compose(options.transform)
    if options.apply_orientation:
        code = image._header()[0]["orientation"]
        image = image._replace(pending=pending(image).oriented(code))
    image = transform.sample(image, None, draw(transform.num_draws))[0]
    layout = str(options.layout)
    tensor = to_tensor(image, layout, options.dtype, options.memory_format)
    return inputs.uncollated([tensor])[0]
