"""``fn.dctload`` before a GPU: what arrives there is what a CPU's pipeline gives.

Half a minute, and no data set: `pytest tests/test_dali_cuda.py` on a machine with a GPU
and NVIDIA DALI.
"""

import numpy as np
import pytest
import torch
from conftest import jpeg_bytes, picture
from dali_setup import arrays, dtype, feed, pipeline, run_script
from nvidia.dali import fn, types

from dctload.models import create_model

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device"
)

NUM, BATCH = 24, 6
ROUNDS = 10  # batches: the queue is filled and emptied some times
EXECUTORS = pytest.mark.parametrize("exec_dynamic", [True, False])


@pytest.fixture(scope="module")
def files():
    """Photographs of many sizes and samplings."""
    return [
        jpeg_bytes(picture(60 + 9 * i, 190 - 4 * i, seed=i), subsampling=i % 3)
        for i in range(NUM)
    ]


def in_turn(samples):
    """Other files in each batch, and the same ones in every run."""
    made = [np.frombuffer(sample, np.uint8) for sample in samples]

    def batch(number):
        return [made[(number * 5 + i) % len(made)] for i in range(BATCH)]

    return fn.external_source(lambda info: batch(info.iteration), batch_info=True)


def outputs_of(graph, on_gpu, **options):
    """The batches of a pipeline, as arrays; what ``graph`` gives goes to the GPU."""

    def whole():
        outputs = graph()
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        return [output.gpu() for output in outputs] if on_gpu else outputs

    where = {"device_id": 0, "prefetch_queue_depth": 3} if on_gpu else {}
    pipe = pipeline(whole, BATCH, 4, **{**where, **options})
    return [arrays(pipe.run()) for _ in range(ROUNDS)]


def assert_same(graph, **options):
    """A pipeline that ends on the GPU gives what it gives on the CPU, bit for bit."""
    ours, wanted = outputs_of(graph, True, **options), outputs_of(graph, False)
    for a, b in zip(ours, wanted, strict=True):
        for x, y in zip(a, b, strict=True):
            for one, other in zip(x, y, strict=True):
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)
    first, second = (batch[0][0].tobytes() for batch in wanted[:2])
    assert first != second  # batches that are mixed up would be seen


class TestTheSameBitsAsOnTheCpu:
    @EXECUTORS
    @pytest.mark.parametrize("layout", ["planes", "concat"])
    @pytest.mark.parametrize("name", ["float32", "float16", "int16", "int8"])
    def test_of_decode(self, files, layout, name, exec_dynamic):
        def graph():
            return fn.dctload.decode(
                in_turn(files),
                size=64,
                layout=layout,
                frequencies="24",
                normalize="imagenet",
                dtype=dtype(name),
                output_layout="HWC" if name == "int16" else "CHW",
            )

        assert_same(graph, exec_dynamic=exec_dynamic)

    @EXECUTORS
    @pytest.mark.parametrize("frequencies", [{}, {"frequencies": "24"}], ids=str)
    def test_of_the_integers_of_files(self, files, frequencies, exec_dynamic):
        """Ragged ones: every image has a size of its own."""
        assert_same(
            lambda: fn.dctload.decode_raw(in_turn(files), **frequencies),
            exec_dynamic=exec_dynamic,
        )

    def test_of_random_crops(self, files):
        def graph():
            jpegs = in_turn(files)
            anchor, shape = fn.random_crop_generator(
                fn.dctload.peek_shape(jpegs), seed=1
            )
            x = fn.dctload.decode(
                jpegs,
                anchor=anchor,
                shape=shape,
                mirror=fn.random.coin_flip(seed=2),
                size=64,
            )
            return x, anchor, shape

        assert_same(graph)

    def test_of_statuses_beside_zeroes(self, files):
        bad = [files[0], files[1][:700], b"no JPEG", *files[2:9]]

        def graph():
            return fn.dctload.decode(in_turn(bad), size=32, on_error="zero")

        assert_same(graph)

    def test_of_int8_scaled_back_behind_the_copy(self, files):
        step = 16.0

        def graph(on_gpu):
            x = fn.dctload.decode(
                in_turn(files), size=64, scale=[1 / step] * 192, dtype=types.INT8
            )
            x = x.gpu() if on_gpu else x
            return fn.cast(x, dtype=types.FLOAT) * step

        options = {"prefetch_queue_depth": 2, "device_id": 0}
        ours = pipeline(lambda: graph(True), BATCH, **options)
        wanted = pipeline(lambda: graph(False), BATCH)
        for _ in range(ROUNDS):
            np.testing.assert_array_equal(arrays(ours.run()), arrays(wanted.run()))

    def test_in_dynamic_mode(self, files):
        """In a process of its own, for that mode looks for operators once."""
        code = """if True:
            import sys, numpy as np
            import dctload.dali
            import nvidia.dali.experimental.dynamic as ndd
            data = np.frombuffer(sys.stdin.buffer.read(), np.uint8).copy()
            made = ndd.dctload.decode(ndd.as_batch([data, data]), size=32,
                mirror=ndd.as_batch([0, 1]))
            for x, y in zip(made, made.gpu(), strict=True):
                assert y.device.device_type == "gpu", y.device
                assert np.array_equal(np.asarray(x.cpu()), np.asarray(y.cpu()))
        """
        run_script(code, files[0])


@EXECUTORS
def test_what_is_copied_to_a_gpu_lies_in_pinned_memory(files, exec_dynamic):
    def graph():
        x = fn.dctload.decode(feed(files[:BATCH]), size=64, dtype=types.FLOAT16)
        return [x, x.gpu()]

    torch.zeros(1, device="cuda")  # before that, nothing is pinned to torch
    options = {"device_id": 0, "exec_dynamic": exec_dynamic}
    pipe = pipeline(graph, BATCH, **options)
    for _ in range(3):
        on_host, on_gpu = pipe.run()
        host = torch.from_numpy(np.asarray(on_host.as_tensor()))
        assert host.is_pinned()
        np.testing.assert_array_equal(host, on_gpu.as_cpu().as_tensor())


def test_a_bad_file_is_named_by_a_pipeline_that_ends_on_the_gpu(files, tmp_path):
    paths = [str(tmp_path / f"{i}.jpg") for i in range(BATCH)]
    for path, data in zip(paths, files, strict=False):
        with open(path, "wb") as file:
            file.write(data[:700] if path is paths[2] else data)

    def graph():
        return fn.dctload.decode(fn.readers.file(files=paths)[0], size=32).gpu()

    with pytest.raises(RuntimeError, match=r"2\.jpg"):
        pipeline(graph, BATCH, device_id=0).run()
    good = paths[3:]
    again = pipeline(
        lambda: fn.dctload.decode(fn.readers.file(files=good)[0], size=32).gpu(),
        len(good),
        device_id=0,
    )
    assert again.run()[0].as_cpu().shape() == [(192, 4, 4)] * len(good)


def test_a_network_learns_from_batches_that_never_leave_the_gpu(tmp_path):
    """Dark pictures and bright ones, by DALI's own iterator."""
    from nvidia.dali.plugin.pytorch import DALIGenericIterator

    paths, labels = [], [i % 2 for i in range(32)]
    for i, label in enumerate(labels):
        pixels = picture(96, 80, i) // 2 + 120 * label
        paths.append(str(tmp_path / f"{i}.jpg"))
        (tmp_path / f"{i}.jpg").write_bytes(jpeg_bytes(pixels.astype(np.uint8)))
    torch.manual_seed(0)
    model = create_model("small_resnet", num_classes=2).cuda()
    planes = model.input_spec.layout == "planes"

    def graph():
        jpegs, label = fn.readers.file(
            files=paths, labels=labels, random_shuffle=True, name="reader"
        )
        anchor, shape = fn.random_crop_generator(
            fn.dctload.peek_shape(jpegs), random_area=[0.5, 1.0]
        )
        x = fn.dctload.decode(
            jpegs,
            anchor=anchor,
            shape=shape,
            size=64,
            normalize="imagenet",
            layout=model.input_spec.layout,
        )
        x = list(x) if planes else [x]
        return [*(part.gpu() for part in x), label.gpu()]

    pipe = pipeline(graph, 8, device_id=0, prefetch_queue_depth=2)
    names = ["y", "c", "label"] if planes else ["x", "label"]
    batches = DALIGenericIterator(pipe, names, reader_name="reader", auto_reset=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for _ in range(8):
        right = 0
        for (batch,) in batches:
            assert all(tensor.is_cuda for tensor in batch.values())
            *x, target = (batch[name] for name in names)
            logits = model(tuple(x) if planes else x[0])
            target = target.squeeze(1).long()
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, target).backward()
            optimizer.step()
            right += int((logits.argmax(1) == target).sum())
    assert right > 0.9 * len(paths)
