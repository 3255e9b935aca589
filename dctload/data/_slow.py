"""One image at a time, in Python: ``dataset[i]``, and what the engine cannot do."""

from typing import Any

import numpy as np
import torch

from .._convert import to_dct_image
from .._files import read_file
from ..decoding import thread_decoder
from ..image import DctImage
from ..info import Limits
from ..transforms._base import draw, pending
from ..transforms._plan import to_tensor
from ..transforms.compose import Compose, as_compose
from ._fit import FitPlan
from .sources.base import DEFAULTS, Inputs, Source

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
        image: DctImage = thread_decoder(1)._decode(data, name, None, False, limits)
        if image.info.color not in ("CMYK", "YCCK"):
            return image, False
    return to_dct_image(data, name, limits), True


def turn_upright(image: DctImage, inputs: Inputs, place: int) -> DctImage:
    """Apply the EXIF orientation to an image, and to boxes in its sample."""
    code = image._header()[0]["orientation"]
    turned = pending(image).oriented(code)
    if inputs.has_boxes():
        inputs.move(place, turned.log, (image.height, image.width))
    return image._replace(pending=turned)


def sample_into(
    out: list[torch.Tensor],
    plan: Any,
    image: DctImage,
    uniforms: Any,
    inputs: Inputs,
    place: int,
) -> None:
    """Make one sample of a batch; boxes in it move with the image."""
    target = None
    if inputs.samples is not None and inputs.has_boxes():
        target = inputs.samples[place]
    if isinstance(plan, FitPlan):
        size = 8 * out[0].shape[-1], 8 * out[0].shape[-2]
        made, target = plan.sample_into_size(image, uniforms, target, size)
    else:
        made = plan.sample(image, uniforms, False, target)
        made, target = made if target is not None else (made, None)
    if inputs.samples is not None and target is not None:
        inputs.samples[place] = target
    made = made if isinstance(made, tuple) else (made,)
    for tensor, part in zip(out, made, strict=True):
        if tensor.shape != part.shape:
            raise ValueError(
                f"a sample of shape {tuple(part.shape)} in a batch of "
                f"{tuple(tensor.shape)}: a transform in Python must not change sizes; "
                "resize after it, or let fit= decide"
            )
        tensor.copy_(part)


def load_one(source: Source, index: int) -> Any:
    """One sample: the tensor that a batch would hold, and its target."""
    inputs = source.fetch(np.array([index]))
    for failure in inputs.failed.values():
        raise failure
    (raw,) = inputs.raw
    if inputs.is_path:
        raw = read_file(raw)
    convert = source.other_formats == "convert"
    image, _ = load(raw, source.name(index), None, convert)
    options = source.options.over(DEFAULTS)
    if options.apply_orientation:
        image = turn_upright(image, inputs, 0)
    transform = compose(options.transform)
    uniforms = draw(transform.num_draws)
    if inputs.samples is None:
        image, _ = transform.sample(image, None, uniforms)
    else:
        image, inputs.samples[0] = transform.sample(image, inputs.samples[0], uniforms)
    layout = str(options.layout)
    tensor = to_tensor(image, layout, options.dtype, options.memory_format)
    return inputs.uncollated([tensor])[0]
