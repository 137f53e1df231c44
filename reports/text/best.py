"""The first page: the subnetworks to take in a box, and the front of the study's metric against FLOPs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prunestats.noise.best_result import BestSubnetwork
from prunestats.noise.best_sentences import answer_sentence, brief_lines, splits_sentence
from prunestats.noise.choice import counted_notes
from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.reports.text.blocks import Block, Picture, breakable, figure_block, heading, list_block, note
from prunestats.wording import share

_MOST_DETAILED = 4
"""Answers up to which each has its lines of costs and errors: with the figure, more would not fit the first page."""


def best_blocks(study: StudyAnalysis, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    """The box, the figure, and what is unknown and why; nothing where no run finished."""
    if not study.best:
        return
    yield heading("Subnetworks to take")
    yield note(splits_sentence(study.best))
    detailed = len(study.best) <= _MOST_DETAILED
    yield {"kind": "answers", "items": [_item(one, detailed) for one in study.best]}
    cost = "FLOPs" if study.has_flops else "parameters"
    alt = f"{study.metric.title} against {cost}: dense network, uniform pruning and subnetworks to take, before all"
    yield figure_block(pictures["front"], _caption(study, cost), f"{alt} subnetworks as dots.")
    if notes := counted_notes([one.notes for one in study.best if one.subnetwork is not None], "budget"):
        yield list_block(notes)


def _item(found: BestSubnetwork, detailed: bool) -> dict[str, Any]:
    head, _, text = answer_sentence(found).partition(": ")
    lines = brief_lines(found) if found.subnetwork is not None and detailed else []
    return {
        "head": breakable(f"{head}:"),
        "text": breakable(text),
        "lines": [[label, breakable(value)] for label, value in lines],
        "command": found.export or "",
    }


def _caption(study: StudyAnalysis, cost: str) -> str:
    one = study.best[0]
    level = share(one.level)
    alike = "in each regime" if study.has_flops else "with a similar number of parameters"
    uniform = f" Squares: mean of uniform pruning {alike}, with its {level} confidence interval."
    compared = any(found.uniform_error is not None for found in study.best)
    dense = " Stars: dense networks." if any(found.dense_error is not None for found in study.best) else ""
    label = study.metric.label
    reached = "90 %" if study.metric.sign > 0 else "10 %"
    where = "of every regime" if study.has_flops else "of the subnetworks"
    return (
        f"{study.metric.title} on the {one.split} split against {cost}, relative to the dense network's. Dots: "
        f"subnetworks, means over seeds.{dense}{uniform * compared} Diamonds: the subnetworks to take, at their "
        f"expected {label}, with its {level} confidence interval where that is known. The axis reaches the "
        f"{reached} quantile {where}."
    )
