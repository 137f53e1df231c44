"""Where torch, timm and the Hugging Face hub keep downloaded weights on this machine; nothing is downloaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch

from prunestats.errors import InputError

# Files of a model on the hub, in the order in which timm prefers them.
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


def torch_file(url: str) -> Path:
    """Path at which torch keeps the file of an address, in ``$TORCH_HOME/hub/checkpoints``."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def hub_files(model: str, filename: str | None = None) -> list[Path]:
    """Paths at which the Hugging Face hub keeps the weights of a model, ``"owner/name"`` or ``"owner/name@revision"``.

    Those of the snapshot to which its branch points, in ``$HF_HOME/hub/models--OWNER--NAME/snapshots``.
    """
    name, _, revision = model.partition("@")
    folder = _hub_cache() / f"models--{name.replace('/', '--')}"
    branch = folder / "refs" / (revision or "main")
    snapshot = branch.read_text().strip() if branch.is_file() else revision or "main"
    return [folder / "snapshots" / snapshot / file for file in ([filename] if filename else _HUB_FILES)]


def _hub_cache() -> Path:
    for key in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(key):
            return Path(os.environ[key]).expanduser()
    home = os.environ.get("HF_HOME")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return (Path(home).expanduser() if home else caches / "huggingface") / "hub"


def existing(files: Sequence[Path], whose: str, code: str) -> Path:
    """The first of these files that is there.

    Parameters
    ----------
    files : sequence of Path
    whose : str
        Whose weights they are, for the message.
    code : str
        Python that downloads them, which the message suggests.

    Raises
    ------
    InputError
        If none is there.
    """
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise InputError(
            f"pretrained weights of {whose} are not on this machine, and prunestats downloads nothing; looked for "
            f'{" and ".join(map(str, files))}: type python -c "{code}" to download them, or name a file, '
            'checkpoint = "weights.pth", in place of pretrained'
        )
    return found


@contextmanager
def without_downloads(network: str) -> Iterator[None]:
    """Refuse downloads by torch, timm and the Hugging Face hub in this block, with the address in one line."""

    def refuse(url: Any, dst: Any = "its cache", *args: Any, **kwargs: Any) -> None:
        raise InputError(
            f"pretrained weights of {network} are not on this machine, and prunestats downloads nothing; looked for "
            f'{dst}: download {url} to there, or name a file, checkpoint = "weights.pth", in place of pretrained'
        )

    values = [
        (torch.hub, "download_url_to_file", refuse),
        (sys.modules.get("timm.models._hub"), "download_url_to_file", refuse),
        # read from the variable below when it was imported
        (sys.modules.get("huggingface_hub.constants"), "HF_HUB_OFFLINE", True),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in values if hasattr(owner, name)]
    offline = os.environ.get("HF_HUB_OFFLINE")
    try:
        os.environ["HF_HUB_OFFLINE"] = "1"
        for owner, name, value in values:
            if hasattr(owner, name):
                setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
        os.environ.pop("HF_HUB_OFFLINE")
        if offline is not None:
            os.environ["HF_HUB_OFFLINE"] = offline
