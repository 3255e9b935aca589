"""``device=`` moves every tensor of a batch, whatever holds it.

"meta" is the device, which every machine has.
"""

from collections import OrderedDict, UserDict, defaultdict, namedtuple
from collections.abc import Mapping
from types import MappingProxyType

import pytest
import torch
from conftest import jpeg_bytes, picture
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from dctload import DataLoader, Files
from dctload import transforms as T
from dctload.data.device import move

META = torch.device("meta")
Pair = namedtuple("Pair", "x y")


class Titled(UserDict):
    """A mapping with an attribute of its own."""

    title = "none"


class Fixed(Mapping):
    """A mapping that can be made of other things only."""

    def __init__(self, keys, values):
        self._pairs = dict(zip(keys, values, strict=True))

    def __getitem__(self, key):
        return self._pairs[key]

    def __iter__(self):
        return iter(self._pairs)

    def __len__(self):
        return len(self._pairs)


class Own:
    """An object that moves itself, and takes a device only."""

    def __init__(self, x):
        self.x = x

    def to(self, device):
        return Own(self.x.to(device))


def titled(x):
    made = Titled(x=x, rest=[x])
    made.title = "some"
    return made


KINDS = {
    "dict": lambda x: {"x": x, "rest": [x, {"deep": x}]},
    "ordered": lambda x: OrderedDict(x=x, rest=x),
    "default": lambda x: defaultdict(list, x=x),
    "user": titled,
    "proxy": lambda x: MappingProxyType({"x": x}),
    "named": lambda x: Pair(x, [Titled(x=x)]),
    "packed": lambda x: pack_sequence([x[0].flatten(), x[0].flatten()[:5]]),
    "own": lambda x: [Own(x), "text", 3],
}


def tensors_of(batch):
    if isinstance(batch, torch.Tensor):
        return [batch]
    if isinstance(batch, PackedSequence):
        return [batch.data]
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, (list, tuple)):
        return [tensor for part in batch for tensor in tensors_of(part)]
    return [batch.x] if isinstance(batch, Own) else []


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("four")
    for i in range(4):
        (root / f"{i}.jpg").write_bytes(jpeg_bytes(picture(40, 40, i)))
    return Files(sorted(root.iterdir()), transform=T.CenterCrop(32))


@pytest.mark.parametrize("kind", KINDS)
def test_containers_keep_their_type_and_every_tensor_moves(data, kind):
    made = []

    def collate(samples):
        made.append(KINDS[kind](torch.stack([x for x, _ in samples])))
        return made[-1]

    batches = list(DataLoader(data, 2, device="meta", collate_fn=collate))
    for before, batch in zip(made, batches, strict=True):
        assert type(batch) is type(before)
        shapes = [tensor.shape for tensor in tensors_of(before)]
        assert [tensor.shape for tensor in tensors_of(batch)] == shapes
        assert shapes
        assert all(tensor.device == META for tensor in tensors_of(batch))


def test_attributes_of_mappings_are_kept():
    x = torch.ones(2)
    assert move(titled(x), META).title == "some"
    assert move(defaultdict(list, x=x), META)["new"] == []
    before = titled(x)
    move(before, META)
    assert before["x"] is x  # it may be somebody else's


def test_a_mapping_that_cannot_be_made_anew_becomes_a_dict():
    moved = move(Fixed(["a"], [torch.ones(2)]), META)
    assert type(moved) is dict
    assert moved["a"].device == META


def test_features_of_transformers_move(data):
    transformers = pytest.importorskip("transformers")

    def collate(samples):
        x = torch.stack([x for x, _ in samples])
        return transformers.BatchFeature({"x": x, "names": ["a", "b"]})

    for batch in DataLoader(data, 2, device="meta", collate_fn=collate):
        assert type(batch) is transformers.BatchFeature
        assert batch["x"].device == META
        assert batch["names"] == ["a", "b"]
