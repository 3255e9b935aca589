"""Each family: its published sizes, its special pieces, and that it runs."""

import copy

import pytest
import torch
from torch import nn
from torchvision.models import resnet18
from torchvision.ops import SqueezeExcitation
from zoo import SIZES, half_errors, inputs_of, quick_and_slow, tame

from dctload.models import (
    Frequencies,
    InputSpec,
    create_model,
    fuse,
    select_frequencies,
)
from dctload.models._profile import count_macs, num_parameters
from dctload.models.dctnet import SQUARE_24, DctResNet
from dctload.models.fcanet import add_frequency_attention
from dctload.models.gueguen_pixels import BlockTransform
from dctload.models.layers.blocks import Bottleneck
from dctload.models.layers.frequency_attention import (
    TABLES,
    FrequencyChannelAttention,
    frequency_indices,
)
from dctload.models.layers.gate import FrequencyGate
from dctload.models.layers.harmonic import (
    HarmonicConv2d,
    filter_bank,
    to_convolution,
    to_harmonic,
)
from dctload.models.layers.subblocks import dct_matrix
from dctload.models.rgb_no_more import JpegViT, to_unit_range

# Parameters at 1,000 classes, counted on the authors' code (DCTNet, RGB no more, FUN)
# by the report on G-ALP (yuxin370/FastLanes).
COUNTED = {
    ("dctnet_mobilenet_v2", "24"): 3_503_728,
    ("dctnet_mobilenet_v2", "32"): 3_503_944,
    ("dctnet_resnet50_stride1", "24"): 25_534_696,
    ("dctnet_resnet50_stride1", "64"): 25_547_496,
    ("efun", None): 4_233_448,
    ("efun_l", None): 6_209_180,
    ("efun_s", None): 3_394_390,
    ("efun_s_plus", None): 2_540_728,
    ("jpeg_vit_tiny", None): 5_642_728,
    # Theirs has 28,344,850. torchvision's attention keeps a bias for the keys, which
    # SwinV2 has not, and sets it to zero: 2 x (96 + 192 + 768) + 6 x 384 numbers.
    ("jpeg_swin_v2_tiny", None): 28_344_850 + 2 * (96 + 192 + 768) + 6 * 384,
}


@pytest.mark.parametrize(("name", "frequencies"), COUNTED)
def test_networks_have_the_parameters_of_the_authors(name, frequencies):
    with torch.device("meta"):
        model = create_model(name, frequencies=frequencies)
    assert num_parameters(model) == COUNTED[name, frequencies]


@pytest.mark.parametrize(("level", "million"), [(None, 36.5), (3, 24.4), (2, 12.3)])
def test_harmonic_wide_networks_have_their_published_sizes(level, million):
    model = create_model("harmonic_wrn28_10", 10, level=level)
    assert num_parameters(model) / 1e6 == pytest.approx(million, abs=0.06)


def test_published_stride_costs_three_times_the_usual_one():
    usual = count_macs(create_model("dctnet_resnet50"))
    published = count_macs(create_model("dctnet_resnet50_stride1"))
    assert round(published / 1e9, 1) == 13.5
    assert 3.3 < published / usual < 3.5


@pytest.mark.parametrize("name", quick_and_slow(SIZES))
def test_every_parameter_learns(name):
    torch.manual_seed(0)
    model = create_model(name, num_classes=5)
    x = inputs_of(model.input_spec, size=SIZES[name])
    logits = model(x)
    assert logits.shape == (2, 5)
    nn.functional.cross_entropy(logits, torch.tensor([0, 3])).backward()
    frozen = [n for n, p in model.named_parameters() if p.grad is None]
    expected = [n for n, p in model.named_parameters() if not p.requires_grad]
    assert frozen == expected
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("name", quick_and_slow(SIZES))
def test_half_precision_gives_nearly_the_same(name):
    model, x = tame(name)
    with torch.no_grad():
        want = model(x)
        with torch.autocast("cpu", torch.bfloat16):
            got = model(x)
    assert got.dtype == torch.bfloat16
    # 8 bits a number; 0.4 % is what one rounding may cost.
    assert (got.float() - want).norm() < 0.05 * want.norm()


@pytest.mark.parametrize("name", quick_and_slow(SIZES))
def test_channels_last_gives_the_same_function_and_gradient(name):
    errors = half_errors(name, "cpu", torch.float32)
    assert errors.logits < 1e-3
    assert errors.gradient < 1e-4


# ---- Gueguen et al., on pixels ---------------------------------------------


def test_rgb_baseline_costs_what_the_table_says():
    """3.86 G is of maps of 56 x 56; the diagram's unpadded pool gives 55 x 55."""
    model = create_model("rgb_resnet50")
    stage2 = model.stages[0]
    with_55 = count_macs(model)
    ours = count_macs(stage2, torch.zeros(1, 64, 55, 55, device="meta"))
    theirs = count_macs(stage2, torch.zeros(1, 64, 56, 56, device="meta"))
    assert round((with_55 - ours + theirs) / 1e9, 2) == 3.86
    assert round(num_parameters(model) / 1e6, 1) == 25.6


@pytest.mark.parametrize(
    ("shorter", "blocks"), [(0, 16), (2, 14), (3, 13), (4, 12), (5, 11), (6, 10)]
)
def test_shorter_networks_lack_blocks_from_the_input_side(shorter, blocks):
    model = create_model("rgb_resnet50", 2, shorter=shorter)
    assert sum(isinstance(m, Bottleneck) for m in model.modules()) == blocks


@pytest.mark.parametrize(
    ("divisor", "widths"),
    [(2, (32, 128)), (2**0.5, (45, 181)), (1.1, (58, 232))],
)
def test_thinner_networks_have_the_published_widths(divisor, widths):
    model = create_model("rgb_resnet50", 2, divisor=divisor)
    block = model.stages[0][0]
    assert (block.body[0][0].out_channels, block.body[2][0].out_channels) == widths


def test_frozen_transform_is_the_dct_of_each_block():
    transform = BlockTransform("frozen")
    x = torch.randn(1, 1, 16, 8)
    matrix = dct_matrix(8).float()
    want = (matrix @ x[0, 0, 8:] @ matrix.T).flatten()
    torch.testing.assert_close(transform(x)[0, :, 1, 0], want, atol=1e-4, rtol=1e-4)
    assert not any(p.requires_grad for p in transform.parameters())
    assert transform.penalty() < 1e-8


def test_orthonormality_penalty_brings_learned_kernels_back():
    torch.manual_seed(0)
    transform = BlockTransform("ortho")
    with torch.no_grad():
        transform.conv.weight += 0.05 * torch.randn_like(transform.conv.weight)
    optimizer = torch.optim.SGD(transform.parameters(), 0.02)
    before = transform.penalty().item()
    for _ in range(50):
        optimizer.zero_grad()
        transform.penalty().backward()
        optimizer.step()
    assert transform.penalty().item() < before / 100


# ---- Xu et al. -------------------------------------------------------------


@pytest.mark.parametrize("name", ["6", "24", "32", "48", "64", "192"])
def test_published_subsets_set_the_channels_of_dctnet(name):
    with torch.device("meta"):
        model = create_model("dctnet_resnet50", 2, frequencies=name)
    assert model.input_spec.shapes == [(int(name), 56, 56)]
    assert model.layer1[0].conv1.in_channels == int(name)
    mobile = create_model("dctnet_mobilenet_v2", 2, frequencies=name)
    assert mobile(torch.randn(2, int(name), 8, 8)).shape == (2, 2)


def test_checkpoint_in_the_published_layout_is_loaded():
    """There the layers are children of a Sequential called ``model``."""
    torch.manual_seed(0)
    source, target = DctResNet(4).eval(), DctResNet(4).eval()
    published = {}
    for name, value in source.state_dict().items():
        if name.startswith("layer"):
            name = f"model.{int(name[5]) - 1}{name[6:]}"
        if not name.startswith("norm"):
            published[f"module.{name}"] = value
    x = inputs_of(source.input_spec, size=64)
    mean, std = [3.0] * 24, [50.0] * 24
    target.load_published({"state_dict": published})
    normalised = target((x - 3) / 50)
    target.load_published({"state_dict": published}, mean, std)
    torch.testing.assert_close(target(x), normalised, rtol=1e-4, atol=1e-5)
    source.norm.running_mean.fill_(3.0)
    source.norm.running_var.fill_(2500.0)
    torch.testing.assert_close(source(x), normalised, rtol=1e-4, atol=1e-5)


def flat_block_name(name):
    """The published name of a weight of ours: a block is one flat sequence."""
    for ours, theirs in (
        ("classifier.1.", "classifier."),
        ("features.17.", "conv."),
    ):
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    head, block, conv, *rest = name.split(".")
    rest = ".".join(rest)
    order = ["0.0.", "0.1.", "1.0.", "1.1.", "2.", "3."]
    index = [0, 1, 3, 4, 6, 7]
    if block == "0":
        order, index = ["0.0.", "0.1.", "1.", "2."], [0, 1, 3, 4]
    for ours, theirs in zip(order, index, strict=True):
        if rest.startswith(ours):
            return f"{head}.{block}.{conv}.{theirs}.{rest.removeprefix(ours)}"
    raise AssertionError(name)


def test_mobile_checkpoint_in_the_published_layout_is_loaded():
    torch.manual_seed(0)
    source = create_model("dctnet_mobilenet_v2", 4).eval()
    target = create_model("dctnet_mobilenet_v2", 4).eval()
    published = {
        flat_block_name(name): value
        for name, value in source.state_dict().items()
        if not name.startswith("norm")
    }
    assert "features.0.conv.0.weight" in published  # the depthwise one
    assert published["features.1.conv.6.weight"].shape == (24, 96, 1, 1)
    source.norm.running_var.fill_(1 - source.norm.eps)
    target.load_published(published)
    x = inputs_of(source.input_spec, size=64)
    torch.testing.assert_close(target(x), source(x), rtol=1e-4, atol=1e-5)


def test_gate_lets_gradients_through_and_its_price_closes_it():
    torch.manual_seed(0)
    gate = FrequencyGate(6)
    x = torch.randn(8, 6, 4, 4)
    optimizer = torch.optim.SGD(gate.parameters(), 1.0)
    before = gate.probabilities(x).mean()
    for _ in range(40):
        gate(x)
        optimizer.zero_grad()
        gate.last_open.backward()
        assert gate.excite.bias.grad.abs().sum() > 0
        optimizer.step()
    assert gate.probabilities(x).mean() < before - 0.2


def test_gate_is_binary_in_training_and_certain_in_evaluation():
    torch.manual_seed(0)
    gate = FrequencyGate(6)
    x = torch.ones(200, 6, 2, 2) + torch.rand(200, 6, 2, 2)
    drawn = (gate(x) / x).detach()
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert drawn.mean() == pytest.approx(0.87, abs=0.05)  # sigmoid(2.0 - 0.1)
    gate.eval()
    assert torch.equal(gate(x), gate(x))
    assert torch.equal(gate(x), x)  # "on" has the larger score at the start


def test_gated_model_is_copied_after_a_training_step():
    gate = FrequencyGate(3)
    gate(torch.randn(4, 3, 2, 2))
    assert not copy.deepcopy(gate).last_open.requires_grad


def test_trained_gate_becomes_a_subset():
    model = create_model("dctnet_resnet50_gate", 2)
    wanted = [0, 1, 9, 63, 64, 72, 128]  # Y 0 1 9 63, Cb 0 8, Cr 0
    with torch.no_grad():
        bias = model.gate.excite.bias.view(192, 2)
        bias[:] = torch.tensor([2.0, 0.0])
        bias[wanted] = torch.tensor([0.0, 2.0])
    batches = [(torch.randn(2, 192, 4, 4), torch.zeros(2)) for _ in range(3)]
    subset = select_frequencies(model, batches, num=7)
    assert subset == ((0, 1, 9, 63), (0, 8), (0,))
    assert create_model("dctnet_resnet50", 2, frequencies=subset)
    with pytest.raises(ValueError, match=r"num must be in 1\.\.192"):
        select_frequencies(model, batches, num=0)
    with pytest.raises(ValueError, match="no gate"):
        select_frequencies(create_model("dctnet_resnet50", 2), batches)


class Gated(nn.Module):
    """The smallest network with a gate: one number a channel, then classes."""

    def __init__(self):
        super().__init__()
        self.input_spec = InputSpec("concat", Frequencies((0, 1, 8), (0,), (0,)), 32)
        self.gate = FrequencyGate(5)
        self.fc = nn.Linear(5, 2)

    def forward(self, x):
        return self.fc(self.gate(x).mean((2, 3)))


def test_gate_that_was_trained_selects_the_channels_that_tell_the_classes_apart():
    """Channels 1 (Y 1) and 3 (Cb 0) say the class; the price closes the others."""
    torch.manual_seed(0)

    def batches(count):
        for _ in range(count):
            target = torch.randint(2, (64,))
            x = torch.randn(64, 5, 4, 4)
            x[:, [1, 3]] += (2.0 * target - 1)[:, None, None, None]
            yield x, target

    model = Gated()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for x, target in batches(300):
        loss = nn.functional.cross_entropy(model(x), target)
        optimizer.zero_grad()
        (loss + 0.3 * model.gate.last_open).backward()
        optimizer.step()
    assert model.gate.last_open < 0.6
    chosen = select_frequencies(model, batches(4), num=2)
    assert chosen == ((1,), (0,), ())


# ---- FcaNet ----------------------------------------------------------------


def test_attention_with_the_mean_only_is_squeeze_and_excitation():
    torch.manual_seed(0)
    ours = FrequencyChannelAttention(32, size=14, method="low1")
    theirs = SqueezeExcitation(32, 2, scale_activation=nn.Sigmoid)
    with torch.no_grad():
        # The (0, 0) coefficient is sqrt(H W) = 14 times the mean.
        theirs.fc1.weight.copy_(14 * ours.excite[0].weight[:, :, None, None])
        theirs.fc2.weight.copy_(ours.excite[2].weight[:, :, None, None])
        nn.init.zeros_(theirs.fc1.bias)
        nn.init.zeros_(theirs.fc2.bias)
    x = torch.randn(3, 32, 14, 14)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("shape", [(7, 7), (5, 9), (1, 1), (30, 17)])
def test_attention_takes_maps_of_any_size(shape):
    x = torch.randn(2, 64, *shape)
    assert FrequencyChannelAttention(64)(x).shape == x.shape


def test_attention_basis_is_the_dct():
    attention = FrequencyChannelAttention(16, size=7, method="top16")
    matrix = dct_matrix(7)
    for weight, (u, v) in zip(
        attention.weight, frequency_indices("top16"), strict=True
    ):
        want = torch.outer(matrix[u], matrix[v]).float()
        torch.testing.assert_close(weight, want)


def test_frequency_tables_hold_32_pairs_within_the_grid():
    for name in TABLES:
        pairs = frequency_indices(f"{name}32")
        assert len(pairs) == len(set(pairs)) == 32
        assert all(0 <= u < 7 and 0 <= v < 7 for u, v in pairs)


@pytest.mark.parametrize("method", ["top3", "mid16", "top", "low64"])
def test_unknown_attention_method_is_refused(method):
    with pytest.raises(ValueError, match="top, low or bot"):
        frequency_indices(method)


def test_attention_is_added_to_any_residual_network():
    model = add_frequency_attention(resnet18(num_classes=2), "low8")
    assert sum(isinstance(m, FrequencyChannelAttention) for m in model.modules()) == 8
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 2)
    with pytest.raises(ValueError, match="no residual blocks"):
        add_frequency_attention(nn.Linear(1, 1))


# ---- harmonic networks -----------------------------------------------------


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_convolution_in_the_cosine_basis_is_the_same_function(kernel, groups):
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 6, kernel, stride=2, padding=1, groups=groups)
    harmonic = to_harmonic(conv)
    x = torch.randn(2, 4, 13, 13)
    torch.testing.assert_close(harmonic(x), conv(x), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(to_convolution(harmonic)(x), harmonic(x))


def test_truncated_conversion_is_the_closest_one():
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, 3)
    kernel = to_harmonic(conv, level=2).kernel_weight()
    residual = conv.weight - kernel
    kept = filter_bank(3, 2).float()
    products = torch.einsum("oixy,nxy->oin", residual, kept)
    torch.testing.assert_close(products, torch.zeros_like(products), atol=1e-6, rtol=0)


def test_both_variants_agree_when_the_statistics_are_neutral():
    torch.manual_seed(0)
    plain = HarmonicConv2d(3, 5, 3, padding=1)
    normed = HarmonicConv2d(3, 5, 3, padding=1, batch_norm=True).eval()
    normed.load_state_dict(plain.state_dict(), strict=False)
    normed.norm.eps = 1e-12
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(normed(x), plain(x), atol=1e-5, rtol=1e-4)


def test_filter_bank_keeps_the_frequencies_asked_for():
    for k in (3, 4):
        for level in range(1, k + 1):
            assert len(filter_bank(k, level)) == level * (level + 1) // 2
    assert len(filter_bank(3, dc=False)) == 8
    torch.testing.assert_close(
        filter_bank(3).abs().sum((1, 2)), torch.ones(9, dtype=torch.float64)
    )
    flat = filter_bank(3, norm="orthonormal").flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(9, dtype=torch.float64))
    with pytest.raises(ValueError, match="no frequency is left"):
        filter_bank(3, 1, dc=False)


# ---- RGB no more -----------------------------------------------------------


def blocks_of(pixels):
    """(N, C, H, W) samples -> (N, 64 C, H/8, W/8) coefficients, float64."""
    n, channels, height, width = pixels.shape
    matrix = dct_matrix(8)
    blocks = pixels.reshape(n, channels, height // 8, 8, width // 8, 8)
    blocks = matrix @ blocks.permute(0, 1, 2, 4, 3, 5) @ matrix.T
    blocks = blocks.permute(0, 1, 4, 5, 2, 3)  # (N, C, v, u, by, bx)
    return blocks.reshape(n, 64 * channels, height // 8, width // 8)


def test_grouped_embedding_equals_a_pixel_patch_embedding():
    """Under the change of basis, a ViT on pixels and one on blocks are the same.

    The linear layer's columns, taken to samples by the 16 x 16 DCT for luma and the
    8 x 8 one for chroma, are the kernels of the convolutions that cut pixels into
    patches: 16 x 16 of luma, 8 x 8 of half-resolution chroma.
    """
    torch.manual_seed(0)
    embed = JpegViT(2, width=24, heads=3, depth=1).double().embed
    luma = 64 * torch.randn(2, 1, 48, 32, dtype=torch.float64)
    chroma = 64 * torch.randn(2, 2, 24, 16, dtype=torch.float64)
    got = embed(blocks_of(luma), blocks_of(chroma))[0].permute(0, 3, 1, 2)

    weight = embed.project.weight
    basis16, basis8 = (torch.kron(dct_matrix(n), dct_matrix(n)) for n in (16, 8))
    of_luma = (weight[:, :256] @ basis16).reshape(24, 1, 16, 16)
    of_chroma = (weight[:, 256:].reshape(24, 2, 64) @ basis8).reshape(24, 2, 8, 8)
    conv = nn.functional.conv2d
    want = conv(luma, of_luma, embed.project.bias, 16) + conv(
        chroma, of_chroma, None, 8
    )
    assert got.shape == (2, 24, 3, 2)
    # The change of basis is kept in single precision.
    torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    ("embedding", "tokens"),
    [("grouped", 196), ("separate", 196), ("separate_subblock", 196), ("concat", 294)],
)
def test_each_embedding_gives_its_number_of_tokens(embedding, tokens):
    model = create_model("jpeg_vit_tiny", 3, embedding=embedding, depth=1)
    x = inputs_of(model.input_spec)
    assert model.tokens(x).shape == (2, tokens, 192)
    assert model(x).shape == (2, 3)


def test_amplitudes_are_mapped_to_the_unit_range():
    ends = to_unit_range(torch.tensor([-1024.0, 1016.0]))
    assert ends.tolist() == pytest.approx([-1.0, 1.0])
    x = torch.tensor(300.0)
    torch.testing.assert_close(to_unit_range(x), (x + 4) / 1020)


@pytest.mark.parametrize("name", ["jpeg_vit_tiny", "jpeg_swin_v2_tiny"])
def test_networks_that_merge_blocks_need_every_coefficient(name):
    with pytest.raises(ValueError, match="all 192"):
        create_model(name, frequencies=SQUARE_24)


# ---- our own ---------------------------------------------------------------


def test_lean_network_reads_little_and_has_no_thin_layer():
    """Every convolution is dense: a depthwise one costs more than its MACs say."""
    model = create_model("lean")
    assert model.input_spec.frequencies.num_channels == 33
    assert model.input_spec.nbytes() < 4 * 3 * 224 * 224 / 7
    assert all(m.groups == 1 for m in model.modules() if isinstance(m, nn.Conv2d))
    assert count_macs(create_model("lean_small")) < count_macs(model) / 2 < 150e6


@pytest.mark.parametrize("name", ["lean", "dctnet_mobilenet_v2", "fca_resnet18"])
def test_fused_network_is_the_same_function(name):
    torch.manual_seed(0)
    model = create_model(name, 4)
    x = inputs_of(model.input_spec, size=SIZES[name], batch=8)
    for _ in range(5):
        model(x)  # so that the running statistics are not the initial ones
    model.eval()
    fused = fuse(model)
    with torch.no_grad():
        torch.testing.assert_close(fused(x), model(x), atol=1e-3, rtol=1e-3)
    norms = [
        sum(isinstance(m, nn.BatchNorm2d) for m in net.modules())
        for net in (model, fused)
    ]
    assert norms[1] <= 2 < norms[0]
