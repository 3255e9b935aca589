"""A network trained on RGB pixels, made to read DCT coefficients, without training.

From coefficients to the output of the first convolution everything is linear:
inverse DCT, YCbCr to RGB, scaling to 0..1, normalisation, the convolution. So
all of it folds into one convolution over blocks:

    pixels   conv k x k, stride s      -> (H / s, W / s)
    blocks   conv over 192 channels    -> (8 / s)^2 as many maps -> pixel shuffle

Zero padding of normalised pixels is "mean colour outside the image"; shifting the
coefficients so that the mean colour is zero keeps zero padding right.

The function is the same but for what a decoder does between: it rounds samples
and clamps them to 0..255, and interpolates chroma of lower resolution.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._input import ALL, Frequencies, Inputs, InputSpec
from .layers.subblocks import dct_matrix

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# JFIF: R, G, B from Y, Cb - 128, Cr - 128.
YCBCR_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def pixel_map(mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return the map from shifted coefficients to normalised pixels, and the shift.

    Returns:
        A: float64 ``(3 * 64, 3 * 64)``: rows (colour, y, x), columns
        (component, v, u), so that normalised RGB of a block is A @ (coefficients
        - shift); shift: float64 ``(192,)``.
    """
    rgb = torch.tensor(YCBCR_TO_RGB, dtype=torch.float64)
    scale = 255 * torch.tensor(std, dtype=torch.float64)
    # Samples from amplitudes.
    inverse = torch.kron(dct_matrix(8), dct_matrix(8)).T.contiguous()
    matrix = torch.kron(rgb / scale[:, None], inverse)
    # The colour that normalises to zero, as level-shifted YCbCr samples.
    level = 255 * torch.tensor(mean, dtype=torch.float64) - 128
    shift = torch.zeros(3, 64, dtype=torch.float64)
    shift[:, 0] = 8 * torch.linalg.solve(rgb, level)
    return matrix, shift.flatten()


def fold(conv: nn.Conv2d, matrix: Tensor) -> tuple[Tensor, int, int]:
    """Fold ``matrix`` (block of coefficients to block of pixels) into ``conv``.

    Returns:
        The weight over blocks (float64), its stride and its padding, in blocks.
        Where the convolution has a stride below 8, the maps of the places within
        a block follow each other as ``pixel_shuffle`` wants them.
    """
    kernel, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
    places, block_stride = max(1, 8 // stride), max(1, stride // 8)
    # Pixels that the outputs of block 0 see, relative to its first.
    first, last = -padding, (places - 1) * stride - padding + kernel - 1
    before, after = -(first // 8), last // 8
    reach = max(before, after - block_stride + 1)
    blocks = reach + block_stride - 1 + reach + 1 if block_stride > 1 else 2 * reach + 1
    side = 8 * blocks
    weight = conv.weight.detach().double()
    out, colours = weight.shape[:2]
    # Each place's kernel, put where it looks on a canvas of blocks.
    canvas = weight.new_zeros(out, places, places, colours, side, side)
    for i in range(places):
        for j in range(places):
            top, left = (8 * reach + k * stride - padding for k in (i, j))
            canvas[:, i, j, :, top : top + kernel, left : left + kernel] = weight
    canvas = canvas.reshape(out * places**2, colours, blocks, 8, blocks, 8)
    canvas = canvas.permute(0, 2, 4, 1, 3, 5).flatten(3)  # (..., by, bx, colour y x)
    folded = canvas @ matrix
    return folded.permute(0, 3, 1, 2).contiguous(), block_stride, reach


class CoefficientStem(nn.Module):
    """The first convolution of an RGB network, on coefficients.

    Args:
        conv: The convolution on normalised RGB.
        frequencies: Coefficients read; those left out count as the mean colour's.
        mean: Of the normalisation that the RGB network was trained with.
        std: Likewise.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        frequencies: Frequencies = ALL,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ):
        super().__init__()
        self.places = max(1, 8 // conv.stride[0])
        # Samples by which the outputs' places end before the image does.
        self.stride = conv.stride[0]
        self.margin = conv.kernel_size[0] - 2 * int(conv.padding[0])
        matrix, shift = pixel_map(mean, std)
        weight, stride, padding = fold(conv, matrix)
        chosen = [64 * c + f for c, part in enumerate(frequencies) for f in part]
        self.shift: Tensor
        shift = shift[chosen].to(conv.weight.dtype)
        self.register_buffer("shift", shift[:, None, None])
        self.conv = nn.Conv2d(
            len(chosen), weight.shape[0], weight.shape[2], stride, padding,
            bias=conv.bias is not None, dtype=conv.weight.dtype,
        )  # fmt: skip
        with torch.no_grad():
            self.conv.weight.copy_(weight[:, chosen])
            if conv.bias is not None and self.conv.bias is not None:
                bias = conv.bias.repeat_interleave(self.places**2)
                self.conv.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, K, H/8, W/8) -> what the convolution gave for the pixels.

        All 192 may also come in the shape of the pixels, (N, 3, H, W).
        """
        if x.shape[1] == 3 and self.conv.in_channels == 192:
            x = x.reshape(x.shape[0], 192, x.shape[2] // 8, x.shape[3] // 8)
        height, width = (
            (8 * blocks - self.margin) // self.stride + 1 for blocks in x.shape[2:]
        )
        maps = F.pixel_shuffle(self.conv(x - self.shift), self.places)
        return maps[:, :, :height, :width]


class Converted(nn.Module):
    """A network whose first convolution reads coefficients."""

    def __init__(self, net: nn.Module, frequencies: Frequencies, size: int):
        super().__init__()
        self.input_spec = InputSpec("concat", frequencies, size)
        self.net = net

    def forward(self, x: Inputs) -> Tensor:
        """(N, K, H/8, W/8) -> what the network gave for the pixels."""
        self.input_spec.check(x)
        assert isinstance(x, Tensor)
        n, channels, h, w = x.shape
        if channels == 192:
            # Some networks look at the shape: this one has as many numbers.
            x = x.reshape(n, 3, 8 * h, 8 * w)
        output: Tensor = self.net(x)
        return output


def convert_rgb_model(
    model: nn.Module,
    size: int = 224,
    frequencies: Frequencies = ALL,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> Converted:
    """Make a network on normalised RGB read coefficients, with the same function.

    Works for any network that begins with a convolution whose stride divides 8 or
    is a multiple of 8: torchvision's and timm's ResNets, ConvNeXts, EfficientNets,
    MobileNets, Swin and vision transformers (the last with all frequencies only,
    where they check the size of their input).

    Args:
        model: Not changed.
        size: Samples a side that it is used with.
        frequencies: Coefficients read; fewer than all give the function of the
            image without the others.
        mean: Of the normalisation that it was trained with, RGB in 0..1.
        std: Likewise.

    Returns:
        A network on ``layout="concat"``, where ``model`` is and in its precision.

    Raises:
        ValueError: Its first layer is no such convolution.
    """
    device = next(model.parameters()).device
    net = copy.deepcopy(model).to("cpu")
    name, conv = _first_convolution(net, size)
    stride = conv.stride[0]
    if 8 % stride and stride % 8:
        raise ValueError(f"the stride must divide 8 or be a multiple, got {stride}")
    parent = net.get_submodule(name.rpartition(".")[0])
    stem = CoefficientStem(conv, frequencies, mean, std)
    setattr(parent, name.rpartition(".")[2], stem)
    return Converted(net, frequencies, size).to(device)


@torch.no_grad()
def _first_convolution(model: nn.Module, size: int) -> tuple[str, nn.Conv2d]:
    """Find the convolution that sees the input itself."""
    dtype = next(model.parameters()).dtype
    image = torch.randn(1, 3, size, size, dtype=dtype)
    found: list[str] = []
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):

            def note(_: nn.Module, inputs: tuple[Tensor], name: str = name) -> None:
                if inputs[0].shape == image.shape and torch.equal(inputs[0], image):
                    found.append(name)

            hooks.append(module.register_forward_pre_hook(note))
    training = model.training
    model.eval()(image)
    model.train(training)
    for hook in hooks:
        hook.remove()
    if len(found) != 1:
        raise ValueError(
            f"the model has {len(found)} convolutions on its input, not one: its stem "
            "is not linear, or not simple enough"
        )
    conv = model.get_submodule(found[0])
    assert isinstance(conv, nn.Conv2d)
    if type(conv) is not nn.Conv2d:
        # timm's Conv2dSame pads as TensorFlow does, its StdConv2d has other weights.
        raise ValueError(
            f"{found[0]} is a {type(conv).__name__}, no plain convolution: "
            "what it computes is not known"
        )
    square = all(len(set(p)) == 1 for p in (conv.kernel_size, conv.stride))
    if not square or conv.groups != 1 or conv.dilation != (1, 1):
        raise ValueError(f"{found[0]} is grouped, dilated or not square")
    if conv.kernel_size[0] - 2 * int(conv.padding[0]) < min(conv.stride[0], 1):
        raise ValueError(f"{found[0]} pads more than its window is wide")
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise ValueError(f"{found[0]} does not pad with zeros")
    return found[0], conv
