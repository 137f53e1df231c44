"""What identifies trainings of the user's own: the source of their functions, or the version that the study sets."""

from __future__ import annotations

from typing import Any

from prunestats.errors import InputError
from prunestats.runners.networks.function_source import changed_since_import, function_source
from prunestats.runners.study.file import Study
from prunestats.runners.study.tables import ASK, OriginalConfig
from prunestats.runners.training.own_training import OwnTraining


def protocol_parameters(study: Study) -> dict[str, Any]:
    """All on which the results of a study's runs depend, except their seeds: what a protocol is identified by."""
    protocol = study.protocol
    if protocol.train is None:
        return protocol.parameters
    own = {"train": source_or_version(protocol.train, protocol.version), "metric": study.measured.name}
    if protocol.train == ASK:
        # what trains is not known: its name in the study tells one training from another
        own["name"] = protocol.name
    return {**protocol.parameters, **own}


def training_identity(study: Study, config: OriginalConfig) -> dict[str, Any] | None:
    """What identifies the training of an original by the user's own function; None where there is none."""
    if config.train is None:
        return None
    return {"train": source_or_version(config.train, config.version), "metric": study.measured.name}


def evaluation_identity(study: Study, config: OriginalConfig) -> dict[str, Any]:
    """What identifies the evaluation of a checkpoint beside its weights; nothing for top-1 error."""
    name = evaluating(study, config)
    return {} if name is None else {"evaluate": source_or_version(name, None), "metric": study.measured.name}


def evaluating(study: Study, config: OriginalConfig) -> str | None:
    """The function that evaluates an original's checkpoint, None for top-1 error."""
    return config.evaluate or study.protocol.evaluate


def own_training(study: Study) -> OwnTraining | None:
    """The functions by which the subnetworks of a study are trained, where they are the user's own."""
    protocol = study.protocol
    if protocol.train is None:
        return None
    return OwnTraining(protocol.train, protocol.evaluate, study.measured)


def own_training_of(study: Study, config: OriginalConfig) -> OwnTraining | None:
    """The functions by which an original is trained or evaluated, where they are the user's own."""
    evaluate = evaluating(study, config) if config.is_given else None
    if config.train is None and evaluate is None:
        return None
    return OwnTraining(config.train, evaluate, study.measured)


def source_or_version(name: str, version: str | None) -> str:
    """What identifies a function: the version that the study sets, else its source.

    Raises
    ------
    InputError
        If the function was changed after this process had imported it.
    """
    if name == ASK:
        return ASK if version is None else f"{ASK}, version {version}"
    if version is not None:
        return f"version {version}"
    source = function_source(name)
    changed = changed_since_import(name)
    if changed is not None:
        raise InputError(
            f"function {name!r}: {changed} was changed after this process had imported it: restart Python, or reload "
            "its module"
        )
    return source
