"""Several processes, as torchrun starts them, train one model."""

import json
import os
import socket
import subprocess
import sys

import pytest

from dctload.training import load_checkpoint
from dctload.training.distributed import is_first, process_group


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(rank, world, port, *args):
    env = {
        **os.environ,
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_RANK": str(rank),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "dctload", "train", *args]
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_two_processes_train_one_model_and_one_reports(tmp_path):
    from test_training_cli import CLASSES, write_images

    write_images(tmp_path / "data" / "train", 16, seed=0)
    write_images(tmp_path / "data" / "val", 8, seed=1)
    args = [str(tmp_path / "data"), "--json", "--epochs", "2", "--batch-size", "4"]
    args += ["--precision", "float32", "--device", "cpu", "--threads", "1"]
    args += ["--output", str(tmp_path / "out")]
    port = free_port()
    processes = [start(rank, 2, port, *args) for rank in range(2)]
    outputs = [p.communicate(timeout=110) for p in processes]
    assert [p.returncode for p in processes] == [0, 0], outputs
    assert outputs[1][0] == ""
    result = json.loads(outputs[0][0])
    assert result["classes"] == list(CLASSES)
    state = load_checkpoint(tmp_path / "out" / "last.pt")
    # 32 images, 2 processes of batches of 4: 4 steps an epoch.
    assert state["progress"]["step"] == 8


def test_a_single_process_sets_nothing_up(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with process_group("cpu") as device:
        assert device.type == "cpu"
        assert is_first()
