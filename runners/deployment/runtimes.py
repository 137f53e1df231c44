"""Runtimes: what computes a network when it is deployed, each timed batch by batch."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from prunestats.errors import InputError
from prunestats.runners.deployment.timing import TimedBatch
from prunestats.runners.networks.user_errors import described, locating

RUNTIMES = ("eager", "compile", "onnx")
"""PyTorch as it is, `torch.compile`, and onnxruntime; ``module:function`` is a function of the user's own."""

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

_NEEDED_FOR_ONNX = ("onnx", "onnxscript", "onnxruntime")


def check_runtime(runtime: str, precision: str, device: torch.device, *, batch: int, threads: int) -> None:
    """Refuse, before anything is measured, a runtime that is unknown, or that this machine cannot run.

    Raises
    ------
    InputError
    """
    for name, value in (("batch", batch), ("threads", threads)):
        if value < 1:
            raise InputError(f"{name} must be 1 or more; found {value}")
    if ":" in runtime:
        _board(runtime)
        return
    if runtime not in RUNTIMES:
        raise InputError(f"runtime must be {', '.join(RUNTIMES)} or module:function; found {runtime!r}: name one")
    if precision not in PRECISIONS:
        raise InputError(f"precision must be one of {', '.join(PRECISIONS)}; found {precision!r}: name one")
    if precision != "float32" and device.type != "cuda":
        raise InputError(
            f"precision {precision} is measured on a GPU; found a CPU: leave it out, or name a function of your own as "
            "the runtime"
        )
    if runtime == "onnx" and device.type == "cuda":
        raise InputError(
            "onnx is measured on the CPU; found a GPU: add --device cpu, or name a function of your own as the runtime"
        )
    missing = [name for name in _NEEDED_FOR_ONNX if runtime == "onnx" and find_spec(name) is None]
    if missing:
        raise InputError(
            f"runtime onnx needs {', '.join(_NEEDED_FOR_ONNX)}; found {', '.join(missing)} missing: "
            "pip install 'prunestats[export]'"
        )


def load_network(runtime: str, network: nn.Module, images: Tensor, threads: int) -> TimedBatch:
    """A network in a runtime, as a function that computes the batch and returns its milliseconds.

    Parameters
    ----------
    runtime : str
        As `check_runtime` accepts it.
    network : torch.nn.Module
        In evaluation mode, on the device of the images and in their precision.
    images : Tensor, shape (batch, ...)
    threads : int
        Threads of onnxruntime; PyTorch's are set by `using_threads`.

    Raises
    ------
    InputError
        If the runtime cannot compute the network.
    """
    if runtime == "eager":
        return _timed(lambda: network(images), images.device)
    if runtime == "compile":
        return _compiled(network, images)
    if runtime == "onnx":
        session = _onnx_session(network, images, threads)
        named = {session.get_inputs()[0].name: images.numpy()}
        return _timed(lambda: session.run(None, named), images.device)
    return _on_board(runtime, network, images)


@contextmanager
def using_threads(threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads inside one operation, without gradients; both are restored."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(before)


def _timed(run: Callable[[], object], device: torch.device) -> TimedBatch:
    def once() -> float:
        started = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return 1000 * (time.perf_counter() - started)

    return once


def _compiled(network: nn.Module, images: Tensor) -> TimedBatch:
    compiled = torch.compile(network, dynamic=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled(images)
    except Exception as error:
        raise InputError(
            f"expected a network that torch.compile can compile here; found {described(error)}: measure it with "
            "--runtime eager or onnx"
        ) from error
    return _timed(lambda: compiled(images), images.device)


def _onnx_session(network: nn.Module, images: Tensor, threads: int) -> Any:
    import onnxruntime

    from prunestats.runners.export_files import quietly

    try:
        with quietly():
            exported = torch.onnx.export(network, (images,), dynamo=True, verbose=False)
            assert exported is not None
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            content = exported.model_proto.SerializeToString()
            return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(
            f"expected a network that PyTorch can export to ONNX; found {described(error)}: measure it with --runtime "
            "eager or compile"
        ) from error


def _board(name: str) -> Callable[[nn.Module, Tensor], Any]:
    """The function of the user's own that measures a network."""
    module, _, attribute = name.partition(":")
    # written a moment ago, as in a notebook, a module may be missing from the cached listing of its folder
    invalidate_caches()
    with locating(f"importing runtime {name!r}"):
        try:
            found = getattr(import_module(module), attribute, None)
        except (ImportError, ValueError) as error:
            raise InputError(
                f"runtime {name!r} cannot be imported ({error}): expected {module}.py in this folder, beside the study "
                "file or on PYTHONPATH"
            ) from error
    if not callable(found):
        raise InputError(
            f"runtime {name!r} must be a function of a network and a batch that returns milliseconds; found "
            f"{type(found).__name__}: define {attribute or 'it'} in {module}"
        )
    function: Callable[[nn.Module, Tensor], Any] = found
    return function


def _on_board(name: str, network: nn.Module, images: Tensor) -> TimedBatch:
    function = _board(name)

    def once() -> float:
        with locating(f"runtime {name!r}"):
            found = function(network, images)
        try:
            ms = math.nan if isinstance(found, bool | str) else float(found)
        except (TypeError, ValueError):
            ms = math.nan
        if not 0 < ms < math.inf:
            raise InputError(f"runtime {name!r} must return milliseconds above 0; found {found!r}: return a float")
        return ms

    return once
