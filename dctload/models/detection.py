"""Detectors: a frequency backbone under torchvision's heads, and DCT-Mask.

Xu et al. 2020 put the stemless ResNet-50 under Faster and Mask R-CNN; Shen et
al. 2021 make Mask R-CNN predict its masks as DCT vectors. Both work alone and
together:

    pixels or blocks -> ResNet-50 + FPN -> RPN, boxes -> [masks: 28 x 28 | DCT]

The frequency detectors take a list of coefficients ``(K, H/8, W/8)`` in place of
images. Boxes and masks are in samples of the image that the coefficients are of;
enlarge that twice (``Resize(1600)`` for 800) for the grids of the paper.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import (
    RoIHeads,
    paste_masks_in_image,
    project_masks_on_boxes,
)
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from ._input import Frequencies
from .dctnet import SQUARE_24, DctResNet
from .layers.dct_mask import DctMaskCodec, DctMaskHead, dct_mask_loss

BLOCK = 8
# Twice torchvision's: the image is enlarged twice, and so is everything in it.
ANCHOR_SIZES = ((64,), (128,), (256,), (512,), (1024,))
ASPECT_RATIOS = ((0.5, 1.0, 2.0),) * 5
CANONICAL_SCALE = 448
LEVELS = ["0", "1", "2", "3"]


class FrequencyFpn(nn.Module):
    """The stemless ResNet-50 with strides 1, 2, 2, 2 and a feature pyramid."""

    out_channels = 256

    def __init__(self, frequencies: Frequencies):
        super().__init__()
        self.body = DctResNet(1, frequencies)
        self.body.fc = nn.Identity()
        self.fpn = FeaturePyramidNetwork(
            [256, 512, 1024, 2048], self.out_channels, LastLevelMaxPool()
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(N, K, h, w) -> maps at h, h/2, h/4, h/8, h/16."""
        body, maps = self.body, {}
        x = body.norm(x)
        stages = (body.layer1, body.layer2, body.layer3, body.layer4)
        for level, stage in zip(LEVELS, stages, strict=True):
            x = maps[level] = stage(x)
        pyramid: dict[str, Tensor] = self.fpn(maps)
        return pyramid


class BlockTransform(nn.Module):
    """Batches coefficients of different sizes; changes no value.

    Stands where torchvision's detectors resize and normalise images.

    Args:
        channels: Coefficients of a place, which every image must have.
        multiple: Grids are padded to a multiple of this.
    """

    def __init__(self, channels: int, multiple: int = 8):
        super().__init__()
        self.channels = channels
        self.multiple = multiple

    def forward(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[ImageList, list[dict[str, Tensor]] | None]:
        """Pad grids with zeros to a common multiple; sizes are in samples.

        Raises:
            ValueError: An image is no grid of that many coefficients.
        """
        for image in images:
            if image.ndim != 3 or image.shape[0] != self.channels:
                raise ValueError(
                    f"the detector expects a list of coefficients ({self.channels}, "
                    f"H/8, W/8), got one of shape {tuple(image.shape)}; "
                    f"SelectFrequencies and layout='concat' make it"
                )
        height = self._round(max(image.shape[1] for image in images))
        width = self._round(max(image.shape[2] for image in images))
        batch = images[0].new_zeros(len(images), images[0].shape[0], height, width)
        for row, image in zip(batch, images, strict=True):
            row[:, : image.shape[1], : image.shape[2]] = image
        sizes = [(BLOCK * i.shape[1], BLOCK * i.shape[2]) for i in images]
        return ImageList(batch, sizes), targets

    def _round(self, blocks: int) -> int:
        return -(-blocks // self.multiple) * self.multiple

    def postprocess(
        self,
        result: list[dict[str, Tensor]],
        image_shapes: list[tuple[int, int]],
        original_image_sizes: list[tuple[int, int]],
    ) -> list[dict[str, Tensor]]:
        """Paste masks into images; boxes are in samples already."""
        del original_image_sizes  # of the grids
        # In training there is no result.
        for found, shape in zip(result, image_shapes, strict=False):
            if "masks" in found:
                found["masks"] = paste_masks_in_image(
                    found["masks"], found["boxes"], shape
                )
        return result


class BlockAnchors(AnchorGenerator):  # type: ignore[misc]
    """Anchors in samples, for maps made from grids of blocks."""

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> Any:
        """Say how large the image is before the anchors are laid out."""
        n, _, h, w = image_list.tensors.shape
        # Only the shape is looked at: this takes the memory of one number.
        samples = image_list.tensors.new_zeros(1).expand(n, 1, BLOCK * h, BLOCK * w)
        return super().forward(ImageList(samples, image_list.image_sizes), feature_maps)


class DctMaskRoIHeads(RoIHeads):  # type: ignore[misc]
    """torchvision's heads, with masks predicted as DCT vectors."""

    def __init__(self, heads: RoIHeads, codec: DctMaskCodec, head: nn.Module):
        nn.Module.__init__(self)
        self.__dict__.update(heads.__dict__)
        self.dct_roi_pool = heads.mask_roi_pool
        self.mask_roi_pool = self.mask_head = self.mask_predictor = None
        self.codec, self.dct_head = codec, head
        self._samples: Any = None

    def select_training_samples(self, proposals: Any, targets: Any) -> Any:
        """Remember which proposals the boxes are trained on: the masks' too."""
        chosen = super().select_training_samples(proposals, targets)
        self._samples = chosen[:3]
        return chosen

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Boxes as torchvision does, then masks."""
        result, losses = super().forward(features, proposals, image_shapes, targets)
        if self.training:
            assert targets is not None
            losses["loss_mask"] = self._loss(features, image_shapes, targets)
            return result, losses
        boxes = [found["boxes"] for found in result]
        soft = self.codec.decode(self._vectors(features, boxes, image_shapes).float())
        masks = torch.split(soft.clamp(0, 1)[:, None], [len(b) for b in boxes])
        for found, part in zip(result, masks, strict=True):
            found["masks"] = part
        return result, losses

    def _vectors(self, features: Any, boxes: Any, image_shapes: Any) -> Tensor:
        """Predict the vectors of all boxes, image after image."""
        pooled = self.dct_roi_pool(features, boxes, image_shapes)
        vectors: Tensor = self.dct_head(pooled)
        return vectors

    def _loss(self, features: Any, image_shapes: Any, targets: Any) -> Tensor:
        proposals, matched, labels = self._samples
        self._samples = None
        positive = [torch.where(label > 0)[0] for label in labels]
        boxes = [b[p] for b, p in zip(proposals, positive, strict=True)]
        wanted = [
            project_masks_on_boxes(target["masks"], box, index[p], self.codec.side)
            for target, box, index, p in zip(
                targets, boxes, matched, positive, strict=True
            )
        ]
        vectors = self._vectors(features, boxes, image_shapes)
        return dct_mask_loss(vectors, self.codec.encode(torch.cat(wanted)))


def use_dct_masks(model: MaskRCNN, side: int = 128, length: int = 300) -> MaskRCNN:
    """Make a Mask R-CNN of torchvision's predict DCT vectors; changes ``model``.

    Args:
        model: Any Mask R-CNN, on pixels or coefficients.
        side: Resolution of the masks.
        length: Coefficients of the vector.
    """
    heads = model.roi_heads
    size = heads.mask_roi_pool.output_size[0]
    channels = model.backbone.out_channels
    codec = DctMaskCodec(side, length)
    head = DctMaskHead(channels, length, size)
    model.roi_heads = DctMaskRoIHeads(heads, codec, head)
    return model


def _finish(model: FasterRCNN, frequencies: Frequencies) -> FasterRCNN:
    """Take pixels out of a detector: coefficients are neither resized nor scaled."""
    model.transform = BlockTransform(frequencies.num_channels)
    return model


def _pool(size: int) -> MultiScaleRoIAlign:
    return MultiScaleRoIAlign(
        LEVELS, size, sampling_ratio=2, canonical_scale=CANONICAL_SCALE
    )


def dctnet_faster_rcnn(
    num_classes: int, frequencies: Frequencies = SQUARE_24, **options: Any
) -> FasterRCNN:
    """Faster R-CNN on coefficients: Xu et al. 2020.

    Args:
        num_classes: With the background.
        frequencies: Coefficients read.
        **options: Of torchvision's ``FasterRCNN``.
    """
    model = FasterRCNN(
        FrequencyFpn(frequencies),
        num_classes,
        rpn_anchor_generator=BlockAnchors(ANCHOR_SIZES, ASPECT_RATIOS),
        box_roi_pool=_pool(7),
        **options,
    )
    return _finish(model, frequencies)


def dctnet_mask_rcnn(
    num_classes: int,
    frequencies: Frequencies = SQUARE_24,
    dct_masks: bool = False,
    **options: Any,
) -> MaskRCNN:
    """Mask R-CNN on coefficients: Xu et al. 2020.

    Args:
        num_classes: With the background.
        frequencies: Coefficients read.
        dct_masks: Whether the masks are DCT vectors too (DCT-Mask).
        **options: Of torchvision's ``MaskRCNN``.
    """
    model = MaskRCNN(
        FrequencyFpn(frequencies),
        num_classes,
        rpn_anchor_generator=BlockAnchors(ANCHOR_SIZES, ASPECT_RATIOS),
        box_roi_pool=_pool(7),
        mask_roi_pool=_pool(14),
        **options,
    )
    return _finish(use_dct_masks(model) if dct_masks else model, frequencies)
