"""Several transforms in turn, and their native plan."""

# ruff: noqa: D102 - what overrides is described in _base

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import _plan
from ._base import Array, Size, Transform

if TYPE_CHECKING:
    from ..image import DctImage


class Compose(Transform):
    """Apply transforms one after the other.

    Args:
        transforms: Transforms, or callables from image to image.
    """

    def __init__(self, transforms: "Sequence[Callable[..., Any]]"):
        parts: list[Transform] = []
        for part in transforms:
            if isinstance(part, Compose):
                parts += part.transforms
            elif isinstance(part, Transform):
                parts.append(part)
            elif callable(part):
                _refuse_batches(part)
                _refuse_pixels(part)
                parts.append(Lambda(part))
            else:
                raise TypeError(f"a transform must be callable, got {part!r}")
        self.transforms: list[Transform] = parts

    @property
    def num_draws(self) -> int:  # type: ignore[override]
        """Uniform numbers that one sample takes."""
        return sum(part.num_draws for part in self.transforms)

    def sample(self, image: "DctImage", target: Any, u: Array) -> tuple[Any, Any]:
        at = 0
        for part in self.transforms:
            image, target = part.sample(image, target, u[:, at : at + part.num_draws])
            at += part.num_draws
        return image, target

    def size_after(self, size: "Size | None") -> "Size | None":
        for part in self.transforms:
            size = part.size_after(size)
        return size

    def plan(
        self, layout: str = "concat", dtype: Any = None, memory_format: Any = None
    ) -> "_plan.Plan":
        """What one pass of C does for a batch, or why it cannot.

        Args:
            layout: "concat" or "planes".
            dtype: A torch dtype; float32 by default.
            memory_format: ``torch.contiguous_format`` (default) or
                ``torch.channels_last``.

        Raises:
            ValueError: The final size depends on the image, or is no multiple of 8
                (16 for "planes").
        """
        return _plan.Plan(self.transforms, layout, dtype, memory_format)

    def explain(self, transform_on: str = "host") -> str:
        """A line for each transform: what carries it out.

        Args:
            transform_on: As for ``DataLoader``. "host": native, or why it is carried
                out in Python; "device": on the device, or why not, which the loader
                refuses.
        """
        if transform_on not in ("host", "device"):
            raise ValueError(
                f"transform_on must be 'host' or 'device', got {transform_on!r}"
            )
        if transform_on == "device":
            from . import batched

            good, parts = "on the device", batched.explain(self.transforms)
        else:
            good, parts = "native", _plan.why_not(self.transforms)
        return "\n".join(f"{part!r}: {reason or good}" for part, reason in parts)

    def __repr__(self) -> str:
        inner = "".join(f"    {part!r}\n" for part in self.transforms)
        return f"Compose(\n{inner})"


class Lambda(Transform):
    """A callable from DctImage to DctImage."""

    def __init__(self, function: "Callable[..., Any]"):
        self.function = function

    def apply_image(self, image: "DctImage", u: Array) -> "DctImage":
        from ..image import DctImage

        result = self.function(image)
        if not isinstance(result, DctImage):
            raise TypeError(
                f"{self.function!r} gave a {type(result).__name__}: a transform must "
                "give a DctImage"
            )
        return result

    def size_after(self, size: "Size | None") -> "Size | None":
        return size


def _refuse_batches(part: Any) -> None:
    """What mixes samples needs several."""
    from .batch import CutMix, MixUp

    if isinstance(part, (MixUp, CutMix)):
        name = type(part).__name__
        raise TypeError(
            f"{name} works on batches: call it on what the loader yields, or in "
            "collate_fn"
        )


def _refuse_pixels(part: Any) -> None:
    """A torchvision transform of pixels cannot work here: say what does."""
    module = type(part).__module__
    if not module.startswith("torchvision.transforms"):
        return
    name = type(part).__name__
    import dctload.transforms as here

    if name in here.__all__:
        hint = f"use dctload.transforms.{name}, which takes the same arguments"
    elif name in ("ToTensor", "ToImage", "PILToTensor", "ToDtype", "ConvertImageDtype"):
        hint = "leave it out: dctload gives tensors"
    else:
        hint = "dctload.transforms has no equivalent of it"
    raise TypeError(f"{module}.{name} works on pixels, of which there are none; {hint}")


def as_compose(transform: Any) -> Compose:
    """``transform`` as a Compose: None is the empty one."""
    if isinstance(transform, Compose):
        return transform
    return Compose([] if transform is None else [transform])
