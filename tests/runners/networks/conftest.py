"""Packages of networks, timm and torchvision, from the folder of their own where `make test` puts them."""

import importlib
import sys
import warnings
from pathlib import Path

import pytest
import torch

FOLDER = Path(sys.prefix) / "collections"


@pytest.fixture(scope="module")
def collections():
    if not FOLDER.is_dir():
        pytest.skip(
            f"expected torchvision and timm in {FOLDER.name} of the virtual environment: make test puts them there"
        )
    before = set(sys.modules)
    missing = torch.library.Library("torchvision", "FRAGMENT")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(sys, "path", [*sys.path, str(FOLDER)])
        for operator in ("nms", "qnms"):
            missing.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        importlib.import_module("torchvision")
        importlib.import_module("timm")
        yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("torchvision", "timm"):
            del sys.modules[name]
