"""Export of a trained subnetwork: safetensors, ONNX, a torch.export program, and its metadata as JSON."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from prunestats.errors import InputError
from prunestats.files import write_atomically
from prunestats.runners.networks.builtin import build_network
from prunestats.runners.networks.weights import safetensors_bytes
from prunestats.runners.outputs import floating
from prunestats.runners.pruning.filter_choice import prune
from prunestats.runners.pruning.tracing import trace
from prunestats.runners.training.device import move_network

WEIGHTS, ONNX, PROGRAM, FACTS = "subnetwork.safetensors", "subnetwork.onnx", "subnetwork.pt2", "subnetwork.json"

# Relative to outputs above one: float32 rounding of other kernels stays below it, a wrong weight does not.
TOLERANCE = 1e-5
_NEEDED_FOR_ONNX = ("onnx", "onnxscript", "onnxruntime")


def check_export(folder: Path, *, onnx: bool) -> None:
    """Refuse, before anything is trained, an export that could not be written.

    Raises
    ------
    InputError
        If the folder already holds an export, or a package that ONNX needs is missing.
    """
    if (folder / FACTS).exists():
        raise InputError(f"expected a folder without an export; found {FACTS} in {str(folder)!r}: name another")
    missing = [name for name in _NEEDED_FOR_ONNX if find_spec(name) is None]
    if onnx and missing:
        raise InputError(
            f"expected {', '.join(_NEEDED_FOR_ONNX)} for ONNX; found {', '.join(missing)} missing: "
            "pip install 'prunestats[export]', or leave ONNX out with --no-onnx"
        )


def write_subnetwork(
    network: nn.Module, example_input: Tensor, folder: Path, facts: Mapping[str, Any], *, onnx: bool = True
) -> dict[str, Any]:
    """Write a trained subnetwork, and verify that the outputs of every file match the network's.

    Parameters
    ----------
    network : torch.nn.Module
    example_input : Tensor, shape (1, channels, height, width)
    folder : Path
        Created if it does not exist.
    facts : mapping
        Content of the JSON file; `flops` and `params` are verified on the exported program.
    onnx : bool
        Whether to write ONNX, too.

    Returns
    -------
    dict
        The facts, with the maximum difference of outputs and the SHA-256 of each file.

    Raises
    ------
    InputError
        If PyTorch cannot export the network, or the outputs, FLOPs or parameters of a file differ.

    Notes
    -----
    The batch size is the only dynamic dimension. Outputs for random normal inputs, in batches of 1 and of 5, must agree
    to 1e-5, relative to the output where that is above one. FLOPs and parameters are counted on the program read back
    from its file.
    """
    network = move_network(network.eval(), torch.device("cpu"), torch.contiguous_format)
    example_input = example_input[:1].cpu()
    folder.mkdir(parents=True, exist_ok=True)
    program = _program(network, example_input)
    torch.export.save(program, folder / PROGRAM)
    reloaded = torch.export.load(folder / PROGRAM).module()
    _check_cost(reloaded, example_input, facts)
    write_atomically(folder / WEIGHTS, safetensors_bytes(network))
    differences = {PROGRAM: _difference(reloaded, network, example_input, PROGRAM)}
    if onnx:
        _write_onnx(program, folder / ONNX)
        differences[ONNX] = _difference(_onnx_session(folder / ONNX), network, example_input, ONNX)
    digests = {name: _sha256(folder / name) for name in (WEIGHTS, *differences)}
    written = {**facts, "greatest_difference": differences, "sha256": digests}
    # written last, as the file by which an export is known to be complete
    write_atomically(folder / FACTS, (json.dumps(written, indent=2, allow_nan=False) + "\n").encode())
    return written


def load_subnetwork(folder: str | Path) -> nn.Module:
    """The trained subnetwork that `export_subnetwork` wrote, in evaluation mode.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    torch.nn.Module
        The original, built by name and pruned to the widths, with the weights of the safetensors file. Its inputs are
        images normalised as in the JSON file.

    Raises
    ------
    InputError
        If the folder holds no export, or its weights have another hash than when they were written.

    Examples
    --------
    >>> network = load_subnetwork("my-subnetwork")     # doctest: +SKIP
    """
    folder = Path(folder)
    if not (folder / FACTS).is_file():
        raise InputError(f"expected an exported subnetwork; found no {FACTS} in {str(folder)!r}: export one")
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    if _sha256(folder / WEIGHTS) != facts["sha256"][WEIGHTS]:
        raise InputError(f"expected {WEIGHTS} as it was written; found it changed in {str(folder)!r}: export it again")
    network = build_network(facts["original"]["network"], num_classes=facts["num_classes"], seed=0)
    traced = trace(network, torch.zeros(1, *facts["input_shape"]))
    small = prune(network, traced, list(facts["widths"].values()), criterion="first")
    small.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    return small.eval()


def _program(network: nn.Module, example_input: Tensor) -> Any:
    # a batch of one would be specialised to a constant
    batch = example_input.expand(2, *example_input.shape[1:]).contiguous()
    try:
        return torch.export.export(network, (batch,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")
        raise InputError(
            f"expected a network that torch.export can trace; found one that it refuses: {first!r}"
        ) from error


def _check_cost(program: nn.Module, example_input: Tensor, facts: Mapping[str, Any]) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        program(example_input)
    found = {"flops": counter.get_total_flops() // 2, "params": sum(p.numel() for p in program.parameters())}
    for name, count in found.items():
        if count != facts[name]:
            raise InputError(f"expected {facts[name]:,} {name} as stored; found {count:,} in the exported program")


@contextmanager
def quietly() -> Any:
    """Suppress the exporter's warnings about optional packages."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _write_onnx(program: Any, path: Path) -> None:
    with quietly():
        exported = torch.onnx.export(
            program, input_names=["images"], output_names=_output_names(program), dynamo=True, verbose=False
        )
        assert exported is not None
        exported.save(str(path))


def _output_names(program: Any) -> list[str]:
    """Names of the outputs of an ONNX file: "logits" of one, numbered of several."""
    count = len(program.graph_signature.user_outputs)
    return ["logits"] if count == 1 else [f"output_{number}" for number in range(count)]


def _onnx_session(path: Path) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: [torch.from_numpy(found) for found in session.run(None, {"images": images.numpy()})]


def _difference(one: Any, network: nn.Module, example_input: Tensor, name: str) -> float:
    """Maximum difference of outputs for random inputs, relative where the output is above one."""
    generator = torch.Generator().manual_seed(0)
    greatest = 0.0
    # the smallest batch, and one that is neither the batch of two used for tracing nor a power of two
    for batch in (1, 5):
        images = torch.randn(batch, *example_input.shape[1:], generator=generator)
        with torch.no_grad():
            pairs = zip(floating(one(images)), floating(network(images)), strict=True)
            greatest = max(greatest, *(_relative(found, expected) for found, expected in pairs))
    if not greatest <= TOLERANCE:
        raise InputError(
            f"expected outputs of {name} equal to the network's, to {TOLERANCE:g}; found a difference of {greatest:.3g}"
        )
    return greatest


def _relative(found: Tensor, expected: Tensor) -> float:
    return float(((found - expected).abs() / expected.abs().clamp(min=1)).max())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
