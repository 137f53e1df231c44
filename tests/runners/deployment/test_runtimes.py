"""Runtimes: each computes what the network computes, and what cannot be measured is one line."""

import sys

import pytest
import torch

from prunestats.errors import InputError
from prunestats.runners import build_network, trace
from prunestats.runners.deployment import runtimes
from prunestats.runners.deployment.bench import Bench
from prunestats.runners.deployment.machine import load_note, measuring_device
from prunestats.runners.deployment.runtimes import check_runtime, load_network, using_threads

CPU = torch.device("cpu")
WIDTHS = [8, 8, 16, 16, 32, 32]


def few(dense, pruned):
    """Three rounds, whatever they take."""
    return [(dense(), pruned()) for _ in range(3)]


def bench(runtime, **options):
    network, example = build_network("resnet_digits", seed=0), torch.zeros(1, 1, 8, 8)
    settings = {"batch": 2, "threads": 1, "precision": "float32", "where": CPU, **options}
    return Bench.of(network, trace(network, example), example, runtime=runtime, **settings)


@pytest.mark.parametrize("runtime", ["eager", "onnx"])
def test_a_runtime_times_dense_and_pruned(runtime):
    made = bench(runtime)
    for _ in range(2):
        assert all(ms > 0 for row in made.time(WIDTHS, few) for ms in row)
    assert tuple(made.images.shape) == (2, 1, 8, 8)
    assert len(made._loaded) == 1


def test_compile_compiles_each_pair_anew(monkeypatch):
    """torch.compile keeps at most a few versions of one forward method, so that later ones would be timed in eager."""
    compiled, resets = [], []
    monkeypatch.setattr(torch, "compile", lambda network, dynamic: compiled.append(network) or network)
    monkeypatch.setattr(torch.compiler, "reset", lambda: resets.append(1))
    made = bench("compile")
    for _ in range(2):
        made.time(WIDTHS, few)
    assert len(resets) == 2
    assert [sum(p.numel() for p in each.parameters()) for each in compiled] == 2 * [
        sum(p.numel() for p in made.network.parameters()),
        int(made.trace.cost.params(WIDTHS)[0]),
    ]


def test_what_cannot_be_compiled_or_exported_is_one_line(monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("no C compiler\nwas found")

    network, images = build_network("resnet_digits", seed=0).eval(), torch.zeros(1, 1, 8, 8)
    monkeypatch.setattr(torch, "compile", lambda network, dynamic: fails)
    with pytest.raises(InputError, match="can compile here; found RuntimeError: no C compiler was found: m"):
        load_network("compile", network, images, 1)
    monkeypatch.setattr(torch.onnx, "export", fails)
    with pytest.raises(InputError, match="export to ONNX; found RuntimeError: no C compiler was found: m"):
        load_network("onnx", network, images, 1)


def test_threads_are_restored():
    before = torch.get_num_threads()
    with using_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        assert not torch.is_grad_enabled()
    assert torch.get_num_threads() == before
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "tensorrt"}, "runtime must be eager, compile, onnx or module:function; found 'tensorrt'"),
        ({"precision": "int8"}, "one of float32, bf16, fp16; found 'int8'"),
        ({"precision": "bf16"}, "measured on a GPU; found a CPU"),
        ({"runtime": "onnx", "device": torch.device("cuda")}, "onnx is measured on the CPU; found a GPU"),
        ({"runtime": "nowhere_to_be_found:f"}, "cannot be imported"),
        ({"runtime": "math:absent"}, "must be a function of a network and a batch"),
        ({"batch": 0}, "batch must be 1 or more; found 0"),
        ({"threads": -1}, "threads must be 1 or more"),
    ],
)
def test_what_cannot_be_measured_is_refused_before(options, message):
    settings = {"runtime": "eager", "precision": "float32", "device": CPU, "batch": 1, "threads": 1, **options}
    with pytest.raises(InputError, match=message):
        check_runtime(**settings)


def test_onnx_names_the_extra_where_packages_are_missing(monkeypatch):
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(InputError, match=r"found onnxruntime missing: pip install 'prunestats\[export\]'"):
        check_runtime("onnx", "float32", CPU, batch=1, threads=1)


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert measuring_device("eager", None).type == measuring_device("eager", "cpu").type == "cpu"
    assert measuring_device("mine:f", "my board").type == "cpu"
    with pytest.raises(InputError, match="found none that PyTorch can use"):
        measuring_device("eager", "cuda")
    with pytest.raises(InputError, match="cpu or cuda; found 'phone'"):
        measuring_device("eager", "phone")


@pytest.fixture
def board(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_board.py").write_text(
        "seen = []\n"
        "def measure(network, images):\n"
        "    seen.append((sum(p.numel() for p in network.parameters()), tuple(images.shape)))\n"
        "    return seen[-1][0] / 1000\n"
        "def wrong(network, images):\n    return 'fast'\n"
        "def fails(network, images):\n    raise OSError('board is off')\n"
    )
    yield
    sys.modules.pop("my_board", None)


@pytest.mark.usefixtures("board")
def test_a_function_of_ones_own_gets_dense_and_pruned_in_turn():
    made = bench("my_board:measure", precision="int8")
    rows = made.time(WIDTHS, few)
    dense, pruned = (int(made.trace.cost.params(widths)[0]) for widths in (made.trace.cost.sizes, WIDTHS))
    assert rows == [(dense / 1000, pruned / 1000)] * 3
    assert sys.modules["my_board"].seen == [(dense, (2, 1, 8, 8)), (pruned, (2, 1, 8, 8))] * 3


@pytest.mark.usefixtures("board")
def test_what_a_function_of_ones_own_does_wrong_is_one_line():
    with pytest.raises(InputError, match="must return milliseconds above 0; found 'fast': return a float"):
        bench("my_board:wrong").time(WIDTHS, few)
    with pytest.raises(InputError, match=r"runtime 'my_board:fails' fails at .*my_board\.py.*OSError: board is off"):
        bench("my_board:fails").time(WIDTHS, few)


def test_a_note_tells_of_other_work():
    assert load_note(0.3, 2) is None
    assert "load 1.4 on 2 cores" in load_note(1.4, 2)
