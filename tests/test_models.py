"""The registry, what models say about their input, and what they cost."""

import importlib

import pytest
import torch

from dctload.models import InputSpec, create_model, list_models
from dctload.models._input import ALL, Frequencies
from dctload.models._profile import count_macs, example_input, num_parameters
from dctload.models._registry import FAMILIES
from dctload.models.layers.subblocks import (
    SplitBlocks,
    dct_matrix,
    merge_blocks,
    merge_matrix,
)

# Gueguen et al.: giga-MACs and million parameters of their layer tables.
GUEGUEN = {
    "upsampling": (3.04, 25.3),
    "upsampling_rfa": (5.40, 28.3),
    "deconvolution_rfa": (5.40, 28.3),
    "downsampling": (3.00, 28.6),
    "late_concat": (2.96, 25.1),
    "late_concat_rfa": (5.25, 28.0),
    "late_concat_rfa_thinner": (2.89, 24.7),
}


def random_input(spec, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(batch, *s, generator=generator) for s in spec.shapes]
    return tuple(tensors) if spec.layout == "planes" else tensors[0]


@pytest.mark.parametrize("name", GUEGUEN)
def test_layers_of_gueguen_cost_what_their_table_says(name):
    model = create_model(name)
    giga, million = GUEGUEN[name]
    assert round(count_macs(model) / 1e9, 2) == giga
    assert round(num_parameters(model) / 1e6, 1) == million


@pytest.mark.parametrize("name", ["deconvolution_rfa", "downsampling", "late_concat"])
def test_every_parameter_of_gueguens_gets_a_gradient(name):
    model = create_model(name, num_classes=3)
    spec = InputSpec("planes", ALL, 64)
    model(random_input(spec)).logsumexp(1).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


def test_receptive_field_kernels_of_even_size_look_right_and_down():
    """Keras pads "same" at the end first, and so do the published networks."""
    block = create_model("late_concat_rfa", 2).rfa[1].body[1]
    x = torch.zeros(1, 256, 5, 5)
    x[:, :, 2, 2] = 1
    seen = block[1](block[0](x)).abs().sum((0, 1)) > 0
    rows, columns = torch.nonzero(seen, as_tuple=True)
    assert sorted(set(rows.tolist())) == sorted(set(columns.tolist())) == [1, 2]


def test_small_network_is_small_and_takes_other_sizes():
    model = create_model("small_resnet", 10).eval()
    assert num_parameters(model) < 400_000
    assert count_macs(model) < 20e6
    assert model((torch.randn(3, 64, 8, 8), torch.randn(3, 128, 4, 4))).shape == (3, 10)


def test_small_network_sees_the_pixels_before_it_learns():
    """The untrained split of luma, split on to samples, is the inverse DCT."""
    block = torch.randn(8, 8, dtype=torch.float64)
    split = SplitBlocks(range(64), 8).double()
    samples = split(block.reshape(1, 64, 1, 1))[0, 0]
    torch.testing.assert_close(samples, dct_matrix(8).T @ block @ dct_matrix(8))


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_subblock_conversion_is_orthogonal(parts):
    weight = SplitBlocks(range(64), parts).double().project.weight.flatten(1)
    eye = torch.eye(64, dtype=torch.float64)
    torch.testing.assert_close(weight @ weight.T, eye, atol=1e-6, rtol=0)
    matrix = merge_matrix(parts, 8 // parts)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(8, dtype=torch.float64))


def test_split_then_dct_of_subblocks_gives_the_block_back():
    block = torch.randn(8, 8, dtype=torch.float64)
    subblocks = SplitBlocks(range(64), 2).double()(block.reshape(1, 64, 1, 1))
    grid = subblocks[0].reshape(4, 4, 2, 2).permute(2, 0, 3, 1).reshape(8, 8)
    matrix = merge_matrix(2, 4)
    torch.testing.assert_close(matrix @ grid @ matrix.T, block, atol=1e-5, rtol=0)


def test_merged_blocks_are_the_dct_of_the_larger_block():
    samples = torch.randn(16, 16, dtype=torch.float64)
    d8, d16 = dct_matrix(8), dct_matrix(16)
    blocks = samples.reshape(2, 8, 2, 8).permute(0, 2, 1, 3)
    blocks = (d8 @ blocks @ d8.T).permute(2, 3, 0, 1).reshape(1, 64, 2, 2)
    merged = merge_blocks(blocks, 2).reshape(16, 16)
    torch.testing.assert_close(merged, d16 @ samples @ d16.T)


def test_list_is_sorted_and_filtered():
    assert list_models() == sorted(list_models())
    assert set(GUEGUEN) <= set(list_models())
    assert list_models("late*thinner") == ["late_concat_rfa_thinner"]


def test_unknown_name_is_answered_with_near_ones():
    with pytest.raises(ValueError, match=r"late_rfa.*late_concat_rfa"):
        create_model("late_rfa")


def test_unknown_option_names_the_model():
    with pytest.raises(ValueError, match=r"late_concat does not take.*colour"):
        create_model("late_concat", colour=True)


def test_own_frequencies_set_the_channels():
    chosen = Frequencies((0, 1, 8), (0,), (0, 1))
    model = create_model("late_concat", 2, frequencies=[[0, 1, 8], [0], [0, 1]])
    assert model.input_spec.frequencies == chosen
    assert model.input_spec.shapes == [(3, 28, 28), (3, 14, 14)]
    assert model.eval()(example_input(model.input_spec)).shape == (1, 2)


@pytest.mark.parametrize("wrong", [[[0], [0]], [[1, 0], [0], [0]], [[64], [0], [0]]])
def test_frequencies_out_of_order_or_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"three lists|must ascend|0 to 63"):
        create_model("small_resnet", frequencies=wrong)


@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(1, 192, 4, 4),
        (torch.zeros(1, 64, 4, 4),),
        (torch.zeros(1, 64, 4, 4), torch.zeros(1, 64, 2, 2)),
        (torch.zeros(1, 64, 4, 4), torch.zeros(1, 128, 4, 4)),
        (torch.zeros(64, 4, 4), torch.zeros(128, 2, 2)),
    ],
    ids=["concat", "luma only", "half the chroma", "chroma too large", "no batch"],
)
def test_wrong_input_is_told_what_the_model_expects(x):
    model = create_model("small_resnet", 10)
    with pytest.raises(ValueError, match=r"\(N, 64, 4, 4\) and \(N, 128, 2, 2\)") as e:
        model(x)
    assert "transforms_for" in str(e.value)
    assert "layout='planes'" in str(e.value)


def test_input_spec_refuses_sizes_that_are_no_blocks():
    with pytest.raises(ValueError, match=r"multiple of 16 .*got 40"):
        InputSpec("planes", ALL, 40)


def test_pretrained_file_gives_the_same_function(tmp_path):
    model = create_model("small_resnet", 4).eval()
    torch.save({"model": model.state_dict(), "epoch": 3}, tmp_path / "a.pt")
    again = create_model("small_resnet", 4, pretrained=tmp_path / "a.pt").eval()
    x = random_input(model.input_spec)
    torch.testing.assert_close(again(x), model(x), rtol=0, atol=0)


def test_files_that_are_no_weights_of_the_network_are_refused(tmp_path):
    path = tmp_path / "a.pt"

    def refusal(content):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        with pytest.raises(ValueError, match=r"a\.pt: ") as e:
            create_model("small_resnet", 4, pretrained=path)
        return str(e.value)

    for junk in (b"", b"junk\n", b"\xff\xd8\xff\xe0" + bytes(100)):
        assert "no tensors and plain values" in refusal(junk)
    for other in ([1], {"model": torch.zeros(2)}):
        assert "no checkpoint and no state dictionary" in refusal(other)
    assert "another network" in refusal({"a": torch.zeros(2), "b": 3})
    weights = create_model("small_resnet", 5).state_dict()
    text = refusal(weights)
    assert "number of classes: 2 differ, first " in text
    assert "(5, 128) in place of (4, 128)" in text
    weights = create_model("small_resnet", 4).state_dict()
    del weights["body.0.weight"]
    assert "1 differ, first body.0.weight, nothing in place of (" in refusal(weights)


def test_weights_are_deterministic_given_the_seed():
    torch.manual_seed(5)
    first = create_model("small_resnet", 10)
    torch.manual_seed(5)
    again = create_model("small_resnet", 10)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_list_names_what_the_modules_make():
    for module, names in FAMILIES.items():
        made = importlib.import_module(f"dctload.models.{module}").MODELS
        assert tuple(made) == names
