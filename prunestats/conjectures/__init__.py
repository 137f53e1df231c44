"""Conjectures on optima of several regimes and originals: meta-regression, prediction, equivalence of winners."""

from prunestats.conjectures.across_originals import MetaOptimum, meta_optimum
from prunestats.conjectures.across_regimes import RegimeTrend, optimum_across_regimes, regime_trend
from prunestats.conjectures.prediction import Prediction
from prunestats.conjectures.transfer import predict_optimum, transfer_optimum
from prunestats.conjectures.transfer_result import DesignOptimum, PredictedOptimum, Transfer
from prunestats.conjectures.winners_near import WinnersNear, winners_near_optimum

__all__ = [
    "DesignOptimum",
    "MetaOptimum",
    "PredictedOptimum",
    "Prediction",
    "RegimeTrend",
    "Transfer",
    "WinnersNear",
    "meta_optimum",
    "optimum_across_regimes",
    "predict_optimum",
    "regime_trend",
    "transfer_optimum",
    "winners_near_optimum",
]
