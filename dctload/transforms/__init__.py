"""Transforms of DCT coefficients: geometry, colour, frequencies, normalisation.

Names, arguments, defaults and the distribution of what is drawn are those of
``torchvision.transforms.v2``. Each takes and gives a DctImage, without making a
pixel; :meth:`Compose.plan` turns a sequence into one native pass. ``MixUp`` and
``CutMix`` take batches.
"""

from typing import Any

from . import emission
from ._base import GeometryTransform, Transform
from .affine import RandomAffine, RandomRotation, RandomShear
from .auto import RandAugment, TrivialAugmentWide
from .color import (
    ColorJitter,
    ColorTransform,
    GaussianBlur,
    RandomAdjustSharpness,
    RandomChromaDrop,
    RandomFrequencyEnhance,
    RandomGrayscale,
    RandomInvert,
    RandomMidFrequency,
)
from .compose import Compose, Lambda
from .emission import Normalize, SelectFrequencies
from .geometry import (
    CenterCrop,
    ExifTranspose,
    FiveCrop,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation90,
    RandomVerticalFlip,
    Resize,
    Transpose,
)
from .pixels import (
    JPEG,
    GaussianNoise,
    RandomAutocontrast,
    RandomEqualize,
    RandomErasing,
    RandomJPEG,
    RandomPosterize,
    RandomSolarize,
)

__all__ = [
    "JPEG",
    "CenterCrop",
    "ColorJitter",
    "ColorTransform",
    "Compose",
    "CutMix",
    "ExifTranspose",
    "FiveCrop",
    "GaussianBlur",
    "GaussianNoise",
    "GeometryTransform",
    "Lambda",
    "MixUp",
    "Normalize",
    "Pad",
    "RandAugment",
    "RandomAdjustSharpness",
    "RandomAffine",
    "RandomAutocontrast",
    "RandomChromaDrop",
    "RandomCrop",
    "RandomEqualize",
    "RandomErasing",
    "RandomFrequencyEnhance",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomInvert",
    "RandomJPEG",
    "RandomMidFrequency",
    "RandomPosterize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomRotation90",
    "RandomShear",
    "RandomSolarize",
    "RandomVerticalFlip",
    "Resize",
    "SelectFrequencies",
    "Transform",
    "Transpose",
    "TrivialAugmentWide",
    "emission",
]


def __getattr__(name: str) -> Any:
    if name in ("MixUp", "CutMix"):  # these import torch
        from . import batch

        return getattr(batch, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
