"""RGB networks on coefficients: the same function."""

import pytest
import torch
from torch import nn
from torchvision import models as tv

from dctload.models import Frequencies, convert_rgb_model
from dctload.models.convert import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    YCBCR_TO_RGB,
    CoefficientStem,
    pixel_map,
)
from dctload.models.layers.subblocks import dct_matrix


def pixels_and_coefficients(size, batch=2, seed=0):
    """Normalised RGB, and the YCbCr coefficients of the same pixels."""
    generator = torch.Generator().manual_seed(seed)
    ycbcr = 40 * torch.randn(
        batch, 3, size, size, generator=generator, dtype=torch.float64
    )
    blocks = ycbcr.reshape(batch, 3, size // 8, 8, size // 8, 8).permute(
        0, 1, 2, 4, 3, 5
    )
    matrix = dct_matrix(8)
    coefs = (matrix @ blocks @ matrix.T).permute(0, 1, 4, 5, 2, 3)
    coefs = coefs.reshape(batch, 192, size // 8, size // 8)
    to_rgb = torch.tensor(YCBCR_TO_RGB, dtype=torch.float64)
    rgb = (torch.einsum("rc,nchw->nrhw", to_rgb, ycbcr) + 128) / 255
    mean, std = (
        torch.tensor(v, dtype=torch.float64)[:, None, None]
        for v in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return ((rgb - mean) / std).float(), coefs.float()


@torch.no_grad()
def conversion_error(model, size):
    """Largest change of a logit, over that by another image: by conversion, and by
    changing the pixels' last bit (how well conditioned the network is).

    New networks are made to look at their input first: their normalisation has seen
    nothing and lets maps fade, and some begin with a last layer of zeros.
    """
    rgb, coefs = pixels_and_coefficients(size)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    model.train()(rgb)
    for norm in norms:
        norm.running_mean.zero_()
        norm.running_var.fill_(float(norm.running_var.mean()))
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    want = model.eval()(rgb)
    got = convert_rgb_model(model, size).eval()(coefs)
    nudged = model(rgb * (1 + 2**-23 * torch.randn_like(rgb)))
    unit = (want[0] - want[1]).abs().max()
    return [float((other - want).abs().max() / unit) for other in (got, nudged)]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [
        (7, 2, 3), (3, 2, 1), (4, 4, 0), (3, 1, 1), (16, 16, 0), (8, 8, 0), (11, 4, 2),
        (32, 32, 0), (7, 4, 3), (6, 2, 2), (1, 1, 0), (19, 8, 6), (20, 16, 2),
        (3, 1, 0),
    ],
)  # fmt: skip
def test_any_first_convolution_is_folded_exactly(kernel, stride, padding):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, kernel, stride, padding)
    rgb, coefs = pixels_and_coefficients(64)
    with torch.no_grad():
        want = conv(rgb)
        got = CoefficientStem(conv)(coefs)
    torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (tv.resnet18, 64),
        (tv.mobilenet_v3_small, 64),
        pytest.param(tv.convnext_tiny, 64, marks=pytest.mark.slow),
        pytest.param(tv.swin_t, 64, marks=pytest.mark.slow),
        pytest.param(tv.vit_b_16, 224, marks=pytest.mark.slow),
    ],
)
def test_whole_networks_keep_their_function(make, size):
    torch.manual_seed(0)
    by_conversion, by_rounding = conversion_error(make(num_classes=5), size)
    assert by_conversion < 1e-4 + 10 * by_rounding


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18d", 64),
        ("mobilenetv3_small_050", 64),
        ("convnext_atto", 64),
        ("vit_tiny_patch16_224", 224),
        ("efficientnet_b0", 64),
    ],
)
def test_networks_of_timm_keep_their_function(name, size):
    timm = pytest.importorskip("timm", reason="needs timm")
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, num_classes=5)
    by_conversion, by_rounding = conversion_error(model, size)
    assert by_conversion < 1e-4 + 10 * by_rounding


def test_original_is_left_alone():
    model = tv.resnet18(num_classes=2)
    converted = convert_rgb_model(model, 64)
    assert isinstance(model.conv1, nn.Conv2d)
    assert converted.input_spec.shapes == [(192, 8, 8)]
    assert converted(torch.zeros(2, 192, 8, 8)).requires_grad


def test_precision_of_the_network_is_that_of_the_conversion():
    torch.manual_seed(0)
    model = tv.resnet18(num_classes=2).eval().double()
    rgb, coefs = pixels_and_coefficients(64)
    with torch.no_grad():
        want, got = model(rgb.double()), convert_rgb_model(model, 64)(coefs.double())
    assert got.dtype == torch.float64
    torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-6)


def test_mean_colour_becomes_zero():
    matrix, shift = pixel_map(IMAGENET_MEAN, IMAGENET_STD)
    grey = torch.zeros(192, dtype=torch.float64)  # mid-grey: all samples 128
    pixels = (matrix @ (grey - shift)).reshape(3, 64)
    mean, std = (
        torch.tensor(v, dtype=torch.float64) for v in (IMAGENET_MEAN, IMAGENET_STD)
    )
    want = (128 / 255 - mean) / std
    torch.testing.assert_close(pixels, want[:, None].expand(3, 64))


def test_fewer_frequencies_are_the_image_without_the_others():
    torch.manual_seed(0)
    model = tv.resnet18(num_classes=3).eval()
    kept = Frequencies((0, 1, 8, 9), (0,), (0, 1))
    few = convert_rgb_model(model, 64, kept).eval()
    full = convert_rgb_model(model, 64).eval()
    _, shift = pixel_map(IMAGENET_MEAN, IMAGENET_STD)
    _, coefs = pixels_and_coefficients(64)
    chosen = [0, 1, 8, 9, 64, 128, 129]
    masked = shift.float()[None, :, None, None].expand_as(coefs).clone()
    masked[:, chosen] = coefs[:, chosen]
    with torch.no_grad():
        torch.testing.assert_close(
            few(coefs[:, chosen]), full(masked), atol=1e-4, rtol=1e-3
        )


class TwoStems(nn.Module):
    """Two convolutions on the input: no single stem."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 1, 3), nn.Conv2d(3, 1, 3)

    def forward(self, x):
        return self.a(x) + self.b(x)


class Padded(nn.Conv2d):
    """As timm's Conv2dSame: the padding is not where a convolution keeps it."""

    def forward(self, x):
        return super().forward(nn.functional.pad(x, (0, 1, 0, 1)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(Padded(3, 1, 3, stride=2)), "0 is a Padded, no plain"),
        (TwoStems(), "2 convolutions on its input"),
        (nn.Sequential(nn.ReLU(), nn.Conv2d(3, 1, 3)), "0 convolutions"),
        (nn.Sequential(nn.Conv2d(3, 1, 3, stride=3)), "stride must divide 8"),
        (nn.Sequential(nn.Conv2d(3, 3, 3, groups=3)), "grouped"),
        (nn.Sequential(nn.Conv2d(3, 3, 3, 1, 1, padding_mode="reflect")), "zeros"),
    ],
)
def test_stems_that_cannot_be_folded_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        convert_rgb_model(model, 32)


def test_converted_network_complains_about_pixels():
    converted = convert_rgb_model(tv.resnet18(num_classes=2), 64)
    with pytest.raises(ValueError, match=r"\(N, 192, 8, 8\)"):
        converted(torch.zeros(1, 3, 64, 64))
