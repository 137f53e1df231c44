"""Synthetic populations, analysed once for all tests of the reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader

from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.reports.analysis.study import analyse_study
from prunestats.reports.provenance import Provenance
from prunestats.study_record import Original, Population, Protocol, SpaceLaw, StudyFacts

Frames = tuple[pd.DataFrame, pd.DataFrame]

HOSTILE = "_#eval(1) $x^2$ *b* <i>&amp; \\u{41} @ref [link] // 日本 " + "w" * 120


def make_frames(
    regimes: tuple[float, ...] = (0.5, 0.25, 0.1),
    spaces: tuple[str, ...] = ("initial", "uniform"),
    originals: tuple[str, ...] = ("a1b2", "c3d4"),
    n: int = 40,
    seeds: int = 1,
    constant: bool = False,
    failed: tuple[float, ...] = (),
    networks: tuple[str, ...] = (),
) -> Frames:
    """Runs of a study: a U at 0.5, a rise at 0.25, noise at 0.1; errors are multiples of 1/400 and tied."""
    rng = np.random.default_rng(7)
    shapes = [lambda u: 1 + 2.5 * u**2, lambda u: np.exp(0.9 * u), lambda u: 1.0]
    rows = []
    for r, regime in enumerate(regimes):
        for s, space in enumerate(spaces):
            for o, original in enumerate(originals):
                for k in range(n):
                    flops = int(4.2e6 * regime * (1 + rng.uniform(-0.02, 0.02)))
                    u = rng.normal(0, 0.3 if s == 0 else 0.1)
                    level = 0.05 / regime**0.5 * shapes[r % 3](u) * (1 + 0.1 * o) * np.exp(rng.normal(0, 0.08))
                    for seed in range(seeds):
                        lost = regime in failed or (r == 2 and s == 0 and k == 3)
                        errors = [rng.binomial(400, min(level * e, 0.9)) / 400 for e in (1, 1.1)]
                        losses = [np.log(3 * level) + rng.normal(0, 0.05) for _ in range(2)]
                        if constant:
                            errors, losses = [0.05, 0.05], [0.0, 0.1]
                        params = int(flops / (100 * np.exp(u)))
                        rows.append({
                            "study": "digits", "network": "resnet_digits", "dataset": "digits", "original": original,
                            "original_seed": o, "space": space, "regime": regime, "protocol": "p1", "seed": seed,
                            "subnetwork": f"{original}-{s}-{regime}-{k:03d}", "flops": flops,
                            "params": params, "layer_params": (900, params - 900),
                            "state": "failed" if lost else "done", "failure": "loss was not finite" if lost else None,
                            "val_error": errors[0], "test_error": errors[1], "val_ll": losses[0], "test_ll": losses[1],
                        })  # fmt: skip
    frame = pd.DataFrame(rows)
    if networks:
        place = frame["original"].map(originals.index).map(lambda o: networks.index(networks[o]))
        frame["network"] = frame["original"].map(dict(zip(originals, networks, strict=True)))
        frame["original_flops"], frame["original_params"] = 4_200_000 * (1 + place), 42_000
    frame.loc[frame["state"] == "failed", ["val_error", "test_error", "val_ll", "test_ll"]] = np.nan
    return (
        frame.assign(error=frame["val_error"], log_cross_entropy=frame["val_ll"]),
        frame.assign(error=frame["test_error"], log_cross_entropy=frame["test_ll"]),
    )


def make_facts(study: StudyAnalysis, name: str = "digits") -> StudyFacts:
    """Recorded facts that go with `study`."""
    regimes = [regime.regime for regime in study.regimes]
    return StudyFacts(
        name=name,
        fingerprint="9f" * 32,
        seed=11,
        database="results.db",
        originals=tuple(
            Original(
                key, "resnet_digits", "digits", i, 4_200_000, 45_000, 7, "multiply-adds", 0.0125, 0.02, {"epochs": 30}
            )
            for i, key in enumerate(study.originals)
        ),
        spaces=tuple(
            SpaceLaw(space, "independent", {"min_keep": 0.05}, "w_g ~ Uniform{1, ..., W_g}") for space in study.spaces
        ),
        regimes=tuple((regime, 0.02) for regime in regimes),
        populations=tuple(
            Population(r, s, o, 40, 5000 + 731 * i, 40 + 3 * i)
            for r in regimes
            for s in study.spaces
            for i, o in enumerate(study.originals)
        ),
        protocols=(Protocol("7c" * 32, "l1", {"criterion": "l1", "epochs": 2}),),
        machines=("Linux, Python 3.12, torch 2.9",),
        missing={(regimes[0], study.spaces[0]): 3},
    )


@pytest.fixture(scope="session")
def frames_of() -> Callable[..., Frames]:
    return make_frames


@pytest.fixture(scope="session")
def facts_of() -> Callable[..., StudyFacts]:
    return make_facts


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def provenance() -> Provenance:
    return Provenance("ab" * 32, 480, 0, {"prunestats": "0.1.0", "numpy": "2.4.6"}, 1_790_000_000)


@pytest.fixture(scope="session")
def study() -> StudyAnalysis:
    return analyse_study(*make_frames(), rng=np.random.default_rng(0))


def squeezed(text: str) -> str:
    """Text without what line breaks may add, and without signs that the font lacks."""
    return re.sub(r"[\s\u200b\u00ad\ufffd日本]+", "", text)


def pages_of(pdf: bytes) -> list[str]:
    """The squeezed text of each page."""
    return [squeezed(page.extract_text()) for page in PdfReader(BytesIO(pdf)).pages]


def is_printed(sentence: str, pages: Sequence[str]) -> bool:
    """Whether a sentence stands on one page, or begins on one and ends on the next."""
    wanted = squeezed(sentence)
    return any(wanted in page for page in pages) or any(
        wanted[:cut] in first and wanted[cut:] in second
        for first, second in pairwise(pages)
        for cut in range(1, len(wanted))
    )


@pytest.fixture(scope="session")
def printed_in() -> Callable[[bytes], Callable[[str], bool]]:
    """A function of a PDF that gives the test whether a sentence is printed in it."""

    def of(pdf: bytes) -> Callable[[str], bool]:
        pages = pages_of(pdf)
        return lambda sentence: is_printed(sentence, pages)

    return of


CASES: dict[str, dict[str, Any]] = {
    "tiny": {"n": 3, "regimes": (0.5,), "spaces": (HOSTILE,), "originals": ("only",)},
    "one_space": {"n": 25, "spaces": ("initial",), "originals": ("only",)},
    "many": {"n": 4, "regimes": tuple(np.linspace(0.9, 0.05, 12).round(3)), "spaces": tuple("abcde")},
    "constant": {"n": 25, "constant": True},
    "failed": {"failed": (0.25,)},
    "networks": {
        **{"n": 30, "regimes": (0.5, 0.25), "spaces": ("initial",), "originals": ("a0", "a1", "b0", "c0", "d0")},
        "networks": ("narrow", "narrow", HOSTILE, "wide", "deep"),
    },
    "all_failed": {"n": 3, "failed": (0.5, 0.25, 0.1)},
}


class Studies(dict[str, StudyAnalysis]):
    """Studies that figures and pages must survive, each analysed when it is first asked for."""

    def __missing__(self, case: str) -> StudyAnalysis:
        self[case] = analyse_study(*make_frames(**CASES[case]), rng=np.random.default_rng(0))
        return self[case]


@pytest.fixture(scope="session")
def studies(study: StudyAnalysis) -> Studies:
    return Studies(usual=study)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
