"""Results as plain data: what JSON can hold, and every result gives it by one method."""

import json
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import walk_packages

import numpy as np

import prunestats
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result, plain_data


@dataclass(frozen=True)
class Fit(Result):
    slope: Interval
    x: np.ndarray
    names: tuple[str, ...]
    cache: dict = field(default_factory=dict, metadata={"plain": False})


def test_results_are_plain_to_any_depth():
    fit = Fit(Interval(np.float64(0.5), -np.inf, np.nan, 0.95), np.arange(2), ("a",))
    assert fit.to_dict() == {
        "slope": {"value": 0.5, "low": None, "high": None, "level": 0.95},
        "x": [0, 1],
        "names": ["a"],
    }
    assert json.loads(json.dumps(fit.to_dict())) == fit.to_dict()


def test_keys_become_text_and_numpy_scalars_numbers():
    assert plain_data({0.5: np.int64(3), "deep": [np.bool_(True), (np.float32(0.25),)]}) == {
        "0.5": 3,
        "deep": [True, [0.25]],
    }


def test_results_of_statistics_inherit_to_dict():
    """No module writes its own copy of the method: those that define one return something else than the fields."""
    rooms = ("bucket_size", "comparison", "conjectures", "distribution", "noise", "optimum", "refinement")
    for room in rooms:
        for module in walk_packages([f"{prunestats.__path__[0]}/{room}"], f"prunestats.{room}."):
            for found in vars(import_module(module.name)).values():
                if isinstance(found, type) and "to_dict" in vars(found) and found.__module__ == module.name:
                    assert found.__name__ == "Refinement"
