"""``fn.dctload``: the same numbers as dctload itself, and errors that say what."""

import io
import subprocess
import sys

import corpus_bad
import numpy as np
import pytest
from conftest import jpeg_bytes, picture
from corpus import exif, good
from dali_setup import arrays, decode, dtype, feed, pipeline, run, run_script
from nvidia.dali import fn, types

import dctload
from dctload import transforms as T
from dctload.errors import DctloadError

SIZES = [(160, 120), (97, 143), (224, 224), (64, 300), (333, 41)]
# (top, left, height, width) in images of these sizes.
WINDOWS = [(3, 5, 100, 111), (0, 0, 143, 97), (1, 1, 9, 200), (17, 0, 1, 64)]
WINDOWS.append((40, 332, 1, 1))
MIRROR = [0, 1, 1, 0, 1]


@pytest.fixture(scope="module")
def files():
    kinds = ["4:2:0", "4:4:4", "4:2:2", "4:2:0", "4:4:4"]
    return [
        jpeg_bytes(picture(*size, seed=i), subsampling=kind)
        for i, (size, kind) in enumerate(zip(SIZES, kinds, strict=True))
    ]


@pytest.fixture(scope="module")
def turned():
    """One picture in each of EXIF's eight orientations."""
    data = jpeg_bytes(picture(120, 88))
    return [data[:2] + exif(code) + data[2:] for code in range(1, 9)]


@pytest.fixture(scope="module")
def broken(files):
    return files[0][: len(files[0]) // 2]


class Window(T.CenterCrop):
    """A crop of any window."""

    def __init__(self, top, left, height, width):
        super().__init__((height, width))
        self.window = left, top, width, height

    def apply(self, geometry, u):
        return geometry.crop(*self.window)


def wanted(data, *parts, layout="concat", upright=True, **options):
    """What dctload makes of a file: arrays."""
    plan = T.Compose(parts).plan(layout, **options)
    made = plan.sample(dctload.decode(data), np.ones(plan.num_draws) / 2, upright)
    return [part.numpy() for part in (made if isinstance(made, tuple) else [made])]


def assert_same(made, files, plan_of, outputs=1, **options):
    """Every sample of ``made`` is what dctload makes of its file."""
    assert len(made) == outputs
    for i, data in enumerate(files):
        for output, array in zip(
            made, wanted(data, *plan_of(i), **options), strict=True
        ):
            assert output[i].dtype == array.dtype
            np.testing.assert_array_equal(output[i], array)


class TestTheSameBitsAsDctload:
    @pytest.mark.parametrize("num_threads", [1, 3])
    @pytest.mark.parametrize("layout", ["concat", "planes"])
    @pytest.mark.parametrize("kind", [np.int64, np.float32])
    def test_windows_and_mirrors(self, files, layout, num_threads, kind):
        made = decode(
            files,
            num_threads,
            {
                "anchor": [kind(window[:2]) for window in WINDOWS],
                "shape": [kind(window[2:]) for window in WINDOWS],
                "mirror": [np.int32(flip) for flip in MIRROR],
            },
            size=[96, 128],
            layout=layout,
            frequencies="24",
        )
        assert_same(
            made,
            files,
            lambda i: [
                Window(*WINDOWS[i]),
                T.Resize((96, 128)),
                T.RandomHorizontalFlip(float(MIRROR[i])),
                T.SelectFrequencies("24"),
            ],
            2 if layout == "planes" else 1,
            layout=layout,
        )

    @pytest.mark.parametrize("name", ["float32", "float16", "int16", "int8"])
    @pytest.mark.parametrize("order", ["CHW", "HWC"])
    def test_types_and_orders_of_axes(self, files, name, order):
        made = decode(files, size=64, dtype=dtype(name), output_layout=order)
        options = {"dtype": name}
        if order == "HWC":
            made = [[sample.transpose(2, 0, 1) for sample in made[0]]]
            options["memory_format"] = "channels_last"
        assert_same(made, files, lambda i: [T.Resize((64, 64))], **options)

    def test_every_orientation(self, turned):
        window = {"anchor": [6, 10], "shape": [70, 60]}
        made = decode(turned, size=[56, 48], mirror=1, **window)
        parts = [Window(6, 10, 70, 60), T.Resize((56, 48)), T.RandomHorizontalFlip(1)]
        assert_same(made, turned, lambda i: parts)
        made = decode(turned, size=48, adjust_orientation=False)
        assert_same(made, turned, lambda i: [T.Resize((48, 48))], upright=False)

    @pytest.mark.parametrize("size", [[64, 48], [80, 80]])
    def test_resizing_the_shorter_side(self, files, turned, size):
        some = [*files, *turned]
        made = decode(some, size=size, resize_shorter=80)
        assert_same(made, some, lambda i: [T.Resize(80), T.CenterCrop(size)])

    @pytest.mark.parametrize(
        ("interp_type", "name"),
        [
            (types.INTERP_CUBIC, "bicubic"),
            (types.INTERP_LANCZOS3, "lanczos"),
            (types.INTERP_TRIANGULAR, "bilinear"),
        ],
    )
    def test_filters(self, files, interp_type, name):
        made = decode(files, size=40, interp_type=interp_type)
        assert_same(made, files, lambda i: [T.Resize((40, 40), name)])

    def test_frequencies_by_name_and_as_lists(self, files):
        for subset in ("6", "y", "24-gate", ([0, 1, 63], [], [5])):
            parts = [T.Resize((32, 32)), T.SelectFrequencies(subset)]
            made = decode(files, size=32, frequencies=subset)
            assert_same(made, files, lambda i, parts=parts: parts)
        made = decode(files, size=32, frequencies=dctload.frequencies.subset("6"))
        assert made[0][0].shape == (6, 4, 4)

    @pytest.mark.parametrize("layout", ["concat", "planes"])
    def test_presets_of_statistics(self, files, layout):
        made = decode(files, size=224, normalize="imagenet", layout=layout)
        parts = [T.Resize((224, 224)), T.Normalize("imagenet")]
        num = 2 if layout == "planes" else 1
        assert_same(made, files, lambda i: parts, num, layout=layout)

    def test_statistics_as_numbers(self, files):
        rng = np.random.default_rng(0)
        mean = rng.normal(size=(3, 64)).astype(np.float32)
        std = rng.uniform(0.5, 90, (3, 64)).astype(np.float32)
        parts = [T.Resize((32, 32)), T.SelectFrequencies("24")]
        parts.append(T.Normalize(mean=mean, std=std))
        constants = {"size": 32, "frequencies": "24"}
        as_lists = {"mean": mean.ravel().tolist(), "std": std.ravel().tolist()}
        made = decode(files, **as_lists, **constants)
        assert_same(made, files, lambda i: parts)
        chosen = [
            64 * c + f
            for c, freqs in enumerate(dctload.frequencies.subset("24"))
            for f in freqs
        ]
        as_lists = {name: [x[i] for i in chosen] for name, x in as_lists.items()}
        again = decode(files, **as_lists, **constants)
        np.testing.assert_array_equal(made, again)

    def test_statistics_of_a_file(self, files):
        from dctload.dali import statistics

        made = decode(files, size=224, **statistics("imagenet"))
        parts = [T.Resize((224, 224)), T.Normalize("imagenet")]
        for sample, data in zip(made[0], files, strict=True):
            # Single precision on the way: not the last bit.
            np.testing.assert_allclose(sample, wanted(data, *parts)[0], 1e-5, 1e-5)

    def test_windows_given_as_shares(self, files):
        anchor, shape = np.float32([0.25, 0.125]), np.float32([0.5, 0.75])
        shares = decode(
            files,
            size=32,
            anchor=anchor,
            shape=shape,
            normalized_anchor=True,
            normalized_shape=True,
        )
        sizes = [np.float32([h, w]) for w, h in SIZES]
        pixels = {
            "anchor": [anchor * size for size in sizes],
            "shape": [shape * size for size in sizes],
        }
        np.testing.assert_array_equal(shares, decode(files, inputs=pixels, size=32))

    def test_size_may_change_from_batch_to_batch(self, files):
        sides = iter([32, 48, 32])

        def graph():
            size = fn.external_source(lambda: [np.int32(next(sides))] * len(files))
            return fn.dctload.decode(feed(files), size=size, normalize="")

        pipe = pipeline(graph, len(files), prefetch_queue_depth=1)
        for side in (32, 48):
            made = arrays(pipe.run())
            assert_same(made, files, lambda i, n=side: [T.Resize((n, n))])

    def test_generators_of_dali_give_windows(self, files):
        def graph():
            jpegs = feed(files)
            anchor, shape = fn.random_crop_generator(fn.dctload.peek_shape(jpegs))
            mirror = fn.random.coin_flip()
            made = fn.dctload.decode(
                jpegs, anchor=anchor, shape=shape, mirror=mirror, size=32
            )
            return [made, anchor, shape, mirror]

        made, anchor, shape, mirror = arrays(pipeline(graph, len(files)).run())
        assert len({tuple(a) for a in anchor}) > 1
        assert_same(
            [made],
            files,
            lambda i: [
                Window(*anchor[i].tolist(), *shape[i].tolist()),
                T.Resize((32, 32)),
                T.RandomHorizontalFlip(float(mirror[i])),
            ],
        )

    def test_every_good_file_raw(self):
        """Grids and tables are libjpeg's integers, as those of ``decode`` are."""
        some = [
            data
            for data in good().values()
            if dctload.read_info(data).color in ("grey", "YCbCr")
        ]
        assert len(some) > 50
        y, cb, cr, tables = run("decode_raw", some)
        for i, data in enumerate(some):
            image = dctload.decode(data)
            planes = [y[i], cb[i], cr[i]]
            for c, plane in enumerate(image.planes):
                np.testing.assert_array_equal(planes[c], plane)
                np.testing.assert_array_equal(tables[i][c], image.qtables[c])
            for c in range(len(image.planes), 3):
                assert planes[c].size == 0
                assert not tables[i][c].any()
            assert tables[i].dtype == np.int32

    def test_raw_frequencies(self, files):
        subset = dctload.frequencies.subset("24")
        *planes, _ = run("decode_raw", files, frequencies="24")
        for i, data in enumerate(files):
            for c, plane in enumerate(dctload.decode(data).planes):
                flat = plane.reshape(*plane.shape[:2], 64)
                np.testing.assert_array_equal(
                    planes[c][i], flat[..., subset_of(subset, c)]
                )

    def test_shapes_from_headers(self, files, turned):
        (shapes,) = run("peek_shape", [*files, *turned])
        assert [tuple(shape) for shape in shapes[:5]] == [(h, w, 3) for w, h in SIZES]
        assert [tuple(s) for s in shapes[5:]] == [(88, 120, 3)] * 4 + [(120, 88, 3)] * 4
        (shapes,) = run("peek_shape", turned, adjust_orientation=False)
        assert {tuple(shape) for shape in shapes} == {(88, 120, 3)}

    def test_real_files_through_a_reader(self, data_dir):
        paths = sorted(data_dir("imagenet-300").rglob("*.JPEG"))[:48]

        def graph():
            jpegs, labels = fn.readers.file(files=[str(path) for path in paths])
            return [fn.dctload.decode(jpegs, size=224, frequencies="24"), labels]

        made, labels = arrays(pipeline(graph, len(paths)).run())
        assert [int(label[0]) for label in labels] == list(range(len(paths)))
        parts = [T.Resize((224, 224)), T.SelectFrequencies("24")]
        assert_same([made], [p.read_bytes() for p in paths], lambda i: parts)


def subset_of(subset, c):
    return list(tuple(subset)[c])


class TestBadFiles:
    def test_zeroes_a_flag_and_a_count(self, files, broken):
        before = dctload.dali.num_zeroed()
        some = [files[0], broken, b"", b"\x89PNG\r\n\x1a\n" + bytes(50), files[1]]
        made, status = decode(some, size=32, on_error="zero")
        assert [int(s) for s in status] == [0, 101, 100, 100, 0]
        assert [bool(sample.any()) for sample in made] == [
            True,
            False,
            False,
            False,
            True,
        ]
        assert_same([[made[0], made[4]]], files[:2], lambda i: [T.Resize((32, 32))])
        assert dctload.dali.num_zeroed() == before + 3
        assert any(m.startswith("sample 1: ") for m in dctload.dali.bad_files())

    def test_the_first_bad_file_is_named(self, files, broken, tmp_path):
        paths = [tmp_path / name for name in ("good.jpg", "broken.jpg", "other.jpg")]
        for path, data in zip(paths, [files[0], broken, files[1]], strict=True):
            path.write_bytes(data)

        def graph(*chosen):
            jpegs, _ = fn.readers.file(files=[str(path) for path in chosen])
            return fn.dctload.decode(jpegs, size=32)

        with pytest.raises(DctloadError) as ours:
            dctload.decode(paths[1])
        pipe = pipeline(lambda: graph(*paths[:2]), 2)
        with pytest.raises(RuntimeError) as theirs:
            pipe.run()
        assert str(ours.value) in str(theirs.value)
        # That pipeline is dead; another one is not.
        made = arrays(pipeline(lambda: graph(paths[0], paths[2]), 2).run())
        assert_same(made, files[:2], lambda i: [T.Resize((32, 32))])

    @pytest.mark.parametrize("operator", ["decode_raw", "decode"])
    def test_every_bad_file_has_its_status(self, operator):
        """The operators know what is wrong with a file, and nothing worse happens."""
        some = corpus_bad.bad()
        constants = {"size": 16} if operator == "decode" else {}
        *_, status = run(operator, list(some.values()), on_error="zero", **constants)
        for data, found in zip(some.values(), status, strict=True):
            with pytest.raises(DctloadError) as error:
                dctload.decode(data)
            # A crop may end before what is wrong.
            if operator == "decode_raw" or int(found):
                assert int(found) in (error.value.status, 205)

    def test_colours_that_have_no_luma(self, jpeg_samples):
        cmyk = jpeg_samples["cmyk"]
        for operator, constants in (("decode", {"size": 16}), ("decode_raw", {})):
            *_, status = run(operator, [cmyk], on_error="zero", **constants)
            assert int(status[0]) == 205
            with pytest.raises(RuntimeError, match="colours"):
                run(operator, [cmyk], **constants)

    def test_huge_dimensions_take_no_memory(self, files):
        at = files[0].index(b"\xff\xc0") + 5
        huge = files[0][:at] + b"\xff\xff\xff\xff" + files[0][at + 4 :]
        *_, status = run("decode_raw", [huge, files[0]], on_error="zero")
        assert [int(s) for s in status] == [300, 0]
        with pytest.raises(RuntimeError, match="more pixels than the limit"):
            decode([files[0]], size=16, max_pixels=160 * 120 - 1)
        decode([files[0]], size=16, max_pixels=160 * 120)

    def test_shapes_of_bad_files_serve_generators(self, files):
        shapes, status = run("peek_shape", [b"", files[0]], on_error="zero")
        assert [tuple(shape) for shape in shapes] == [(1, 1, 1), (120, 160, 3)]
        assert [int(s) for s in status] == [100, 0]

    def test_raw_outputs_of_bad_files(self, files, broken):
        y, cb, _, tables, status = run("decode_raw", [broken, b""], on_error="zero")
        assert y[0].shape == (15, 20, 8, 8)
        assert y[1].shape == cb[1].shape == (0, 0, 8, 8)
        assert not y[0].any()
        assert not np.any(tables)
        assert [int(s) for s in status] == [101, 100]


class TestWrongArguments:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({}, "size is needed"),
            ({"size": 30}, "multiples of 8"),
            ({"size": 0}, "multiples of 8"),
            ({"size": -8}, "size must be positive"),
            ({"size": 24, "layout": "planes"}, "multiples of 16"),
            ({"size": [8, 8, 8]}, "size must have 2 numbers"),
            ({"size": 10**9}, "size must be positive|multiples"),
            ({"size": 16, "frequencies": "25"}, "no subset is called '25'"),
            ({"size": 16, "frequencies": ([0, 64], [], [])}, "0 to 63, got 64"),
            ({"size": 16, "frequencies": ([1, 0], [], [])}, "must ascend"),
            ({"size": 16, "frequencies": ([0], [0])}, "three lists are needed"),
            ({"size": 16, "frequencies": ([], [], [])}, "no frequency is left"),
            ({"size": 16, "frequencies": ([-1], [], [])}, "0 to 63, got -1"),
            ({"size": 16, "normalize": "imagent"}, "no statistics 'imagent'"),
            ({"size": 16, "mean": [0.0] * 5, "std": [1.0] * 5}, "192 values"),
            ({"size": 16, "mean": [0.0] * 192, "std": [0.0] * 192}, "above 0"),
            ({"size": 16, "scale": [1.0], "normalize": "imagenet"}, "not two"),
            ({"size": 16, "layout": "raw"}, "'concat' or 'planes'"),
            ({"size": 16, "output_layout": "WHC"}, "'CHW' or 'HWC'"),
            ({"size": 16, "dtype": types.UINT8}, "FLOAT, FLOAT16, INT16 or INT8"),
            ({"size": 16, "interp_type": types.INTERP_NN}, "INTERP_LINEAR"),
            ({"size": 16, "on_error": "skip"}, "'raise' or 'zero'"),
            ({"size": 16, "max_pixels": -1}, "max_pixels must be >= 0"),
            ({"size": 16, "resize_shorter": 8}, "at least the size"),
            ({"size": 16, "resize_shorter": -1}, "resize_shorter must be >= 0"),
            ({"size": 16, "anchor": [0.0]}, "anchor must have 2 numbers"),
            ({"size": 16, "shape": [1.0, 2, 3]}, "shape must have 2 numbers"),
            ({"size": 16, "shape": [1.0, 2.0], "attempts": [0.0] * 4}, "exclude"),
            ({"size": 16, "attempts": [0.5] * 5}, "attempts must be pairs"),
            ({"size": 16, "shape": [0.0, 0.0]}, "is empty or reaches beyond"),
            ({"size": 16, "shape": [-1.0, 5.0]}, "is empty or reaches beyond"),
            ({"size": 16, "anchor": [-2.0, 0.0]}, "reaches beyond the image"),
            ({"size": 16, "anchor": [120.0, 0.0]}, "is empty or reaches"),
            ({"size": 16, "shape": [121.0, 5.0]}, "reaches beyond the image of 120"),
            ({"size": 16, "anchor": [float("nan"), 0.0]}, "reaches beyond"),
            ({"size": 16, "shape": [float("inf"), 8.0]}, "reaches beyond"),
            ({"size": 16, "shape": [1e-300, 8.0]}, "is empty or reaches"),
        ],
    )
    def test_is_an_error_that_says_what(self, files, arguments, message):
        with pytest.raises((RuntimeError, ValueError, TypeError), match=message):
            decode(files[:1], **arguments)

    def test_attempts_of_nonsense_are_an_error_or_a_window(self, files):
        rng = np.random.default_rng(0)
        special = [np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-300, 1e300, 0.5]
        for _ in range(30):
            numbers = rng.choice(special, 8)
            try:
                made = decode(files[:1], inputs={"attempts": [numbers]}, size=16)
            except (RuntimeError, ValueError) as error:
                assert "reaches beyond" in str(error)  # noqa: PT017
            else:
                assert np.isfinite(made[0][0]).all()

    def test_inputs_that_are_not_files(self, files):
        for bad in (np.zeros((4, 4), np.uint8), np.zeros(9, np.float32)):
            with pytest.raises((RuntimeError, ValueError), match="encoded files"):
                decode([bad], size=16)

    def test_sizes_that_differ_within_a_batch(self, files):
        sizes = [np.int32(16), np.int32(24)]
        with pytest.raises((RuntimeError, ValueError), match="the same for all"):
            decode(files[:2], inputs={"size": sizes})


class TestPipelines:
    @pytest.mark.parametrize("exec_dynamic", [False, True])
    def test_both_executors(self, files, exec_dynamic):
        pipe = pipeline(
            lambda: fn.dctload.decode(feed(files), size=32),
            len(files),
            exec_dynamic=exec_dynamic,
        )
        for _ in range(3):
            assert_same(arrays(pipe.run()), files, lambda i: [T.Resize((32, 32))])

    def test_a_batch_is_dense(self, files):
        made = pipeline(lambda: fn.dctload.decode(feed(files), size=32), 5).run()[0]
        assert made.layout() == "CHW"
        assert made.is_dense_tensor()
        assert np.asarray(made.as_tensor()).shape == (5, 192, 4, 4)

    def test_batches_may_differ_in_size(self, files):
        batches = iter([files[:1], files[:4], files[:2], files])

        def some():
            return [np.frombuffer(data, np.uint8) for data in next(batches)]

        pipe = pipeline(
            lambda: fn.dctload.decode(fn.external_source(some), size=32),
            8,
            prefetch_queue_depth=1,
        )
        for num in (1, 4, 2, 5):
            made = arrays(pipe.run())
            assert_same(made, files[:num], lambda i: [T.Resize((32, 32))])

    def test_checkpoints(self, files, tmp_path):
        for i, data in enumerate(files):
            (tmp_path / f"{i}.jpg").write_bytes(data)
        paths = sorted(str(path) for path in tmp_path.iterdir())

        def graph():
            jpegs, _ = fn.readers.file(files=paths, name="reader", random_shuffle=True)
            mirror = fn.random.coin_flip()
            return fn.dctload.decode(jpegs, size=16, mirror=mirror)

        first = pipeline(graph, 2, enable_checkpointing=True)
        first.run()
        saved = first.checkpoint()
        later = [arrays(first.run()) for _ in range(4)]
        second = pipeline(graph, 2, enable_checkpointing=True, checkpoint=saved)
        for batch in later:
            np.testing.assert_array_equal(arrays(second.run()), batch)

    def test_a_fork_before_the_first_pipeline(self, files, tmp_path):
        """The plugin starts no threads and holds no locks."""
        (tmp_path / "a.jpg").write_bytes(files[0])
        code = f"""if True:
            import os, sys
            import dctload.dali
            from nvidia.dali import Pipeline, fn
            def work():
                pipe = Pipeline(1, 1, None)
                with pipe:
                    jpegs, _ = fn.readers.file(files=[{str(tmp_path / "a.jpg")!r}])
                    pipe.set_outputs(fn.dctload.decode(jpegs, size=16))
                pipe.build()
                return pipe.run()[0].shape() == [(192, 2, 2)]
            child = os.fork()
            if child == 0:
                os._exit(0 if work() else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert work()
        """
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stderr

    def test_dynamic_mode(self, files):
        """In a process of its own, for that mode looks for operators once."""
        code = """if True:
            import sys, numpy as np
            import dctload.dali
            import nvidia.dali.experimental.dynamic as ndd
            data = np.frombuffer(sys.stdin.buffer.read(), np.uint8).copy()
            made = ndd.dctload.decode(ndd.as_batch([data, data]), size=32,
                mirror=ndd.as_batch([0, 1]))
            np.savez(sys.stdout.buffer, *[np.asarray(t.cpu()) for t in made])
        """
        made = np.load(io.BytesIO(run_script(code, files[0])))
        assert_same(
            [[made[name] for name in made.files]],
            files[:1] * 2,
            lambda i: [T.Resize((32, 32)), T.RandomHorizontalFlip(float(i))],
        )
