"""The study that tests a refinement."""

import numpy as np
import pandas as pd
import pytest

from prunestats.errors import InputError
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.study.file import demo_study_file, parse_study
from prunestats.runners.study.refined import refined_study

STUDY = parse_study(demo_study_file().read_text().replace("subnetworks = 60 ", "subnetworks = 80 "))
BEST = 10.0


@pytest.fixture(scope="module")
def drawn():
    """The demo's initial population at a quarter of the FLOPs, without training."""
    populations = [p for p in plan_study(STUDY).populations if p.regime.flops == 0.25 and p.space.name == "initial"]
    return pd.concat(
        pd.DataFrame(
            {
                "original": p.original.task.key,
                "subnetwork": p.keys,
                "space": "initial",
                "regime": 0.25,
                "seed": 0,
                "flops": p.sample.flops,
                "params": p.sample.params,
                "error": 0.1,
            }
        )
        for p in populations
    )


def losses(drawn, curve):
    x = np.log(drawn["flops"] / drawn["params"] / BEST)
    return drawn.assign(log_cross_entropy=curve(x) + 0.02 * np.random.default_rng(1).standard_normal(len(drawn)))


def test_an_optimum_gives_a_study_with_a_new_sample_and_seeds_and_a_disjoint_control(drawn):
    made = refined_study(STUDY, losses(drawn, lambda x: x**2 - 2), regime=0.25)
    assert made.refinement.kind == "band"
    assert made.refinement.band.low < BEST < made.refinement.band.high
    study = parse_study(made.text)
    assert [space.name for space in study.spaces] == ["initial", "initial-refined", "initial-control"]
    refined, control = (study.spaces[place].space().conditions[0] for place in (1, 2))
    assert refined == made.refinement.band
    assert control.high < refined.low or control.low > refined.high
    assert (study.seed, study.protocol.seeds) == (STUDY.seed + 1, (1,))
    assert study.regimes.flops == (0.25,)
    assert study.originals == STUDY.originals
    assert {key for p in plan_study(study).populations for key in p.keys}.isdisjoint(drawn["subnetwork"])
    ratios = drawn["flops"] / drawn["params"]
    shares = [np.mean((ratios >= band.low) & (ratios <= band.high)) for band in (refined, control)]
    assert shares[0] == pytest.approx(shares[1], abs=0.02)


def test_a_trend_gives_a_one_sided_refinement(drawn):
    made = refined_study(STUDY, losses(drawn, lambda x: x), regime=0.25, subnetworks=7)
    assert made.refinement.kind == "one_sided"
    assert "no optimum" in made.refinement.reasons[0] or "not an optimum" in made.refinement.reasons[0]
    study = parse_study(made.text)
    assert study.population.subnetworks == 7
    assert study.spaces[1].space().conditions[0].low is None


def test_no_study_is_written_without_an_association(drawn):
    made = refined_study(STUDY, losses(drawn, lambda x: 0 * x), regime=0.25)
    assert made.text is None
    assert made.refinement.kind == "refused"


def test_a_regime_of_another_study_is_refused(drawn):
    with pytest.raises(InputError, match=r"one of the study's, 0\.5, 0\.25, 0\.1; found 0\.3"):
        refined_study(STUDY, drawn, regime=0.3)
