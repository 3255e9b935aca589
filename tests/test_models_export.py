"""Leaving PyTorch's eager mode: torch.export, TorchScript's trace, ONNX, the compiler.

Every network at a reduced size; the quick run takes one or two of a kind.
"""

import pytest
import torch
from zoo import SIZES, inputs_of, make, tame

from dctload.models import convert_rgb_model, fuse

pytestmark = pytest.mark.timeout(600)

# Swin pads the maps of each stage to whole windows of 8 x 8 tokens; after minutes
# torch.export has found no range of sizes for which all of those paddings hold.
FIXED_SIZE = ("jpeg_swin_v2_tiny",)
FEW = ("small_resnet", "lean_small", "after_ulicny")  # in the quick run
AUTO = torch.export.Dim.AUTO if hasattr(torch.export.Dim, "AUTO") else None


def few_and_slow(names):
    """The names, all but three marked as slow: an export takes seconds."""
    slow = pytest.mark.slow
    return [n if n in FEW else pytest.param(n, marks=slow) for n in sorted(names)]


def run_onnx(path, x):
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    tensors = x if isinstance(x, tuple) else (x,)
    names = [i.name for i in session.get_inputs()]
    feed = {k: t.numpy() for k, t in zip(names, tensors, strict=True)}
    (logits,) = session.run(None, feed)
    return torch.from_numpy(logits)


def assert_same(got, want):
    assert got.shape == want.shape
    assert (got - want).norm() < 1e-4 * want.norm()


# The next test exports the others again, with more asked of them.
FIXED = set(SIZES) if AUTO is None else {*FIXED_SIZE, *FEW}


@pytest.mark.parametrize("name", few_and_slow(FIXED))
def test_exported_program_gives_the_same(name):
    model, x = tame(name)
    program = torch.export.export(model, (x,))
    with torch.no_grad():
        assert_same(program.module()(x), model(x))


@pytest.mark.skipif(AUTO is None, reason="needs torch.export.Dim.AUTO (torch 2.6)")
@pytest.mark.parametrize("name", few_and_slow(set(SIZES) - set(FIXED_SIZE)))
def test_exported_program_takes_other_batches_and_odd_grids(name):
    """No axis of the example may be 1 anywhere inside: such are taken for constants."""
    torch.manual_seed(0)
    model = make(name).eval()
    spec = model.input_spec
    axes, size, odd = {0: AUTO, 2: AUTO, 3: AUTO}, 128, 128
    if not spec.any_size:
        axes, size, odd = {0: AUTO}, None, None
    else:
        size = {"dctnet_mobilenet_v2": 320, "harmonic_wrn28_10": 32}.get(name, 128)
        odd = size + {"planes": 16, "concat": 8, "pixels": 1}[spec.layout]
    shapes = ((axes, axes),) if spec.layout == "planes" else (axes,)
    example = inputs_of(spec, size=size)
    program = torch.export.export(model, (example,), dynamic_shapes=shapes)
    x = inputs_of(spec, batch=3, size=odd)
    with torch.no_grad():
        assert_same(program.module()(x), model(x))


@pytest.mark.filterwarnings("ignore")  # exporters warn about themselves
@pytest.mark.parametrize("name", few_and_slow(SIZES))
def test_traced_network_gives_the_same(name):
    model, x = tame(name)
    traced = torch.jit.trace(model, (x,), check_trace=False)
    with torch.no_grad():
        assert_same(traced(x), model(x))


@pytest.mark.filterwarnings("ignore")  # exporters warn about themselves
@pytest.mark.parametrize("name", few_and_slow(SIZES))
def test_onnx_runtime_gives_the_same(name, tmp_path):
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason=f"ONNX export needs {package}")
    model, x = tame(name)
    path = str(tmp_path / "model.onnx")
    torch.onnx.export(model, (x,), path)
    with torch.no_grad():
        assert_same(run_onnx(path, x), model(x))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # exporters warn about themselves
def test_fused_and_converted_networks_leave_too(tmp_path):
    """What is made from a network is a network: fused, and on coefficients."""
    tv = pytest.importorskip("torchvision.models", reason="needs torchvision")
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason=f"ONNX export needs {package}")
    model, x = tame("lean_small")
    converted = convert_rgb_model(tv.resnet18(num_classes=3), 64).eval()
    y = inputs_of(converted.input_spec) / 100
    for i, (net, fed) in enumerate([(fuse(model), x), (converted, y)]):
        torch.onnx.export(net, (fed,), str(tmp_path / f"{i}.onnx"))
        with torch.no_grad():
            assert_same(run_onnx(str(tmp_path / f"{i}.onnx"), fed), net(fed))


# Generating C++ for a deep network takes minutes and is torch's own affair; whether a
# network can be captured whole, and what then becomes of it, is ours.
COMPILED = {
    "small_resnet": "inductor",
    "lean_small": "inductor",
    "jpeg_vit_tiny": "inductor",
    "dctnet_resnet50_gate": "aot_eager",
    "fca_resnet18": "aot_eager",
    "efun_s_plus": "aot_eager",
    "harmonic_resnet50": "aot_eager",
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_network_gives_the_same(name):
    model, x = tame(name)
    compiled = torch.compile(model, backend=COMPILED[name], fullgraph=True)
    with torch.no_grad():
        want = model(x)
        assert_same(compiled(x), want)
