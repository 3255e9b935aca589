"""Many files: order, errors, threads, and memory that is used again."""

import gc
import itertools
import os
import resource
import signal
import threading
import time
import weakref

import ccore
import corpus
import numpy as np
import pytest
import variants
from conftest import jpeg_bytes, picture
from interrupts import interrupted
from jpegimage import (
    Scan,
    encode_image,
    interleaved,
    one_each,
    progression,
    random_image,
)
from jpegwriter import SOF1, SOF2

import dctload
from dctload import Decoder
from dctload._memory import Pool

THREADS = [1, 3]


@pytest.fixture(scope="module")
def large():
    """Above the size from which single images come from the pool."""
    return [jpeg_bytes(picture(400, 320, seed), quality=80) for seed in range(3)]


def _same(image, other):
    return len(image.planes) == len(other.planes) and all(
        np.array_equal(a, b) for a, b in zip(image.planes, other.planes, strict=True)
    )


@pytest.mark.parametrize("num_threads", THREADS)
class TestResults:
    def test_they_are_those_of_single_decodes_in_order(self, jpeg_samples, num_threads):
        files = list(jpeg_samples.values()) * 9
        images = dctload.decode_many(files, num_threads)
        for file, image in zip(files, images, strict=True):
            want = dctload.decode(file)
            assert _same(image, want)
            np.testing.assert_array_equal(image.qtables, want.qtables)

    def test_alike_images_are_those_of_single_decodes(self, num_threads):
        """Images of one size take a quicker way to their planes."""
        files = [jpeg_bytes(picture(32, 32, seed)) for seed in range(50)]
        images = dctload.decode_many(files, num_threads)
        for file, image in zip(files, images, strict=True):
            assert _same(image, dctload.decode(file))

    def test_paths_and_bytes_may_be_mixed(self, jpeg_samples, num_threads, tmp_path):
        path = tmp_path / "a.jpg"
        path.write_bytes(jpeg_samples["444"])
        files = [
            path,
            jpeg_samples["420"],
            str(path),
            bytearray(jpeg_samples["grey"]),
        ]
        images = dctload.decode_many(files, num_threads)
        assert [image.info.subsampling for image in images] == [
            "4:4:4",
            "4:2:0",
            "4:4:4",
            "grey",
        ]
        assert [image.name for image in images] == [
            str(path),
            "<bytes 1>",
            str(path),
            "<bytes 3>",
        ]

    def test_no_files_give_no_images(self, num_threads):
        assert dctload.decode_many([], num_threads) == []

    @pytest.mark.parametrize("file", ["cat.jpg", b"\xff\xd8"])
    def test_one_file_is_no_list_of_characters(self, file, num_threads):
        with pytest.raises(TypeError, match="files must be a list, got one "):
            dctload.decode_many(file, num_threads)

    def test_more_than_one_block_of_memory_is_filled(self, large, num_threads):
        files = large * 20
        images = Decoder(num_threads).decode_many(files)
        assert sum(p.nbytes for i in images for p in i.planes) > 16 << 20
        want = [dctload.decode(file) for file in large]
        for i, image in enumerate(images):
            assert _same(image, want[i % 3])

    def test_an_image_larger_than_a_block_gets_its_own(self, num_threads, large):
        huge = jpeg_bytes(np.zeros((2400, 2400, 3), np.uint8))
        files = [large[0], huge, large[1]]
        images = dctload.decode_many(files, num_threads)
        assert images[1].planes[0].shape == (300, 300, 8, 8)
        assert all(_same(i, dctload.decode(f)) for i, f in zip(images, files))  # noqa: B905


@pytest.mark.parametrize("num_threads", THREADS)
class TestErrors:
    @pytest.fixture
    def files(self, jpeg_samples, tmp_path):
        broken = jpeg_samples["420"][:900]
        return [
            jpeg_samples["420"],
            broken,
            b"",
            tmp_path / "none.jpg",
            jpeg_samples["grey"],
        ]

    def test_the_first_is_raised(self, files, num_threads):
        with pytest.raises(dctload.CorruptJPEGError, match="<bytes 1>: "):
            dctload.decode_many(files, num_threads)

    def test_they_can_be_returned_in_place(self, files, num_threads):
        got = dctload.decode_many(files, num_threads, on_error="return")
        assert [type(result) for result in got] == [
            dctload.DctImage,
            dctload.CorruptJPEGError,
            dctload.CorruptJPEGError,
            FileNotFoundError,
            dctload.DctImage,
        ]
        assert got[1].name == "<bytes 1>"
        assert str(files[3]) in str(got[3])
        assert _same(got[0], dctload.decode(files[0]))
        assert _same(got[4], dctload.decode(files[4]))

    def test_a_decoder_survives_them(self, files, num_threads):
        decoder = Decoder(num_threads)
        for _ in range(3):
            with pytest.raises(dctload.CorruptJPEGError):
                decoder.decode_many(files)
            assert _same(decoder.decode_many(files[:1])[0], dctload.decode(files[0]))

    def test_limits_are_kept_for_each(self, jpeg_samples, num_threads):
        files = [jpeg_samples["one_pixel"], jpeg_samples["420"]]
        got = dctload.decode_many(
            files,
            num_threads,
            on_error="return",
            limits=dctload.Limits(max_pixels=100),
        )
        assert isinstance(got[0], dctload.DctImage)
        assert isinstance(got[1], dctload.LimitError)


def _mixed() -> dict[str, bytes]:
    """Files of all kinds, whole, cut off and with a bit flipped."""
    rng = np.random.default_rng(1)
    # Narrow ones, whose rows are over soon: lanes stop and go on all the time.
    kinds = {
        "420": random_image(90, 30, corpus.S420),
        "444": random_image(8, 40, corpus.S444, density=0.6),
        "grey": random_image(8, 160, corpus.GREY, density=0.02),
        "cmyk": random_image(8, 16, [(1, 1)] * 4, density=0.1),
    }
    files = {}
    for name, image in kinds.items():
        # A pair of tables for each component: no vector takes more than two.
        slots = tuple(range(len(image.components)))
        own = [Scan(slots, dc=slots, ac=slots)]
        files[name] = encode_image(image, interleaved(image))
        files[f"{name}-own-tables"] = encode_image(image, own, sof=SOF1)
        files[f"{name}-long-codes"] = encode_image(
            image, [Scan(slots, style="long")], sof=SOF1
        )
        files[f"{name}-restarts"] = encode_image(image, interleaved(image, restart=3))
        files[f"{name}-apart"] = encode_image(image, one_each(image))
        files[f"{name}-progressive"] = encode_image(image, progression(image), sof=SOF2)
    for name, data in list(files.items()):
        files[f"{name}-cut"] = data[: rng.integers(len(data) // 2, len(data))]
        for n in range(2):
            flipped = bytearray(data)
            flipped[rng.integers(len(data) // 2, len(data))] ^= 1 << rng.integers(8)
            files[f"{name}-flipped-{n}"] = bytes(flipped)
    return files


class TestMixedBatches:
    """What is decoded beside a file, or before it, does not matter."""

    @pytest.mark.parametrize("allow_truncated", [False, True])
    def test_each_file_comes_out_as_it_does_alone(self, allow_truncated):
        names, files = list(_mixed()), list(_mixed().values())

        def outcome(result):
            if isinstance(result, dctload.DctloadError):
                return type(result), result.offset, str(result).split(": ", 1)[1]
            return [plane.tobytes() for plane in result.planes], result.info.warnings

        def decode(datas):
            got = decoder.decode_many(
                datas, on_error="return", allow_truncated=allow_truncated
            )
            return [outcome(result) for result in got]

        decoder = Decoder(1)
        alone = [decode([data])[0] for data in files]
        assert {type(want[0]) for want in alone} == {type, list}
        rng = np.random.default_rng(2)
        for num in [*range(1, 41)] * 5:
            chosen = rng.integers(0, len(files), num)
            got = decode([files[i] for i in chosen])
            pairs = zip(got, chosen, strict=True)
            assert [] == [names[i] for result, i in pairs if result != alone[i]]

    @pytest.mark.parametrize("disable", variants.DISABLE, ids=variants.name_of)
    def test_every_cpu_variant_agrees_on_a_shuffled_batch(self, disable, tmp_path):
        files = _mixed()
        want = {name: ccore.decode(data).digest() for name, data in files.items()}
        rng = np.random.default_rng(3)
        names = [list(files)[i] for i in rng.integers(0, len(files), 400)]
        paths = dict(variants.write_files(files, tmp_path))
        listed = [(f"{i} {name}", paths[name]) for i, name in enumerate(names)]
        for got in variants.digests(listed, disable, tmp_path).values():
            assert got == {f"{i} {name}": want[name] for i, name in enumerate(names)}


class TestArguments:
    def test_truncated_files_may_be_allowed(self, jpeg_samples):
        data = jpeg_samples["420"][:-800]
        (image,) = dctload.decode_many([data], allow_truncated=True)
        assert "truncated" in image.info.warnings
        assert _same(image, dctload.decode(data, allow_truncated=True))

    def test_on_error_is_checked(self):
        with pytest.raises(ValueError, match="'ignore'"):
            dctload.decode_many([], on_error="ignore")

    def test_threads_are_checked(self):
        with pytest.raises(ValueError, match="num_threads must be >= 1, got 0"):
            Decoder(0)

    def test_what_is_no_buffer_is_refused(self):
        with pytest.raises(TypeError):
            dctload.decode_many([3])


def _address(array):
    return array.__array_interface__["data"][0]


class TestMemory:
    @pytest.mark.parametrize("num_threads", THREADS)
    def test_results_never_change_while_somebody_holds_them(self, large, num_threads):
        decoder = Decoder(num_threads)
        held = []
        for round_ in range(6):
            for image in decoder.decode_many(large):
                plane = image.planes[round_ % 3][1:, ::2]
                held.append((plane, plane.copy()))
            image = decoder.decode(large[round_ % 3])
            held.append((image.planes[0], image.planes[0].copy()))
            del image, plane
            gc.collect()
        for plane, copy in held:
            np.testing.assert_array_equal(plane, copy)

    @pytest.mark.parametrize("many", [False, True])
    def test_memory_is_taken_again_once_it_is_free(self, large, many):
        decoder = Decoder()
        places = set()
        for _ in range(5):
            image = decoder.decode_many(large)[0] if many else decoder.decode(large[0])
            places.add(_address(image.planes[0]))
            del image
        # One block, or two if the old one is let go only after the new is taken.
        assert len(places) <= 2

    def test_results_outlive_their_decoder(self, large):
        decoder = Decoder()
        image = decoder.decode_many(large)[1]
        single = decoder.decode(large[2])
        del decoder
        gc.collect()
        assert _same(image, dctload.decode(large[1]))
        assert _same(single, dctload.decode(large[2]))

    def test_planes_are_aligned(self, large):
        for image in dctload.decode_many(large):
            assert all(_address(plane) % 64 == 0 for plane in image.planes)

    def test_a_steady_state_takes_no_page_faults(self, large):
        decoder = Decoder()
        files = large * 8

        def faults():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for image in decoder.decode_many(files):
                assert image.planes[0].dtype == np.int16
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        for _ in range(3):
            faults()
        # A round fills 2,000 pages.
        assert min(faults() for _ in range(5)) < 50

    def test_a_pool_keeps_no_more_than_it_may(self):
        pool = Pool(max_free_nbytes=1 << 20)
        arrays = [pool.take(600 << 10) for _ in range(4)]
        places = {_address(array) for array in arrays}
        del arrays
        assert pool._free_nbytes <= 1 << 20
        assert _address(pool.take(600 << 10)) in places

    def test_a_pool_of_many_sizes_lets_the_old_ones_go(self):
        pool = Pool()
        for megabytes in range(8, 72, 4):
            pool.take(megabytes << 20)  # let go at once
        # The largest block, 68 MB, is one of 80.
        assert pool._free_nbytes <= (80 << 20) + (64 << 20)
        sizes = [size for size, blocks in pool._free.items() if blocks]
        assert sum(sizes) == pool._free_nbytes

    @pytest.mark.parametrize("nbytes", [1, 65536, 65537, 1 << 20, (1 << 20) + 1])
    def test_a_block_is_large_enough_and_wastes_a_quarter_at_most(self, nbytes):
        got = Pool().take(nbytes).nbytes
        assert nbytes <= got <= max(nbytes * 1.25, 65536)


def test_inputs_are_let_go(large):
    class Bytes(bytearray):
        pass

    data = Bytes(large[0])
    gone = weakref.ref(data)
    decoder = Decoder()
    image = decoder.decode_many([data])[0]
    del data
    assert gone() is None
    assert _same(image, dctload.decode(large[0]))


def test_a_decoder_at_work_in_two_threads_is_an_error(large):
    """Found, rather than wrong coefficients; which thread gets it is chance."""
    decoder = Decoder()
    want = dctload.decode(large[0])
    errors, wrong = [], []
    stop = time.monotonic() + 10

    def work():
        while not errors and time.monotonic() < stop:
            try:
                images = decoder.decode_many(large * 4)
            except RuntimeError as error:
                errors.append(str(error))
            else:
                wrong.extend(image for image in images[::3] if not _same(image, want))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert "another thread" in errors[0]
    assert _same(decoder.decode(large[0]), want)


# In the callback of a weak reference Python itself swallows it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("num_threads", THREADS)
def test_a_decoder_works_after_ctrl_c_at_any_place(jpeg_samples, num_threads):
    decoder = Decoder(num_threads)
    files = [jpeg_samples["420"], jpeg_samples["grey"]]
    want = [dctload.decode(file) for file in files]
    for work in (lambda: decoder.decode(files[0]), lambda: decoder.decode_many(files)):
        for place in itertools.count():
            came_so_far = interrupted(work, place, "dctload")
            assert _same(decoder.decode(files[0]), want[0])
            assert all(map(_same, decoder.decode_many(files), want))
            if not came_so_far:
                break
        assert place > 3


def test_a_decoder_that_is_called_in_a_call_of_its_own_says_so(jpeg_samples):
    """As a signal's handler may: what it decoded would be taken for the other's."""
    decoder = Decoder()
    errors = []

    def take(nbytes):
        with pytest.raises(RuntimeError, match="at work") as raised:
            decoder.decode(jpeg_samples["grey"])
        errors.append(raised.value)
        return np.empty(nbytes, np.uint8)

    decoder._take = take
    image = decoder.decode(jpeg_samples["420"])
    assert errors
    assert _same(image, dctload.decode(jpeg_samples["420"]))


def test_threads_of_python_may_decode_at_the_same_time(large):
    want = [dctload.decode(file) for file in large]
    wrong = []

    def work():
        for _ in range(5):
            got = dctload.decode_many(large, 2)
            single = dctload.decode(large[0])
            if not all(map(_same, got, want)) or not _same(single, want[0]):
                wrong.append(threading.get_ident())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("num_threads", THREADS)
def test_a_decoder_works_in_a_forked_child(large, num_threads):
    decoder = Decoder(num_threads)
    want = decoder.decode_many(large)
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(20)
            os._exit(0 if all(map(_same, decoder.decode_many(large), want)) else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
