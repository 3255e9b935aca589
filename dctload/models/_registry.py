"""The names of the networks and where each is made."""

from __future__ import annotations

import fnmatch
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ._input import Frequencies

if TYPE_CHECKING:
    from torch import nn

# Module -> the networks it makes: the keys of its MODELS, whose values take
# num_classes and, as keywords, frequencies and the network's own options.
FAMILIES: dict[str, tuple[str, ...]] = {
    "gueguen": (
        "upsampling",
        "upsampling_rfa",
        "deconvolution_rfa",
        "downsampling",
        "late_concat",
        "late_concat_rfa",
        "late_concat_rfa_thinner",
    ),
    "small": ("small_resnet",),
}

_HOME = {name: module for module, names in FAMILIES.items() for name in names}


def list_models(filter: str = "*") -> list[str]:
    """Return the names that match a shell-style pattern, sorted.

    >>> list_models("*rfa*")
    ['deconvolution_rfa', 'late_concat_rfa', 'late_concat_rfa_thinner', \
'upsampling_rfa']
    """
    return sorted(fnmatch.filter(_HOME, filter))


def maker(name: str) -> Callable[..., nn.Module]:
    """Return the function that makes the network ``name``.

    Raises:
        ValueError: There is none.
    """
    if name not in _HOME:
        near = ", ".join(list_models(f"*{name.split('_')[0]}*")) or "see list_models()"
        raise ValueError(f"no model is called {name!r}: {near}")
    module = importlib.import_module(f"dctload.models.{_HOME[name]}")
    make: Callable[..., nn.Module] = module.MODELS[name]
    return make


def resolve_frequencies(frequencies: Sequence[Sequence[int]]) -> Frequencies:
    """Check three lists of natural indices, for Y, Cb and Cr.

    Raises:
        ValueError: They are not three ascending lists of 0..63.
    """
    parts = [tuple(map(int, part)) for part in frequencies]
    for part in parts:
        if list(part) != sorted(set(part) & set(range(64))):
            raise ValueError(f"frequencies must ascend within 0..63, got {part}")
    if len(parts) != 3:
        raise ValueError(f"frequencies must be 3 lists (Y, Cb, Cr), got {len(parts)}")
    return Frequencies(*parts)


def create_model(
    name: str,
    num_classes: int = 1000,
    frequencies: Sequence[Sequence[int]] | None = None,
    pretrained: str | Path | None = None,
    **options: Any,
) -> nn.Module:
    """Build a network by name.

    Downloads nothing: no trained weights are published with this package.

    Args:
        name: One of :func:`list_models`.
        num_classes: Size of the output.
        frequencies: Which coefficients it reads: three lists of natural indices
            for Y, Cb and Cr. None: the network's own default.
        pretrained: A checkpoint of ``dctload train`` or a state dictionary, as
            ``torch.save`` wrote it.
        **options: What the network's own function takes.

    Returns:
        The network, with ``input_spec``; its weights are float32, on the CPU.

    Raises:
        ValueError: No such network, or it does not take these options.

    >>> create_model("small_resnet", num_classes=10).input_spec.shapes
    [(64, 4, 4), (128, 2, 2)]
    """
    make = maker(name)
    if frequencies is not None:
        options["frequencies"] = resolve_frequencies(frequencies)
    try:
        model = make(num_classes, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ValueError(f"{name} does not take this: {error}") from None
    if pretrained is not None:
        state = torch.load(pretrained, map_location="cpu", weights_only=True)
        model.load_state_dict(state.get("model", state))
    return model
