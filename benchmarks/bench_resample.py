"""One core: what does augmentation cost beside entropy decoding?

    python -m pytest benchmarks/bench_resample.py -c benchmarks/pytest.ini -s

Each image is decoded, which is not timed, and then transformed, which is; as in a
loader, there is no Python in between. Crops are drawn anew for every image and pass,
so building the operators is part of the time. The yardstick is libjpeg-turbo's
jpeg_read_coefficients() on the same files. Before any timing, samples are compared
with the same pass in NumPy.
"""

import gc
import os
import statistics
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

ALL_FREQUENCIES = "192"
CASES = {
    # name: (layout, dtype, frequencies, RandAugment, share of libjpeg's time)
    "planes fp16": ("planes", "float16", ALL_FREQUENCIES, False, 0.08),
    "planes fp16, RandAugment": ("planes", "float16", ALL_FREQUENCIES, True, None),
    "concat fp32": ("concat", "float32", ALL_FREQUENCIES, False, None),
    "concat fp32, 24 frequencies": ("concat", "float32", "24", False, None),
    "concat fp32, channels last": ("concat last", "float32", "192", False, None),
}


def make_plan(name):
    from dctload import transforms as T

    layout, dtype, frequencies, augment, _ = CASES[name]
    parts = [T.RandomResizedCrop(224), T.RandomHorizontalFlip()]
    if augment:
        parts.append(T.RandAugment())
    parts += [T.SelectFrequencies(frequencies), T.Normalize("imagenet")]
    last = "channels_last" if layout.endswith("last") else None
    return T.Compose(parts).plan(layout.split()[0], dtype, last)


class Samples:
    """Transforms decoded images into one sample's memory, over and over."""

    def __init__(self, name):
        from dctload import _native as native

        self.native = native
        self.plan = make_plan(name)
        self.tensors = self.plan.format.empty()
        addresses = [tensor.data_ptr() for tensor in self.tensors]
        ffi = native.ffi
        self.out = ffi.new("void *[2]", [ffi.cast("void *", a) for a in addresses])
        self.decoder = native.lib.dctload_alloc_decoder()
        self.rng = np.random.default_rng(0)

    def prepare(self, image):
        """The arguments of the call that is timed, with a crop of their own."""
        native, ffi = self.native, self.native.ffi
        u = self.rng.random((1, self.plan.num_draws))
        view = native.new_geometry(1)
        self.plan.fill(image._header(), u, [view], False)
        planes = image._source.planes(image._i)
        pointers = native._planes(planes)
        header = image._header()
        arguments = (
            self.decoder,
            ffi.cast("struct dctload_info *", header.ctypes.data),
            ffi.cast("int16_t const *const *", pointers),
            ffi.cast("struct dctload_geometry *", view.ctypes.data),
            self.plan.output,
            self.out,
        )
        return u, arguments, (pointers, planes, view, header)

    def call(self, arguments):
        if self.native.lib.dctload_transform(*arguments):
            raise RuntimeError("a sample failed")


class Planes:
    """Files decoded one by one to the same memory, with nothing but C in between."""

    def __init__(self, native, files):
        import dctload

        self.ffi, self.lib = native.ffi, native.lib
        self.decoder = self.lib.dctload_alloc_decoder()
        infos = [dctload.decode(data) for data in files]
        largest = max(sum(p.nbytes for p in image.planes) for image in infos)
        self.memory = np.zeros(largest + 64, np.uint8)
        base = self.memory.ctypes.data
        base += -base % 64
        self.calls = []
        for data, image in zip(files, infos, strict=True):
            addresses, at = [], base
            for plane in image.planes:
                addresses.append(self.ffi.cast("int16_t *", at))
                at += plane.nbytes
            pointers = self.ffi.new("int16_t *[4]", addresses)
            self.calls.append((self.ffi.from_buffer(data), pointers))

    def decode(self, i):
        data, pointers = self.calls[i]
        null = self.ffi.NULL
        status = self.lib.dctload_decode(
            self.decoder, data, len(data), null, 0, pointers, null, null
        )
        if status:
            raise RuntimeError("a file failed")
        return self.ffi.cast("int16_t const *const *", pointers)


def serve(name, list_):
    """Do a pass for every line on stdin; prints the nanoseconds of transforming."""
    import dctload

    files = [
        Path(path).read_bytes() for path in Path(list_).read_text().split("\n")[:-1]
    ]
    samples = Samples(name)
    planes = Planes(samples.native, files)
    images = [dctload.decode(data) for data in files]
    gc.collect()
    gc.disable()
    cpu = os.environ.get("BENCH_CLOCK") == "cpu"
    now = time.process_time_ns if cpu else time.perf_counter_ns
    for _ in sys.stdin:
        total = 0
        prepared = [samples.prepare(image)[1:] for image in images]
        for i, (arguments, _) in enumerate(prepared):
            decoder, info, _, *rest = arguments
            arguments = decoder, info, planes.decode(i), *rest
            start = now()
            samples.call(arguments)
            total += now() - start
        print(total, flush=True)


def assert_equal_to_numpy(paths):
    """A wrong answer has no speed."""
    import dctload
    from dctload import _resample

    for name in ("concat fp32", "concat fp32, 24 frequencies"):
        samples = Samples(name)
        for path in paths[::60]:
            image = dctload.decode(path)
            u, arguments, keep = samples.prepare(image)
            samples.call(arguments)
            del keep
            floats = image.dequantized()
            geometry = samples.plan.geometry(
                np.array([image.width]), np.array([image.height]), u, None
            )
            record = image._header()[0]
            size = image.width, image.height
            form = samples.plan.format
            luma = _resample.resample_plane(
                floats.planes[0],
                size,
                _resample.sampling_of(record, 0),
                geometry,
                (Fraction(1), Fraction(1)),
            )
            index = list(form.subset.y)
            want = luma.reshape(*luma.shape[:2], 64)[..., index]
            want = want * form.scale[0, index] + form.offset[0, index]
            got = samples.tensors[0][: len(index)].numpy().transpose(1, 2, 0)
            np.testing.assert_allclose(got, want, atol=2e-3)


def test_resample(libjpeg, one_core):
    from corpora import corpus
    from measure import Row, Section, compare, record
    from peers import Process, python_peer, write_list

    import dctload

    paths, generated = corpus("imagenet")
    usable = ("grey", "YCbCr", "RGB")
    paths = [path for path in paths if dctload.read_info(path).color in usable]
    assert_equal_to_numpy(paths)
    list_ = write_list(paths)
    candidates = {"libjpeg": Process([libjpeg, list_], "coefficients")}
    for name in CASES:
        candidates[name] = python_peer(name, list_, __file__)
    times = compare(candidates)
    rows = []
    for name, case in CASES.items():
        shares = [b / a for a, b in zip(times["libjpeg"], times[name], strict=True)]
        limit = case[-1]
        rows.append(
            Row(
                name=f"RandomResizedCrop(224), flip, normalise: {name}",
                peer="libjpeg-turbo coefficients",
                ours=len(paths) / statistics.median(times[name]) * 1e9,
                theirs=len(paths) / statistics.median(times["libjpeg"]) * 1e9,
                ratio=1 / statistics.median(shares),
                spread=(1 / max(shares), 1 / min(shares)),
                floor=None if limit is None else 1 / limit,
                note=f"{100 * statistics.median(shares):.1f} % of its time",
            )
        )
    section = Section(
        "Augmentation" + (" (generated)" if generated else ""),
        "Transforming coefficients just decoded, operators included, against the "
        "time libjpeg-turbo takes to read the coefficients of the same files.",
        {"files": len(paths), "bytes": sum(p.stat().st_size for p in paths)},
        rows,
    )
    record("resample", section)
    for row in rows:
        print(f"  {row.name}: {row.note}")


if __name__ == "__main__":
    serve(*sys.argv[1:])
