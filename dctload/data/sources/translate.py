"""torchvision's pixel transforms, written as dctload's.

Only their text: it goes into the message of the error that a pixel transform
gets, for the user to copy.
"""

from typing import Any

# Steps that have no counterpart because a batch is already a float tensor.
_NOTHING = {
    "ToTensor", "PILToTensor", "ToImage", "ToPILImage", "ToImageTensor", "RGB",
    "ConvertImageDtype", "ConvertDtype", "ToDtype", "ToPureTensor", "Identity",
}  # fmt: skip
# Those whose meaning and attributes are the same under the same name.
_SAME = {
    "CenterCrop": ["size"],
    "RandomCrop": ["size", "padding"],
    "RandomHorizontalFlip": ["p"],
    "RandomVerticalFlip": ["p"],
    "Resize": ["size"],
    "RandomResizedCrop": ["size", "scale", "ratio"],
    "ColorJitter": ["brightness", "contrast", "saturation"],
    "RandomErasing": ["p", "scale", "ratio"],
    "RandAugment": ["num_ops", "magnitude"],
    "TrivialAugmentWide": [],
    "Grayscale": [],
    "RandomGrayscale": ["p"],
}
_DEFAULTS = {
    "p": 0.5,
    "scale": (0.08, 1.0),
    "ratio": (3 / 4, 4 / 3),
    "padding": None,
    "brightness": None,
    "contrast": None,
    "saturation": None,
    "num_ops": 2,
    "magnitude": 9,
}
_SEQUENCES = {"Compose", "Sequential"}


def is_native(transform: Any) -> bool:
    """Whether ``transform`` is one of dctload's, or a list of such."""
    if isinstance(transform, (list, tuple)):
        return all(is_native(part) for part in transform)
    return any(
        kind.__module__.split(".")[:2] == ["dctload", "transforms"]
        for kind in type(transform).__mro__
    )


def equivalent(transform: Any) -> str:
    """Python text that makes the dctload transform nearest to ``transform``."""
    lines: list[str] = []
    _collect(transform, lines)
    body = "".join(f"    {line}\n" for line in lines)
    return (
        "from dctload import transforms as T\n\n"
        f'T.Compose([\n{body}    T.SelectFrequencies("24"),\n])'
    )


def _collect(transform: Any, lines: list[str]) -> None:
    name = type(transform).__name__
    if name in _SEQUENCES or isinstance(transform, (list, tuple)):
        for part in getattr(transform, "transforms", transform):
            _collect(part, lines)
    elif name == "Normalize":
        lines.append('T.Normalize("imagenet"),')
    elif name in _SAME:
        lines.append(f"T.{name}({_arguments(transform, _SAME[name])}),")
    elif name == "ImageClassification":  # the preset of torchvision's weights
        lines.append(f"T.Resize({_value(transform.resize_size)}),")
        lines.append(f"T.CenterCrop({_value(transform.crop_size)}),")
        lines.append('T.Normalize("imagenet"),')
    elif name not in _NOTHING:
        lines.append(f"# {name}: no equivalent")


def _arguments(transform: Any, names: list[str]) -> str:
    parts = []
    for name in names:
        value = getattr(transform, name, None)
        if name == "size":
            parts.append(_value(value))
        elif value is not None and not _is_default(name, value):
            parts.append(f"{name}={_value(value)}")
    return ", ".join(parts)


def _is_default(name: str, value: Any) -> bool:
    default = _DEFAULTS.get(name)
    return _value(value) == _value(default)


def _value(value: Any) -> str:
    """A size or range as the user would type it."""
    if isinstance(value, (list, tuple)):
        values = [_value(part) for part in value]
        if len(values) == 2 and values[0] == values[1]:
            return values[0]
        return values[0] if len(values) == 1 else f"({', '.join(values)})"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
