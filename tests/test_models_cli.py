"""``dctload models``: a table of what the networks cost."""

import json

import pytest

from dctload.cli import main
from dctload.models import _counterparts, list_models


def test_table_names_costs_and_the_rgb_network(capsys):
    assert main(["models", "late_concat*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["model", "parameters"]
    assert [line.split()[0] for line in lines[1:]] == list_models("late_concat*")
    assert "2.888 G" in lines[-1]
    assert "resnet50" in lines[-1]


def test_json_has_exact_numbers(capsys):
    assert main(["models", "late_concat_rfa_thinner", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["macs"] == 2_888_171_520
    assert row["parameters"] == 24_679_400
    assert row["input_nbytes"] == 4 * (64 * 28 * 28 + 128 * 14 * 14)
    assert row["shapes"] == [[64, 28, 28], [128, 14, 14]]
    assert row["rgb"]["parameters"] == 25_557_032
    assert row["rgb"]["input_nbytes"] == 4 * 3 * 224 * 224


def test_latency_is_measured_when_asked_for(capsys):
    args = ["small_resnet", "--latency", "--seconds", "0.01", "--threads", "1"]
    assert main(["models", *args, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert 0 < row["ms_batch_32"] < 1000
    assert 0 < row["ms_batch_1"] < 1000
    assert main(["models", *args]) == 0
    assert "ms at 32" in capsys.readouterr().out


def test_pattern_that_matches_nothing_is_an_error(capsys):
    assert main(["models", "inception*"]) == 2
    assert "no model matches 'inception*'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("jpeg_vit_small", "vit_small"),
        ("fca_resnet101", "resnet101"),
        ("dctnet_mobilenet_v2", "mobilenet_v2"),
        ("dct_frozen_x2", "resnet50"),
        ("small_resnet", None),
    ],
)
def test_counterpart_is_the_network_it_stands_for(name, other):
    assert _counterparts.counterpart(name) == other


def test_every_counterpart_can_be_made():
    for name in _counterparts.NETWORKS:
        model, x = _counterparts.make(name, "meta")
        assert model(x).shape == (1, 1000)
