"""Streaming to a GPU, and what is computed there. Skipped where there is none.

Each test compares with what the CPU gives. All of them together take under a minute,
half of which is the compilation of Triton's kernels.
"""

import gc
import itertools
import json
from collections import UserDict

import numpy as np
import pytest
import test_batched
import torch
from conftest import jpeg_bytes, picture
from operations import drawn_params
from test_batched import COMPOSED, ROUNDED

import dctload
from dctload import DataLoader, Files
from dctload import transforms as T
from dctload._ops import Op
from dctload.data import device as device_module
from dctload.models import create_model
from dctload.training import Settings, Trainer
from dctload.transforms import batched
from dctload.transforms.auto import PRESETS

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.timeout(60),
]

NUM, BATCH = 60, 8
RANDOM = T.Compose(
    [T.RandomResizedCrop(64), T.RandomHorizontalFlip(), T.SelectFrequencies("24")]
)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Sixty files of some samplings and sizes, one in six grey."""
    root = tmp_path_factory.mktemp("for-the-gpu")
    kinds = [
        {"subsampling": "4:2:0"}, {"subsampling": "4:4:4"}, {"mode": "L"},
        {"subsampling": "4:2:2"}, {"progressive": True}, {"subsampling": "4:2:0"},
    ]  # fmt: skip
    out = []
    for i in range(NUM):
        pixels = picture(80 + 3 * i, 200 - 2 * i, i)
        out.append(str(root / f"{i:02}.jpg"))
        (root / f"{i:02}.jpg").write_bytes(jpeg_bytes(pixels, **kinds[i % len(kinds)]))
    return out


@pytest.fixture
def make(paths):
    def build(transform=RANDOM, files=paths, **options):
        options = {"batch_size": BATCH, "seed": 5, "num_workers": 2, **options}
        return DataLoader(
            Files(files, range(len(files)), transform=transform), **options
        )

    return build


@pytest.fixture
def collected():
    """What a test leaves behind is not counted as the next one's."""
    gc.collect()
    torch.cuda.synchronize()
    yield
    gc.collect()


def parts_of(x):
    return [x] if isinstance(x, torch.Tensor) else list(x)


def assert_same(got, want, exact=True):
    for ours, theirs in zip(parts_of(got), parts_of(want), strict=True):
        assert ours.is_cuda
        assert ours.dtype == theirs.dtype
        last = torch.channels_last
        assert ours.is_contiguous(memory_format=last) == (
            theirs.is_contiguous(memory_format=last)
        )
        if exact:
            assert torch.equal(ours.cpu(), theirs)
        else:
            torch.testing.assert_close(ours.cpu(), theirs, rtol=8e-3, atol=1e-3)


WHERE = ["host", "device"]


# ---- streaming ----


@pytest.mark.parametrize("transform_on", WHERE)
@pytest.mark.parametrize("num_workers", [0, 3])
@pytest.mark.parametrize(
    ("layout", "dtype", "memory_format"),
    [
        ("concat", torch.float32, torch.contiguous_format),
        ("planes", torch.float16, torch.channels_last),
        ("planes", torch.bfloat16, torch.contiguous_format),
        ("concat", torch.float16, torch.channels_last),
    ],
)
def test_batches_on_the_gpu_are_those_of_the_cpu(
    make, layout, dtype, memory_format, num_workers, transform_on
):
    options = {"layout": layout, "dtype": dtype, "memory_format": memory_format}
    options.update(num_workers=num_workers, shuffle=True)
    on_gpu = make(device="cuda", transform_on=transform_on, **options)
    for epoch in range(2):
        want = make(**options)
        want.set_epoch(epoch)
        for (x, target), (y, wanted) in zip(on_gpu, want, strict=True):
            assert_same(x, y, exact=transform_on == "host")
            assert target.is_cuda
            assert target.tolist() == wanted.tolist()


@pytest.mark.parametrize("transform_on", WHERE)
@pytest.mark.parametrize("reuse_buffers", [False, True])
def test_nothing_is_overwritten_while_a_slow_consumer_uses_it(
    make, transform_on, reuse_buffers
):
    """Batches pile up: the consumer's stream is kept busy, its Python is not."""
    want = [x.double().sum() for x, _ in make()]
    stream = torch.cuda.Stream()
    for _ in range(3):
        got = []
        loader = make(
            device="cuda", transform_on=transform_on, reuse_buffers=reuse_buffers
        )
        with torch.cuda.stream(stream):
            for x, _ in loader:
                torch.cuda._sleep(20_000_000)  # cycles, some 10 ms
                got.append(x.double().sum())
                # Gone for Python before the kernels above have begun.
                del x
        stream.synchronize()
        for ours, theirs in zip(got, want, strict=True):
            torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-5, atol=1)


class MovesItself:
    """A batch of a kind that the loader does not know."""

    def __init__(self, x):
        self.x = x

    def to(self, device):
        return MovesItself(self.x.to(device))


@pytest.mark.parametrize("transform_on", WHERE)
@pytest.mark.parametrize("kind", [UserDict, MovesItself])
def test_nor_are_batches_of_the_users_own_kinds(make, transform_on, kind):
    """Mappings are moved ahead, what has a ``to()`` when it is handed over."""

    def collate(samples):
        x = torch.stack([x for x, _ in samples])
        return UserDict(x=x) if kind is UserDict else MovesItself(x)

    want, got = [x.double().sum() for x, _ in make()], []
    loader = make(device="cuda", transform_on=transform_on, collate_fn=collate)
    for batch in loader:
        assert type(batch) is kind
        x = batch["x"] if kind is UserDict else batch.x
        assert x.is_cuda
        torch.cuda._sleep(20_000_000)
        got.append(x.double().sum())
        del x, batch
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-5, atol=1)


def test_a_batch_is_kept_as_long_as_somebody_holds_it(make):
    kept = [x for x, _ in make(device="cuda")]
    torch.cuda.synchronize()
    for x, (y, _) in zip(kept, make(), strict=True):
        assert torch.equal(x.cpu(), y)


def test_other_streams_and_the_default_one_see_whole_batches(make):
    want = [x for x, _ in make()]
    streams = [torch.cuda.Stream(), torch.cuda.default_stream(), torch.cuda.Stream()]
    got = []
    iterator = iter(make(device="cuda"))
    for stream, _ in zip(itertools.cycle(streams), want, strict=False):
        with torch.cuda.stream(stream):
            x, _ = next(iterator)
            got.append(x * 2)
    torch.cuda.synchronize()
    for x, y in zip(got, want, strict=True):
        assert torch.equal(x.cpu(), y * 2)


@pytest.mark.parametrize("transform_on", WHERE)
def test_what_is_copied_lies_in_page_locked_memory(make, transform_on, monkeypatch):
    pinned = []
    to = torch.Tensor.to

    def spy(tensor, *args, **options):
        if not tensor.is_cuda and tensor.nbytes > 10_000:
            pinned.append(tensor.is_pinned())
        return to(tensor, *args, **options)

    monkeypatch.setattr(torch.Tensor, "to", spy)
    for _ in make(device="cuda", transform_on=transform_on):
        pass
    assert len(pinned) >= NUM // BATCH
    assert all(pinned)


def test_pinned_batches_without_a_device_are_pinned(make):
    for x, _ in make(pin_memory=True):
        assert x.is_pinned()


@pytest.mark.parametrize("transform_on", WHERE)
def test_batches_are_ready_before_they_are_asked_for(make, transform_on):
    """While the consumer works on one, the copies of those after it are begun."""
    iterator = iter(make(device="cuda", transform_on=transform_on, prefetch_factor=6))
    next(iterator)
    for _ in range(3):
        torch.cuda._sleep(200_000_000)
        torch.cuda.synchronize()
        next(iterator)
    assert len(iterator._ahead._ready) >= 1
    torch.cuda.synchronize()
    assert all(event.query() for _, _, event in iterator._ahead._ready)


@pytest.mark.parametrize("transform_on", WHERE)
def test_leaving_early_gives_all_memory_back(make, transform_on, collected):
    loader = make(device="cuda", transform_on=transform_on)
    for x, _ in loader:  # constants and kernels stay
        del x
    gc.collect()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    for stop in (1, 2, 3, 1, 5):
        for i, _ in enumerate(loader, 1):
            if i == stop:
                break
        loader.close()
    del _
    gc.collect()
    torch.cuda.synchronize()
    assert torch.cuda.memory_allocated() <= before


@pytest.mark.parametrize("transform_on", WHERE)
def test_epochs_take_no_new_memory(make, transform_on, collected):
    loader = make(device="cuda", transform_on=transform_on)
    reserved = []
    for _ in range(14):
        for x, _ in loader:
            x.sum()
        torch.cuda.synchronize()
        reserved.append(torch.cuda.memory_reserved())
    # A new stream each epoch would take some 20 MiB each.
    assert reserved[-1] <= reserved[3] + (64 << 20)


def test_a_consumer_that_lags_behind_does_not_pile_up_memory(paths, collected):
    """Python could run a whole epoch ahead of the GPU; memory would hold it all."""
    options = {"transform": T.RandomResizedCrop(224), "batch_size": 4, "num_workers": 2}
    loader = DataLoader(Files(paths * 3), device="cuda", seed=1, **options)
    x, _ = next(iter(loader))
    size = x.nbytes
    del x
    loader.close()
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    for x, _ in loader:
        torch.cuda._sleep(20_000_000)
        x.sum()
    torch.cuda.synchronize()
    most = (torch.cuda.max_memory_allocated() - before) / size
    # Ready, in use, and those that the GPU has not finished with.
    assert most < 3 + 2 + device_module._MAX_LAG + 2 < len(loader)


def test_several_loaders_run_at_once(make):
    want = [x for x, _ in make()]
    loaders = [make(device="cuda", transform_on=where) for where in WHERE * 2]
    for batches in zip(*loaders, want, strict=True):
        *got, y = batches
        for (x, _), where in zip(got, WHERE * 2, strict=True):
            assert_same(x, y, exact=where == "host")


def test_an_iteration_inside_another_disturbs_neither(make):
    want = [x for x, _ in make()]
    loader, inner = make(device="cuda"), make(device="cuda", num_workers=1)
    for (x, _), y in zip(loader, want, strict=True):
        for z, _ in itertools.islice(inner, 2):
            assert z.is_cuda
        inner.set_epoch(0)
        assert torch.equal(x.cpu(), y)


@pytest.mark.parametrize("transform_on", WHERE)
def test_batches_before_a_bad_file_come_first(make, paths, tmp_path, transform_on):
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    files = [*paths[:45], str(tmp_path / "bad.jpg"), *paths[45:]]
    loader = make(
        T.Resize((32, 32)), files, device="cuda", transform_on=transform_on,
        prefetch_factor=8,
    )  # fmt: skip
    iterator, seen = iter(loader), []
    for _ in range(5):
        seen += next(iterator)[1].tolist()
        torch.cuda._sleep(20_000_000)
        torch.cuda.synchronize()
    assert seen == list(range(40))
    with pytest.raises(dctload.DctloadError, match=r"bad\.jpg"):
        next(iterator)
    assert next(iterator)[1].tolist() == list(range(48, 56))


@pytest.mark.parametrize("transform_on", WHERE)
def test_it_resumes_after_what_was_received(make, transform_on):
    loader = make(device="cuda", transform_on=transform_on, shuffle=True)
    iterator = iter(loader)
    next(iterator), next(iterator)
    state = json.loads(json.dumps(loader.state_dict()))
    rest = [target.tolist() for _, target in iterator]
    again = make(shuffle=True)
    again.load_state_dict(state)
    assert [target.tolist() for _, target in again] == rest


def test_bad_files_are_replaced_alike(make, paths, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    files = [*paths[:11], str(tmp_path / "bad.jpg"), *paths[11:20]]
    options = {"files": files, "on_error": "replace"}
    on_gpu = make(device="cuda", transform_on="device", **options)
    for (x, _), (y, _) in zip(on_gpu, make(**options), strict=True):
        assert_same(x, y, exact=False)


# ---- transforms on the device ----


@pytest.fixture(scope="module")
def images(paths):
    return dctload.decode_many(paths[:14])


@pytest.mark.parametrize("kernels", ["torch", "triton"])
@pytest.mark.parametrize("layout", ["concat", "planes"])
@pytest.mark.parametrize("name", sorted(COMPOSED))
def test_transforms_equal_those_on_the_cpu(images, name, layout, kernels):
    plan = T.Compose(COMPOSED[name]).plan(layout)
    uniforms = np.random.default_rng(5).random((len(images), plan.num_draws))
    packed = batched.pack(images, plan, uniforms)
    got = packed.pin_memory().to("cuda", non_blocking=True).emit(kernels)
    for ours, theirs in zip(got, packed.emit(), strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=0, atol=1e-3)


@pytest.mark.parametrize("kernels", ["torch", "triton"])
def test_transforms_equal_those_of_c(images, kernels):
    plan = T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip()]).plan()
    uniforms = np.random.default_rng(6).random((len(images), plan.num_draws))
    (got,) = batched.pack(images, plan, uniforms).to("cuda").emit(kernels)
    for i, image in enumerate(images):
        want = plan.sample(image, uniforms[i])
        torch.testing.assert_close(got[i].cpu(), want, rtol=0, atol=1e-3)


@pytest.mark.parametrize("kernels", ["torch", "triton"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int16", "int8"])
def test_types_are_those_of_the_cpu(images, dtype, kernels):
    plan = T.Compose([T.Resize((48, 32))]).plan("planes", dtype, torch.channels_last)
    packed = batched.pack(images, plan)
    tolerances = {"float16": (1e-3, 1e-3), "bfloat16": (8e-3, 1e-3)}
    rtol, atol = tolerances.get(dtype, (0, 1))
    got = packed.to("cuda").emit(kernels)
    for ours, theirs in zip(got, packed.emit(), strict=True):
        assert ours.stride() == theirs.stride()
        assert ours.dtype == theirs.dtype
        torch.testing.assert_close(
            ours.cpu().double(), theirs.double(), rtol=rtol, atol=atol
        )


@pytest.mark.parametrize("kernels", ["torch", "triton"])
@pytest.mark.parametrize("new", [False, True])
def test_tensor_cores_of_less_precision_are_not_used(images, kernels, new):
    plan = T.Compose([T.Resize((224, 224))]).plan()
    packed = batched.pack(images, plan)
    setting = torch.backends.cuda.matmul
    if new and not hasattr(setting, "fp32_precision"):
        pytest.skip("this torch has only the old setting")
    old = setting.fp32_precision if new else torch.get_float32_matmul_precision()
    if new:
        setting.fp32_precision = "tf32"
    else:
        torch.set_float32_matmul_precision("high")
    try:
        (got,) = packed.to("cuda").emit(kernels)
        if new:
            assert setting.fp32_precision == "tf32"
    finally:
        if new:
            setting.fp32_precision = old
        else:
            torch.set_float32_matmul_precision(old)
    torch.testing.assert_close(got.cpu(), packed.emit()[0], rtol=0, atol=1e-3)


def test_mixing_batches_works_there(make):
    x, target = next(iter(make(device="cuda", layout="planes")))
    for mix in (T.MixUp(num_classes=NUM), T.CutMix(num_classes=NUM)):
        mixed, label = mix(x, target)
        assert all(part.is_cuda for part in mixed)
        torch.testing.assert_close(label.sum(1), torch.ones(BATCH, device="cuda"))


# ---- operations ----


def share_off(a, b):
    """Of the samples of all blocks, which rounding may turn into others."""
    return ((a.cpu() - b).abs() > 2e-3).float().mean()


@pytest.mark.parametrize("layout", ["planes", "concat"])
@pytest.mark.parametrize("kind", list(Op)[1:])
def test_operations_equal_those_on_the_cpu(kind, layout):
    tests = test_batched.TestOperations()
    images, rng = tests.sources(kind), np.random.default_rng(kind)
    p = np.concatenate([drawn_params(kind, rng, 64, 48) for _ in images])
    seeds = rng.integers(0, 2**32, len(images)).astype(np.uint32)
    geometry = tests.geometry(images)
    geometry = geometry.with_op(kind, p, np.arange(len(images)) != 1, seeds)
    packed = tests.pack(images, geometry, layout)
    want = packed.emit()
    for kernels in ("torch", "triton"):
        for ours, theirs in zip(packed.to("cuda").emit(kernels), want, strict=True):
            if kind in ROUNDED:  # one sample changes the 64 amplitudes of a block
                assert share_off(ours, theirs) < 0.1
            else:
                torch.testing.assert_close(ours.cpu(), theirs, rtol=0, atol=2e-3)


@pytest.mark.parametrize("layout", ["planes", "concat"])
@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_automatic_augmentation_equals_that_of_the_cpu(images, preset, layout):
    augment = T.RandAugment(operations=preset)
    plan = T.Compose([T.RandomResizedCrop(64), augment, T.RandomErasing()])
    plan = plan.plan(layout)
    uniforms = np.random.default_rng(5).random((len(images), plan.num_draws))
    packed = batched.pack(images, plan, uniforms)
    for ours, theirs in zip(packed.to("cuda").emit(), packed.emit(), strict=True):
        far = [share_off(a, b) > 0.1 for a, b in zip(ours, theirs, strict=True)]
        assert sum(far) <= 1


# ---- networks ----


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["small_resnet", "lean_small", "jpeg_vit_tiny"])
def test_networks_run_forwards_and_backwards_in_half_precision(name, dtype):
    torch.manual_seed(0)
    model = create_model(name, num_classes=10).cuda()
    x = [100 * torch.randn(2, *shape) for shape in model.input_spec.shapes]
    x = [part.cuda() for part in x]
    x = x[0] if model.input_spec.layout != "planes" else tuple(x)
    model.eval()
    with torch.no_grad():
        exact = model(x)
    with torch.autocast("cuda", dtype):
        rough = model(x)
        loss = torch.nn.functional.cross_entropy(rough.float(), exact.argmax(1))
    scale = exact.abs().max()
    assert (rough.float() - exact).abs().max() < 0.1 * scale
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("transform_on", WHERE)
@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_training_on_the_gpu_learns(tmp_path, transform_on, precision):
    """Dark pictures and bright ones; the whole way from files to weights."""
    files = []
    for i in range(32):
        pixels = picture(96, 80, i) // 2 + (0 if i % 2 else 120)
        path = tmp_path / f"{i}.jpg"
        path.write_bytes(jpeg_bytes(pixels.astype(np.uint8)))
        files.append(str(path))
    torch.manual_seed(0)
    model = create_model("small_resnet", num_classes=2)
    transform = T.Compose([T.RandomResizedCrop(64, (0.5, 1)), T.RandomHorizontalFlip()])
    data = Files(files, [i % 2 for i in range(32)], transform=transform)
    options = {"device": "cuda", "transform_on": transform_on, "num_workers": 2}
    options["layout"] = model.input_spec.layout
    loader = DataLoader(data, 8, shuffle=True, seed=1, **options)
    settings = Settings(epochs=6, lr=0.02, precision=precision, ema=0.9)
    trainer = Trainer(model, loader, None, settings, "cuda", tmp_path / "run")
    results = list(trainer.fit())
    assert results[-1].train["top1"] > 0.9
    again = Trainer(
        create_model("small_resnet", num_classes=2), loader, None, settings, "cuda",
        tmp_path / "run",
    )  # fmt: skip
    assert again.resume()
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], value)
