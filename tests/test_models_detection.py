"""Masks as DCT vectors, and detectors that read coefficients."""

import pytest
import torch
from torchvision.models.detection import maskrcnn_resnet50_fpn

from dctload.models.detection import (
    BlockTransform,
    dctnet_faster_rcnn,
    dctnet_mask_rcnn,
    use_dct_masks,
)
from dctload.models.layers.dct_mask import (
    DctMaskCodec,
    DctMaskHead,
    dct_mask_loss,
    reconstruction_iou,
    zigzag,
)


def discs(num=12, side=128, seed=0):
    """Unions of random discs: masks with curved outlines."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    masks = torch.zeros(num, side, side, dtype=torch.bool)
    for mask in masks:
        for cx, cy, r in torch.rand(4, 3, generator=generator):
            radius = (0.1 + 0.3 * r) * side
            mask |= (x - cx * side) ** 2 + (y - cy * side) ** 2 < radius**2
    return masks


def test_zigzag_begins_as_published_and_visits_everything():
    first = [(i // 128, i % 128) for i in zigzag(128)[:6].tolist()]
    assert first == [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2)]
    assert sorted(zigzag(8).tolist()) == list(range(64))


def test_all_coefficients_give_the_mask_back():
    masks = discs(3, 16).float()
    codec = DctMaskCodec(16, 256)
    torch.testing.assert_close(
        codec.decode(codec.encode(masks)), masks, atol=1e-5, rtol=0
    )


def test_encoding_is_the_dct_of_the_mask():
    codec = DctMaskCodec(8, 5)
    vector = codec.encode(torch.ones(1, 8, 8))
    torch.testing.assert_close(
        vector, torch.tensor([[8.0, 0, 0, 0, 0]]), atol=1e-5, rtol=0
    )


def test_longer_vectors_and_finer_grids_keep_more_of_a_mask():
    table = reconstruction_iou(discs(), [28, 128], [50, 300, 784, 2000])
    assert (28, 2000) not in table
    assert table[128, 50] < table[128, 300] < table[128, 2000]
    assert table[128, 300] > 0.97
    # What a 28 x 28 grid can say at all, 784 numbers, 300 coefficients say better.
    assert table[128, 300] > table[28, 784]


def test_outline_of_a_real_silhouette_survives_in_300_numbers():
    """The horse that comes with scikit-image: thin legs, a curved outline."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image")
    horse = torch.from_numpy(~data.horse().astype(bool))
    rows, columns = horse.any(1).nonzero(), horse.any(0).nonzero()
    mask = horse[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    table = reconstruction_iou(mask[None], [28, 128], [50, 300, 784])
    assert table[128, 300] > 0.9 > table[128, 50]
    assert table[128, 300] > table[28, 784]


def test_target_is_the_part_of_the_mask_that_the_proposal_sees():
    """Cut out by the proposal, of which the object fills the left half here."""
    from torchvision.models.detection.roi_heads import project_masks_on_boxes

    codec = DctMaskCodec(16, 256)
    mask = torch.zeros(1, 32, 32, dtype=torch.uint8)
    mask[:, 8:24, 8:16] = 1
    proposal = torch.tensor([[8.0, 8.0, 24.0, 24.0]])
    target = project_masks_on_boxes(mask, proposal, torch.tensor([0]), codec.side)
    soft = codec.decode(codec.encode(target))
    inside = soft[0, 1:-1] >= 0.5
    assert inside[:, :7].all()
    assert not inside[:, 9:].any()


@pytest.mark.parametrize("length", [0, 65])
def test_impossible_lengths_are_refused(length):
    with pytest.raises(ValueError, match=r"1\.\.64"):
        DctMaskCodec(8, length)


def test_head_gives_a_vector_a_region():
    assert DctMaskHead(16, 20, 6)(torch.randn(3, 16, 6, 6)).shape == (3, 20)


def test_loss_is_a_weighted_sum_an_instance():
    predicted, target = torch.zeros(2, 300), torch.ones(2, 300)
    assert dct_mask_loss(predicted, target).item() == pytest.approx(0.007 * 300)
    assert dct_mask_loss(predicted[:0], target[:0]).item() == 0


def test_grids_of_different_sizes_are_padded_and_measured_in_samples():
    images, targets = BlockTransform(2)([torch.ones(2, 9, 5), torch.ones(2, 3, 17)])
    assert images.tensors.shape == (2, 2, 16, 24)
    assert images.image_sizes == [(72, 40), (24, 136)]
    assert targets is None
    assert images.tensors.sum() == 2 * (9 * 5 + 3 * 17)


@pytest.mark.parametrize("shape", [(3, 160, 192), (192, 20, 24), (1, 24, 20, 24)])
def test_detector_says_what_it_expects(shape):
    with pytest.raises(ValueError, match=r"\(24, H/8, W/8\).*layout='concat'"):
        BlockTransform(24)([torch.zeros(24, 20, 24), torch.zeros(shape)])


SMALL = {
    "rpn_post_nms_top_n_train": 20,
    "rpn_post_nms_top_n_test": 5,
    "box_batch_size_per_image": 8,
}


def one_target(height, width):
    box = torch.tensor([[40.0, 32.0, 140.0, 120.0]])
    mask = torch.zeros(1, height, width, dtype=torch.uint8)
    mask[:, 32:120, 40:140] = 1
    return {"boxes": box, "labels": torch.tensor([1]), "masks": mask}


@pytest.mark.parametrize(
    ("make", "losses"),
    [
        (dctnet_faster_rcnn, 4),
        (dctnet_mask_rcnn, 5),
        (lambda *a, **k: dctnet_mask_rcnn(*a, dct_masks=True, **k), 5),
    ],
    ids=["faster", "mask", "dct mask"],
)
def test_detector_on_coefficients_trains_and_finds_boxes_in_samples(make, losses):
    torch.manual_seed(0)
    model = make(3, **SMALL)
    images = [torch.randn(24, 20, 24), torch.randn(24, 24, 20)]
    targets = [one_target(160, 192), one_target(192, 160)]
    found = model(images, targets)
    assert len(found) == losses
    sum(found.values()).backward()
    assert model.backbone.body.layer1[0].conv1.weight.grad.any()

    model.eval()
    model.roi_heads.score_thresh = 0.0
    with torch.no_grad():
        results = model(images[:1])
    boxes = results[0]["boxes"]
    assert len(boxes) > 0
    assert (boxes[:, 2] <= 192).all()
    assert (boxes[:, 3] <= 160).all()
    assert boxes.max() > 24  # in samples, not in blocks
    if losses == 5:
        assert results[0]["masks"].shape == (len(boxes), 1, 160, 192)
        assert 0 <= results[0]["masks"].min() <= results[0]["masks"].max() <= 1


@pytest.mark.slow
def test_torchvisions_own_mask_rcnn_takes_dct_masks():
    model = maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=2, min_size=128, **SMALL
    )
    use_dct_masks(model, side=64, length=100)
    losses = model([torch.rand(3, 160, 192)], [one_target(160, 192)])
    assert losses["loss_mask"].requires_grad
    model.eval()
    with torch.no_grad():
        assert "masks" in model([torch.rand(3, 160, 192)])[0]
