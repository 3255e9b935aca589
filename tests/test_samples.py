"""A sample is the same, bit for bit, however the decoder hands its blocks on.

Side by side with many others its window is gathered and transformed at once; a large
image, and every image where a CPU has no vectors for many, is transformed row by row
as it is decoded. The reference here is the transform of whole planes.
"""

import io

import numpy as np
import pytest
from corpus import SAMPLINGS
from jpegimage import encode_image, interleaved, random_image
from PIL import Image

import dctload
from dctload import _native as native
from dctload import transforms as T
from dctload._engine import Batch, Engine

TAIL = [T.SelectFrequencies("192"), T.Normalize("imagenet")]
RECIPES = {
    # So many bytes a batch that they are stored past the cache.
    "a crop at random": [T.RandomResizedCrop(224), T.RandomHorizontalFlip()],
    "a tiny crop": [T.RandomResizedCrop(64, scale=(0.001, 0.02), interpolation="box")],
    "a wide filter": [T.RandomResizedCrop(32, interpolation="lanczos")],
    "two steps": [T.Resize(150, interpolation="bicubic"), T.CenterCrop(112)],
    "beyond the edges": [T.RandomCrop(64, padding=70, pad_if_needed=True)],
    "a quarter turn": [
        T.RandomRotation90(),
        T.RandomVerticalFlip(),
        T.RandomResizedCrop(80, scale=(0.05, 0.5)),
    ],
    "only luma": [T.RandomResizedCrop(64), T.SelectFrequencies(([0, 9], [], []))],
}


def _photo(rng, width, height, **options):
    mode = options.pop("mode", "RGB")
    pixels = rng.normal(128, 40, (height // 5 + 1, width // 5 + 1, 3))
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).resize(
        (width, height)
    )
    file = io.BytesIO()
    image.convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(5)
    files = []
    for k in range(40):
        width, height = (int(n) for n in rng.integers(1, 400, 2))
        ways = [
            {"subsampling": k % 3},
            {"subsampling": 2, "restart_marker_blocks": 7},
            {"mode": "L"},
            {"progressive": True},
        ]
        files.append(_photo(rng, width, height, **ways[k // 3 % 4]))
    # Past what is gathered, among others that are not.
    files.insert(7, _photo(rng, 1101, 903, subsampling=0))
    files.insert(8, _photo(rng, 1500, 1203, subsampling=2))
    return files


def _from_planes(plan, data, view):
    """The sample of one file, from its decoded planes."""
    image = dctload.decode(data)
    tensors = plan.format.empty()
    ffi, decoder = native.ffi, native.lib.dctload_alloc_decoder()
    planes = image._source.planes(image._i)
    pointers = native._planes(planes)
    status = native.lib.dctload_transform(
        decoder,
        ffi.cast("struct dctload_info *", image._header().ctypes.data),
        ffi.cast("int16_t const *const *", pointers),
        ffi.cast("struct dctload_geometry *", view.ctypes.data),
        plan.output,
        ffi.new("void *[2]", [ffi.cast("void *", t.data_ptr()) for t in tensors]),
    )
    native.lib.dctload_free_decoder(decoder)
    assert status == native.OK
    return [tensor.numpy() for tensor in tensors]


def _check(files, plan):
    """Each of the files that one batch samples is as its planes make it."""
    u = np.random.default_rng(1).random((len(files), plan.num_draws))
    batch, engine = Batch(len(files)), Engine(2)
    batch.set_data(files)
    engine.submit_read(batch, len(files))
    engine.wait(batch, 60)
    plan.fill(batch.items["info"], u, [batch.items["geometry"]], True)
    made = [np.full((len(files), *shape), np.nan, np.float32) for shape in plan.shapes]
    for k, tensor in enumerate(made):
        batch.set_out(len(files), k, tensor.ctypes.data, tensor[0].nbytes)
    engine.submit_sample(batch, len(files), output=plan.output)
    engine.wait(batch, 60)
    assert set(batch.items["status"]) == {native.OK}
    for i, data in enumerate(files):
        expected = _from_planes(plan, data, batch.items["geometry"][i : i + 1])
        for tensor, want in zip(made, expected, strict=True):
            assert np.array_equal(tensor[i], want), i
    engine.close()


@pytest.mark.parametrize("layout", ["planes", "concat"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_sample_is_that_of_whole_planes(photos, recipe, layout):
    parts = RECIPES[recipe]
    if len(parts) < 2 or not isinstance(parts[-1], T.SelectFrequencies):
        parts = parts + TAIL
    _check(photos, T.Compose(parts).plan(layout, "float32", None))


# What a signed byte holds, and what it just does not.
EDGES = [127, 128, 129, 255, 256, 257, 384, 1023]


def _any_coefficients(sampling, seed):
    image = random_image(131, 97, sampling, seed, density=(0.02, 0.3, 1)[seed % 3])
    rng = np.random.default_rng(seed)
    for plane in image.planes:
        edges = rng.choice([*EDGES, *(-n for n in EDGES)], plane[..., 1:].shape)
        some = rng.random(plane[..., 1:].shape) < seed % 2 * 0.02
        plane[..., 1:][some] = edges[some]
        plane[..., 0][::3] = 0
    return encode_image(image, interleaved(image))


def test_samples_of_any_sampling_and_any_coefficients():
    """Side by side, blocks are kept as the bytes that are not zero."""
    samplings = [s for s in SAMPLINGS.values() if len(s) in (1, 3)]
    files = [
        _any_coefficients(sampling, seed)
        for seed in range(4)
        for sampling in samplings
        if len(sampling) == 1 or sum(h * v for h, v in sampling) <= 10
    ]
    parts = [T.RandomResizedCrop(64), T.RandomVerticalFlip(), *TAIL]
    _check(files, T.Compose(parts).plan("planes", "float32", None))


def test_operations_of_a_sample_are_forgotten_by_the_next(photos, tmp_path):
    """A thread's plan serves samples and resampling in turn."""
    path = tmp_path / "0.jpg"
    path.write_bytes(photos[0])
    image = dctload.decode(photos[0])
    crop = T.CenterCrop(64)
    expected = [plane.copy() for plane in crop(image).planes]
    for ops in ([T.RandomPosterize(3, p=1.0)], [T.RandomErasing(p=1.0)]):
        dataset = dctload.Files([path], transform=T.Compose([crop, *ops, *TAIL]))
        dataset[0]
        for plane, want in zip(crop(image).planes, expected, strict=True):
            assert np.array_equal(plane, want)
