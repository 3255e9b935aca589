"""What all transforms have in common."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._geometry import Geometry
from .._ops import Op
from ..errors import TooSmallError
from . import _targets

if TYPE_CHECKING:
    from ..image import DctImage

Array = npt.NDArray[Any]
Size = tuple[int, int]


def draw(num: int, rng: Any = None) -> Array:
    """``num`` uniform numbers in [0, 1), shape (1, num).

    Args:
        num: How many.
        rng: None for torch's default generator, a ``torch.Generator``, or a
            ``numpy.random.Generator``.
    """
    if num == 0:
        return np.empty((1, 0))
    if isinstance(rng, np.random.Generator):
        return rng.random((1, num))
    import torch

    numbers: Array = torch.rand(1, num, generator=rng, dtype=torch.float64).numpy()
    return numbers


class Transform:
    """A step from image to image; an object holds parameters only, no state.

    Called as ``transform(image)`` it gives the new image, as ``transform(image,
    target)`` the pair of both. The same object may be used by any number of
    threads.

    Attributes:
        num_draws: Uniform numbers that one sample takes, always the same.
    """

    num_draws: int = 0

    def __call__(self, image: "DctImage", target: Any = None, rng: Any = None) -> Any:
        """Transform an image, and a target with it if there is one.

        Args:
            image: Left as it is.
            target: Whatever belongs to the image; tv_tensors in it (boxes, masks,
                keypoints) move with the image, all else is handed through.
            rng: Where random numbers come from: None for torch's default
                generator, a ``torch.Generator`` or a NumPy generator.

        Raises:
            TypeError: ``image`` is no ``DctImage``.
        """
        from ..image import DctImage

        if not isinstance(image, DctImage):
            raise TypeError(
                f"{type(self).__name__} takes a DctImage, which dctload.decode() "
                f"gives, not a {type(image).__name__}"
            )
        image, new_target = self.sample(image, target, draw(self.num_draws, rng))
        return image if target is None else (image, new_target)

    def sample(self, image: "DctImage", target: Any, u: Array) -> tuple[Any, Any]:
        """The same with the numbers ``u`` (1, num_draws) given."""
        return self.apply_image(image, u), target

    def apply_image(self, image: "DctImage", u: Array) -> "DctImage":
        """The image's part."""
        raise NotImplementedError

    def size_after(self, size: "Size | None") -> "Size | None":
        """Width and height after it, if they do not depend on the image."""
        return size

    def _arguments(self) -> str:
        shown = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._arguments()})"


class GeometryTransform(Transform):
    """A transform whose meaning is a :class:`Geometry`; carried out in C.

    Attributes:
        resamples: It changes the resolution, which operations cannot.
        op_kinds: Of the operations that it may leave an image with.
    """

    resamples: bool = False
    op_kinds: frozenset[Op] = frozenset()

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        """What becomes of N images, with u (N, num_draws)."""
        raise NotImplementedError

    def apply_image(self, image: "DctImage", u: Array) -> "DctImage":
        image = self._ready(image)
        return image._replace(pending=self._applied(image, u))

    def _applied(self, image: "DctImage", u: Array) -> Geometry:
        try:
            return self.apply(pending(image), u)
        except TooSmallError as error:
            raise error.of(0, image.name) from None

    def _ready(self, image: "DctImage") -> "DctImage":
        """The image, its operations carried out if this cannot follow them."""
        ops = pending(image).ops
        if not self.resamples or ops is None or not ops.num.any():
            return image
        return image._with_amplitudes(image.planes)

    def sample(self, image: "DctImage", target: Any, u: Array) -> tuple[Any, Any]:
        image = self._ready(image)
        before = pending(image)
        after = self._applied(image, u)
        log = after.log[len(before.log) :]
        size = int(before.height[0]), int(before.width[0])
        return image._replace(pending=after), _targets.move(target, log, size)


def pending(image: "DctImage") -> Geometry:
    """The geometry that has not been carried out yet."""
    if image._pending is not None:
        geometry: Geometry = image._pending
        return geometry
    record = image._header()[0]
    return Geometry.of_size(record["width"], record["height"])


def two_sizes(size: Any, name: str) -> tuple[int, int]:
    """(height, width) of torchvision's ``size`` argument, where one is a square."""
    sizes = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
    if len(sizes) == 1:
        sizes = sizes * 2
    if len(sizes) != 2 or min(sizes) < 1:
        raise ValueError(f"{name}: size must be one or two numbers >= 1, got {size}")
    return int(sizes[0]), int(sizes[1])


def filter_name(interpolation: Any) -> str:
    """A filter's name, given as such or as torchvision's InterpolationMode."""
    name = str(getattr(interpolation, "value", interpolation))
    if name not in ("bilinear", "bicubic", "box", "lanczos"):
        raise ValueError(
            "interpolation must be 'bilinear', 'bicubic', 'box' or 'lanczos', "
            f"got {interpolation!r}"
        )
    return name
