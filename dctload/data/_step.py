"""A batch from its indices to its tensors, and what all batches share."""

from dataclasses import dataclass, field
from typing import Any

import torch

from ..info import Limits
from ._errors import forget_frames
from .sampler import Indices
from .sources.base import Inputs, Source


@dataclass
class Draw:
    """The samples of one batch, decided.

    Attributes:
        indices: Into the data set.
        ids: What random numbers are keyed by: the index, except where a sampler
            may repeat one, so that repeats are augmented differently.
        epoch: The other half of the key.
        progress: What the loader's state becomes when the batch is received.
    """

    indices: Indices
    ids: Indices
    epoch: int
    progress: Any = None


@dataclass
class Step:
    """A batch in the pipeline.

    Attributes:
        draw: Which samples.
        inputs: Their compressed images and what goes with these.
        batch: The engine's items.
        tensors: Where the samples go.
        uniforms: The random numbers, ``(N, num_draws)``.
        briefs: Sizes and orientations of its images, once they are read.
        is_ordinary: All of them could be read, and the engine can make all.
        slowly: Places of the images that are made in Python.
        images: Of these, those that had to be loaded early, and if converted.
        blocks: With ``fit="list"``, rows and columns of each image.
        failed: Places, and what went wrong there.
        is_planned: The geometry of each image is decided.
        packed: In place of tensors, what a device makes them of.
        places: With ``packed``, the places of the images in it.
        patches: Likewise, samples that stand in for others.
        size: Likewise, width and height where the plan fits sizes.
        num: Samples.
    """

    draw: Draw
    inputs: Inputs
    batch: Any
    tensors: list[torch.Tensor] = field(default_factory=list)
    uniforms: Any = None
    briefs: Any = None
    is_ordinary: bool = False
    slowly: list[int] = field(default_factory=list)
    images: dict[int, tuple[Any, bool]] = field(default_factory=dict)
    blocks: list[tuple[int, int]] = field(default_factory=list)
    failed: dict[int, Exception] = field(default_factory=dict)
    is_planned: bool = False
    packed: Any = None
    places: Any = ()
    patches: dict[int, Any] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    num: int = field(init=False)

    def __post_init__(self) -> None:
        self.num = len(self.draw.indices)

    def __len__(self) -> int:
        return self.num

    def fail(self, place: int, error: Exception) -> None:
        """Note what went wrong at ``place``."""
        self.failed[place] = forget_frames(error)

    def leave_out(self, place: int, error: Exception) -> None:
        """The same of an image that was to be made, and will not be."""
        self.images.pop(place, None)
        self.batch.items["skip"][place] = 1
        self.is_ordinary = False
        self.fail(place, error)


@dataclass
class Settings:
    """What does not change while a loader lives.

    Attributes:
        source: The data set.
        plan: Of its transforms.
        seed: One half of the random numbers' key.
        upright: Apply the EXIF orientation.
        depth: Batches under way at a time.
        limits: What larger files are refused.
        timeout: Seconds to wait for a batch; 0: for ever.
        on_device: The plan is carried out on a device.
    """

    source: Source
    plan: Any
    seed: int
    upright: bool
    depth: int
    limits: Limits | None = None
    timeout: float = 0.0
    on_device: bool = False
