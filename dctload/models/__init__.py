"""Networks that read DCT coefficients.

``create_model(name)`` makes one, ``list_models()`` names them, and
``transforms_for(model, train)`` builds the transforms that feed it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._fuse import fuse
from ._input import Frequencies, InputSpec
from ._input import transforms_for as _transforms_for
from ._registry import create_model, list_models
from .convert import convert_rgb_model

if TYPE_CHECKING:
    from torch import nn

    from dctload.transforms import Compose


def __getattr__(name: str) -> Any:
    # Needs torchvision, which not everybody who makes a model has.
    if name == "select_frequencies":
        from .dctnet import select_frequencies

        return select_frequencies
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Frequencies",
    "InputSpec",
    "convert_rgb_model",
    "create_model",
    "fuse",
    "input_spec",
    "list_models",
    "select_frequencies",
    "transforms_for",
]


def input_spec(model: nn.Module) -> InputSpec:
    """Return what ``model`` reads, also if it is wrapped (DDP, torch.compile).

    Raises:
        ValueError: It says nothing about its input.
    """
    for candidate in (model, getattr(model, "module", None)):
        spec = getattr(candidate, "input_spec", None)
        if isinstance(spec, InputSpec):
            return spec
    raise ValueError(f"{type(model).__name__} has no input_spec")


def transforms_for(model: nn.Module, train: bool, size: int | None = None) -> Compose:
    """Build the transforms that feed ``model``.

    Does not choose the layout: pass ``layout=model.input_spec.layout`` to the
    data set or the loader.

    Args:
        model: Made by :func:`create_model`.
        train: Random crop and flip, or the fixed centre.
        size: Another size than the model's own.

    Raises:
        ValueError: The model reads pixels, or only its own size.
    """
    return _transforms_for(input_spec(model), train, size)
