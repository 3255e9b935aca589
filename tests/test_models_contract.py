"""What every network promises: it says what it reads, takes that, refuses the rest."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from zoo import SIZES, inputs_of, quick_and_slow

import dctload
from dctload.models import create_model, transforms_for
from dctload.models._input import ALL, InputSpec
from dctload.models._profile import example_input

PIXELS = [name for name in SIZES if name.startswith(("dct_", "rgb_", "fca_r", "harm"))]
COEFFICIENTS = [name for name in SIZES if name not in PIXELS]


@pytest.fixture(scope="module")
def networks():
    """All networks, on a device where nothing is computed."""
    with torch.device("meta"):
        return {name: create_model(name, num_classes=3) for name in SIZES}


def meta_input(spec, batch=1):
    return example_input(spec, batch, device="meta")


@pytest.mark.parametrize("name", SIZES)
def test_network_takes_what_its_spec_describes(networks, name):
    model = networks[name].eval()
    assert (model.input_spec.layout == "pixels") == (name in PIXELS)
    assert model(meta_input(model.input_spec, 2)).shape == (2, 3)


def wrong_inputs(spec):
    """(what is wrong, input) for ``spec``."""
    x = meta_input(spec)
    tensors = x if isinstance(x, tuple) else (x,)
    yield "another layout", (x, x) if isinstance(x, torch.Tensor) else x[0]
    yield "a channel missing", rewrapped(x, [t[:, 1:] for t in tensors])
    yield "no batch axis", rewrapped(x, [t[0] for t in tensors])
    if spec.layout == "planes":
        y, cbcr = tensors
        yield "chroma as large as luma", (y, cbcr.repeat(1, 1, 2, 2))
        yield "luma alone", (y,)
        yield "the components apart", (y, cbcr[:, :1], cbcr[:, 1:])
    if not spec.any_size:
        other = InputSpec(spec.layout, spec.frequencies, 2 * spec.size)
        yield "another size", meta_input(other)


def rewrapped(like, tensors):
    return tuple(tensors) if isinstance(like, tuple) else tensors[0]


@pytest.mark.parametrize("name", SIZES)
def test_network_says_what_it_expects_and_what_makes_it(networks, name):
    model = networks[name]
    spec = model.input_spec
    for wrong, x in wrong_inputs(spec):
        with pytest.raises(ValueError, match="the model expects") as caught:
            model(x)
        message = str(caught.value)
        for shape in spec.shapes:
            assert f"(N, {', '.join(map(str, shape))})" in message, wrong
        if spec.layout == "pixels":
            assert "torchvision's transforms" in message
        else:
            assert "transforms_for(model)" in message
            assert f"layout={spec.layout!r}" in message


def photograph(width=72, height=56, seed=0):
    """The bytes of a small JPEG, 4:2:0."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (7, 9, 3), np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", COEFFICIENTS)
def test_transforms_for_a_network_feed_it(networks, name, train):
    model = networks[name]
    spec = model.input_spec
    image = transforms_for(model, train)(dctload.decode(photograph()))
    x = image.to_tensor(layout=spec.layout)
    tensors = x if isinstance(x, tuple) else (x,)
    assert [tuple(t.shape) for t in tensors] == spec.shapes
    assert all(t.dtype == torch.float32 and t.isfinite().all() for t in tensors)
    spec.check(rewrapped(x, [t[None] for t in tensors]))


@pytest.mark.parametrize("name", PIXELS)
def test_networks_on_pixels_have_no_transforms_of_ours(networks, name):
    with pytest.raises(ValueError, match="reads pixels"):
        transforms_for(networks[name], train=False)


@pytest.mark.parametrize("name", [n for n in COEFFICIENTS if SIZES[n]])
def test_transforms_for_another_size_feed_it_too(networks, name):
    spec = networks[name].input_spec
    size = spec.size - 32 if spec.size > 64 else 48
    image = transforms_for(networks[name], False, size)(dctload.decode(photograph()))
    x = image.to_tensor(layout=spec.layout)
    tensors = x if isinstance(x, tuple) else (x,)
    assert tensors[0].shape[1:] == (size // 8, size // 8)
    spec.check(rewrapped(x, [t[None] for t in tensors]))


@pytest.mark.parametrize("name", quick_and_slow([n for n in SIZES if SIZES[n]]))
def test_grids_of_odd_sides_work_where_any_size_is_promised(name):
    """Every stride meets an odd side on the way down; the two axes differ."""
    torch.manual_seed(0)
    model = create_model(name, 3).eval()
    spec = model.input_spec
    assert spec.any_size
    step = {"planes": 16, "concat": 8, "pixels": 1}[spec.layout]
    if name.startswith("dct_"):
        step = 16  # pixels, in blocks of two sizes
    size = SIZES[name] + step
    x = inputs_of(spec, size=size)
    if spec.layout != "planes":
        narrower = (size // step // 3 or 1) * (step if spec.layout == "pixels" else 1)
        x = x[..., :-narrower]
    with torch.no_grad():
        logits = model(x)
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()


def test_all_192_coefficients_are_the_most_that_is_read(networks):
    for model in networks.values():
        assert model.input_spec.frequencies.num_channels <= ALL.num_channels
