"""The short study file of `prunestats init`: what a reader would look for, and a line on what each key means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prunestats.runners.study.file import study_text
from prunestats.runners.study.sizing import StudySize

# Maximum learning rates of SGD for the original and for subnetworks that inherit its weights, a fifth of it: the first
# is usual for residual networks on small images (He et al. 2016). Without batch norm it often diverges.
_RATES = {True: (0.1, 0.02), False: (0.02, 0.004)}

# Training images from which batches are of 128 images; fewer make less of an epoch of a small data set.
_MANY_IMAGES, _BATCH, _SMALL_BATCH = 10_000, 128, 64

# Columns before a comment: keys and their values are shorter, and spaces, which are not, have a column of their own.
_KEY_COLUMN, _SPACE_COLUMN = 34, 58

_REASONS = {
    "folder": "as it is found from where commands are typed",
    "image_size": "side of the central crop, in pixels",
    "tolerance": "of the budgets: this network has few subnetworks closer to them",
    "epochs": "passes over the training images",
}


@dataclass(frozen=True)
class ShortStudy:
    """What a short study file says.

    Parameters
    ----------
    name : str
    data : mapping
        Table ``[data]``, without keys at their defaults.
    network : str
    checkpoint : str or None
        File of weights in place of training.
    flops : sequence of float
    tolerance : float or None
        None is the default of study files.
    batch_norm : bool
        Whether the network has batch norm.
    training_images : int
    size : StudySize
    divisor : int or None
        Of all widths; None where any widths are sampled.
    """

    name: str
    data: Mapping[str, Any]
    network: str
    checkpoint: str | None
    flops: Sequence[float]
    tolerance: float | None
    batch_norm: bool
    training_images: int
    size: StudySize
    divisor: int | None = None

    @property
    def text(self) -> str:
        """The study file."""
        batch = _BATCH if self.training_images >= _MANY_IMAGES else _SMALL_BATCH
        original_rate, rate = _RATES[self.batch_norm]
        # random crops and mirror images leave what CIFAR shows as it is, which is not known of other images
        augment = {"augment": "crop_flip"} if self.data["name"] in ("cifar10", "cifar100") else {}
        seeds = list(range(self.size.seeds))
        trained = {"epochs": self.size.original_epochs, "learning_rate": original_rate, "batch_size": batch, **augment}
        tolerance = (
            [] if self.tolerance is None else [_line("regimes.tolerance", self.tolerance, _REASONS["tolerance"])]
        )
        lines = [
            "# A prunestats study: this file determines its results. `prunestats init --full` shows every key.",
            _line("name", self.name, "in tables, queries and reports"),
            *(_line(f"data.{key}", value, _REASONS.get(key, "")) for key, value in self.data.items()),
            _line("regimes.flops", list(self.flops), "FLOPs budgets, as fractions of the dense network's"),
            *tolerance,
            _line("population.subnetworks", self.size.subnetworks, "sampled for each budget from each space"),
            "spaces = [",
            *self._spaces(),
            "]",
            "",
            _line("[[originals]]", None, "the dense network, from which subnetworks are pruned"),
            _line("network", self.network, ""),
            *self._weights(trained),
            "",
            _line("[protocol]", None, "a subnetwork keeps the filters of largest L1 norm, with their weights,"),
            _line("epochs", self.size.epochs, "and is trained for these epochs"),
            _line("learning_rate", rate, "at its maximum, before cosine annealing"),
            _line("batch_size", batch, ""),
            *([_line("augment", "crop_flip", "")] if augment else []),
            _line("seeds", seeds, "training seeds: one run for each" if len(seeds) > 1 else "training seed"),
        ]
        return "\n".join(lines) + "\n"

    def _spaces(self) -> list[str]:
        initial = {"name": "initial", "sampler": "independent"}
        uniform = {"name": "uniform", "sampler": "jittered_uniform"}
        if self.divisor is None:
            independent = _entry(initial, "any widths, independent between layers")
            return [independent, _entry(uniform, "uniform pruning, to compare with")]
        divided = {"constraints": [{"kind": "width_divisor", "divisor": self.divisor}]}
        return [
            f"    # Multiples of {self.divisor}: other widths cost time on many runtimes; without constraints, any.",
            "    # Widths are independent between layers; the second space is uniform pruning, to compare with.",
            _entry(initial | divided, ""),
            _entry(uniform | divided, ""),
        ]

    def _weights(self, trained: Mapping[str, Any]) -> list[str]:
        if self.checkpoint is not None:
            return [_line("checkpoint", self.checkpoint, "its weights, in place of training")]
        return [_line(key, value, _REASONS.get(key, "")) for key, value in trained.items()]


def _line(key: str, value: Any, comment: str) -> str:
    return _commented(key if value is None else f"{key} = {_toml(value)}", comment, _KEY_COLUMN)


def _entry(value: Mapping[str, Any], comment: str) -> str:
    return _commented(f"    {_toml(value)},", comment, _SPACE_COLUMN)


def _commented(text: str, comment: str, column: int) -> str:
    return f"{text:<{column}}  # {comment}" if comment else text


def _toml(value: Any) -> str:
    """A value as TOML, in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return study_text({"value": value}).removeprefix("value = ").strip()
