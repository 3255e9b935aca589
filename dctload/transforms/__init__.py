"""Transforms of DCT coefficients: geometry, frequencies, normalisation.

Names, arguments, defaults and the distribution of what is drawn are those of
``torchvision.transforms.v2``. Each takes and gives a DctImage, without making a
pixel; :meth:`Compose.plan` turns a sequence into one native pass.
"""

from ._base import GeometryTransform, Transform
from .compose import Compose
from .emission import Normalize, SelectFrequencies
from .geometry import (
    CenterCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)

__all__ = [
    "CenterCrop",
    "Compose",
    "GeometryTransform",
    "Normalize",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "Resize",
    "SelectFrequencies",
    "Transform",
]
