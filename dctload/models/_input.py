"""What a model wants to be fed, and the words for when it is fed otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

if TYPE_CHECKING:
    from dctload.transforms import Compose

Inputs: TypeAlias = Tensor | Sequence[Tensor]


class Frequencies(NamedTuple):
    """Which coefficients of each component a model reads.

    Natural indices ``8 * v + u``, ascending: ``v`` is vertical frequency.
    """

    y: tuple[int, ...]
    cb: tuple[int, ...]
    cr: tuple[int, ...]

    @property
    def num_luma(self) -> int:
        return len(self.y)

    @property
    def num_chroma(self) -> int:
        return len(self.cb) + len(self.cr)

    @property
    def num_channels(self) -> int:
        return self.num_luma + self.num_chroma


ALL = Frequencies(*[tuple(range(64))] * 3)


@dataclass(frozen=True)
class InputSpec:
    """The input contract of a model; it holds no data and loads none.

    Attributes:
        layout: ``"planes"``: a pair (y, cbcr), chroma at half resolution;
            ``"concat"``: one tensor Y|Cb|Cr on the luma grid; ``"pixels"``: RGB
            or YCbCr samples, for the networks that frequency input is compared
            with.
        frequencies: The coefficients read, in channel order.
        size: Height and width in samples.
        statistics: Name of the statistics ``Normalize`` takes, or None where
            the network normalises its own input.
        any_size: Whether other multiples of the block size are accepted.
    """

    layout: Literal["planes", "concat", "pixels"]
    frequencies: Frequencies
    size: int
    statistics: str | None = None
    any_size: bool = True

    def __post_init__(self) -> None:
        step = {"planes": 16, "concat": 8, "pixels": 1}[self.layout]
        if self.size < step or self.size % step:
            msg = f"size must be a multiple of {step} for {self.layout!r}, got "
            raise ValueError(f"{msg}{self.size}")

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Shape of each input tensor, without the batch axis."""
        f, blocks = self.frequencies, self.size // 8
        if self.layout == "pixels":
            return [(3, self.size, self.size)]
        if self.layout == "concat":
            return [(f.num_channels, blocks, blocks)]
        half = blocks // 2
        return [(f.num_luma, blocks, blocks), (f.num_chroma, half, half)]

    def nbytes(self, itemsize: int = 4) -> int:
        """Bytes of one image as the model reads it."""
        return itemsize * sum(c * h * w for c, h, w in self.shapes)

    def check(self, x: Inputs) -> None:
        """Raise a ValueError unless ``x`` is what this describes."""
        if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
            return  # shapes are no numbers then
        got = [x] if isinstance(x, Tensor) else list(x)
        want = self.shapes
        good = len(got) == len(want) and isinstance(x, Tensor) == (len(want) == 1)
        if good:
            for tensor, (channels, _, _) in zip(got, want, strict=True):
                good &= tensor.ndim == 4 and tensor.shape[1] == channels
        if good and self.any_size:
            if len(got) == 2:
                luma, chroma = got[0].shape[2:], got[1].shape[2:]
                good &= all(a == 2 * b for a, b in zip(luma, chroma, strict=True))
        elif good:
            for tensor, (_, h, w) in zip(got, want, strict=True):
                good &= tensor.shape[2] == h and tensor.shape[3] == w
        if not good:
            raise ValueError(self._complaint(x))

    def _complaint(self, x: Inputs) -> str:
        shapes = [("N", *shape) for shape in self.shapes]
        want = " and ".join(str(shape).replace("'", "") for shape in shapes)
        if self.layout == "planes":
            want = f"a pair (y, cbcr) of shapes {want}"
        else:
            want = f"one tensor of shape {want}"
        if isinstance(x, Tensor):
            got = f"one tensor of shape {tuple(x.shape)}"
        else:
            got = " and ".join(str(tuple(t.shape)) for t in x)
        message = f"the model expects {want}, got {got}"
        if self.layout == "pixels":
            message += (
                "; it reads pixels: torchvision's transforms make them "
                f"(Resize, CenterCrop({self.size}), Normalize)"
            )
        else:
            message += (
                f"; dctload.models.transforms_for(model) with layout="
                f"{self.layout!r} makes it (SelectFrequencies of "
                f"{self.frequencies.num_luma} Y and "
                f"{self.frequencies.num_chroma} chroma coefficients)"
            )
        return message


def transforms_for(spec: InputSpec, train: bool, size: int | None = None) -> Compose:
    """Build the transforms that give what ``spec`` describes.

    Does not choose the layout: pass ``layout=spec.layout`` to the data set or
    the loader.

    Args:
        spec: The model's ``input_spec``.
        train: Random crop and flip, or the fixed centre.
        size: Another size than the model's own.

    Raises:
        ValueError: The model reads pixels, or only its own size.
    """
    from dctload import transforms as T

    if spec.layout == "pixels":
        raise ValueError("this model reads pixels; dctload makes coefficients only")
    size = size or spec.size
    if size != spec.size and not spec.any_size:
        raise ValueError(f"this model reads {spec.size} samples only, got {size}")
    small = size <= 64
    steps: list[T.Transform] = []
    if train:
        # The usual ImageNet crop; a tiny image does not bear to lose as much.
        steps.append(T.RandomResizedCrop(size, scale=(0.7 if small else 0.08, 1.0)))
        steps.append(T.RandomHorizontalFlip())
    else:
        # 256 for 224, as everybody has evaluated since AlexNet.
        steps.append(T.Resize(size if small else round(size * 256 / 224)))
        steps.append(T.CenterCrop(size))
    steps.append(T.SelectFrequencies(spec.frequencies))
    if spec.statistics is not None:
        steps.append(T.Normalize(spec.statistics))
    return T.Compose(steps)
