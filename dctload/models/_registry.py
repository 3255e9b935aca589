"""The names of the networks and where each is made."""

from __future__ import annotations

import fnmatch
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dctload._weights import load_weights
from dctload.frequencies import subset

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
    "gueguen_pixels": (
        "dct_learn",
        "dct_ortho",
        "dct_frozen",
        "dct_frozen_x2",
        "rgb_resnet50",
        "rgb_resnet50_shorter3",
        "rgb_resnet50_thinner",
    ),
    "dctnet": (
        "dctnet_resnet50",
        "dctnet_resnet50_stride1",
        "dctnet_resnet50_gate",
        "dctnet_mobilenet_v2",
    ),
    "fcanet": (
        "fca_resnet18",
        "fca_resnet34",
        "fca_resnet50",
        "fca_resnet101",
        "fca_resnet152",
        "fca_dctnet_resnet50",
    ),
    "harmonic": ("harmonic_resnet50", "harmonic_wrn28_10"),
    "rgb_no_more": ("jpeg_vit_tiny", "jpeg_vit_small", "jpeg_vit_base"),
    "jpeg_swin": ("jpeg_swin_v2_tiny",),
    "efun": ("efun", "efun_l", "efun_s", "efun_s_plus"),
    "after": ("after_ulicny", "after_compcnn"),
    "lean": ("lean", "lean_small"),
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


def resolve_frequencies(
    frequencies: str | int | Sequence[Sequence[int]],
) -> Frequencies:
    """Turn the name of a published subset, or three lists, into frequencies.

    Raises:
        ValueError: No such name, or lists that are not ascending within 0..63.
    """
    if not isinstance(frequencies, (str, int)):
        frequencies = [tuple(part) for part in frequencies]
    return Frequencies(*subset(frequencies))


def create_model(
    name: str,
    num_classes: int = 1000,
    frequencies: str | int | Sequence[Sequence[int]] | None = None,
    pretrained: str | Path | None = None,
    **options: Any,
) -> nn.Module:
    """Build a network by name.

    Downloads nothing: no trained weights are published with this package.

    Args:
        name: One of :func:`list_models`.
        num_classes: Size of the output.
        frequencies: Which coefficients it reads: the name of a published subset
            (``"24"``), or three lists of natural indices for Y, Cb and Cr. None:
            the network's own default.
        pretrained: A checkpoint of ``dctload train`` or a state dictionary, as
            ``torch.save`` wrote it.
        **options: What the network's own function takes.

    Returns:
        The network, with ``input_spec``; its weights are float32, on the CPU.

    Raises:
        ValueError: No such network, or it does not take these options or weights.

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
        load_weights(model, pretrained)
    return model
