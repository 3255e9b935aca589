"""Every network on a GPU: half precision, channels-last, compiled, converted.

Seconds a network and no data set: `pytest tests/test_models_cuda.py` on a machine
with a GPU. What they are compared with is the same network in float32 on the CPU.
"""

import pytest
import torch
from zoo import SIZES, half_errors, inputs_of, make, tame

from dctload.models import convert_rgb_model

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device is available"
)


@pytest.mark.parametrize("name", SIZES)
def test_network_in_float16_on_cuda_is_the_network_on_the_cpu(name):
    errors = half_errors(name, "cuda", torch.float16)
    assert errors.logits < 0.05
    assert errors.gradient < 0.01


# float32 is what is compared; the compiler would have it rounded.
@pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores")
@pytest.mark.parametrize("name", ["lean_small", "jpeg_vit_tiny"])
def test_compiled_network_on_cuda_gives_the_same(name):
    options = {"depth": 2} if name == "jpeg_vit_tiny" else {}
    torch.manual_seed(0)
    model = make(name, **options).eval()
    x = tuple(t.cuda() for t in inputs_of(model.input_spec, size=SIZES[name]))
    with torch.no_grad():
        want = model(tuple(t.cpu() for t in x))
        got = torch.compile(model.cuda())(x).cpu()
    # Convolutions on a GPU round their input to TF32, 10 bits.
    assert (got - want).norm() < 0.01 * want.norm()


def test_graph_of_a_network_on_cuda_gives_the_same():
    """Replayed without launching kernel by kernel, as a server would."""
    model, x = tame("lean_small")
    model, x = model.cuda(), tuple(t.cuda() for t in x)
    with torch.no_grad():
        want = model(x)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            model(x)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            got = model(x)
        got.zero_()
        graph.replay()
    torch.testing.assert_close(got, want, rtol=0.01, atol=0.01)


def test_converted_rgb_network_on_cuda_keeps_its_function():
    tv = pytest.importorskip("torchvision.models", reason="needs torchvision")
    from test_models_convert import pixels_and_coefficients

    torch.manual_seed(0)
    # Double: on a GPU single precision would round the pixels to TF32.
    model = tv.resnet18(num_classes=5).eval().double().cuda()
    converted = convert_rgb_model(model, 64).eval()
    rgb, coefs = (x.double().cuda() for x in pixels_and_coefficients(64))
    with torch.no_grad():
        torch.testing.assert_close(converted(coefs), model(rgb), atol=1e-6, rtol=1e-6)
