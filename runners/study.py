"""The study file: one TOML file that says everything about an experiment."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)

from prunestats.errors import InputError, StudyError
from prunestats.runners.networks import NETWORKS
from prunestats.spaces import Regime, Space

Fraction = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # Keys that came later are left out where they are not set: what was stored before keeps its hash.
    later_keys: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        unset = {name for name in self.later_keys if getattr(self, name) == type(self).model_fields[name].default}
        return {name: value for name, value in handler(self).items() if name not in unset}


class DataConfig(_Table):
    """``[data]``: which images, and how they are split."""

    name: Literal["digits", "cifar10", "npz"] = "digits"
    folder: str | None = None
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.25
    split_seed: Seed = 0


class RecipeConfig(_Table):
    """How a network is trained: SGD with Nesterov momentum, cosine schedule to zero."""

    epochs: Annotated[int, Field(ge=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: Count = 128
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4


class OriginalConfig(RecipeConfig):
    """``[[originals]]``: a network, trained once for each seed."""

    network: str
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)

    @field_validator("network")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NETWORKS and ":" not in name:
            raise ValueError(f"must be one of {', '.join(NETWORKS)} or module:function{_nearest(name, list(NETWORKS))}")
        return name

    @property
    def recipe(self) -> dict[str, Any]:
        """The training recipe alone."""
        return self.model_dump(exclude={"network", "seeds"})


class RegimesConfig(_Table):
    """``[regimes]``: bands of FLOPs."""

    flops: Annotated[tuple[Fraction, ...], Field(min_length=1)]
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.02


class SpaceConfig(BaseModel):
    """``[[spaces]]``: a sampler and its parameters."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    name: Name
    sampler: str

    def space(self) -> Space:
        """The space that this table describes."""
        return Space.named(self.name, self.sampler, **(self.model_extra or {}))


class PopulationConfig(_Table):
    """``[population]``: how many subnetworks are drawn."""

    subnetworks: Count = 60


class ProtocolConfig(RecipeConfig):
    """``[protocol]``: how a subnetwork is pruned, trained and evaluated."""

    name: Name = "finetune"
    criterion: Literal["l1", "l2", "bn_scale", "random", "first"] = "l1"
    init: Literal["inherited", "scratch"] = "inherited"
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    latency: bool = False

    later_keys: ClassVar[tuple[str, ...]] = ("latency",)

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything that decides a run's result but its seed."""
        return self.model_dump(exclude={"name", "seeds"})


class Study(_Table):
    """A whole study, as its file describes it.

    Examples
    --------
    >>> study = read_study(demo_study_file())
    >>> study.name, [regime.flops for regime in study.regime_bands]
    ('demo', [0.5, 0.25, 0.1])
    """

    name: Name
    seed: Seed = 0
    data: DataConfig = DataConfig()
    originals: Annotated[tuple[OriginalConfig, ...], Field(min_length=1)]
    regimes: RegimesConfig
    spaces: Annotated[tuple[SpaceConfig, ...], Field(min_length=1)]
    population: PopulationConfig = PopulationConfig()
    protocol: ProtocolConfig

    @property
    def regime_bands(self) -> list[Regime]:
        """The regimes, in the order of the file."""
        return [Regime(flops, self.regimes.tolerance) for flops in self.regimes.flops]

    @property
    def fingerprint(self) -> str:
        """Hash of all that the study says: equal files give equal fingerprints, whatever their layout."""
        return content_key(self.model_dump(mode="json", exclude={"data": {"folder"}}))


def content_key(content: Any) -> str:
    """A short hash of plain JSON content: the identity of what is equal by value."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def demo_study_file() -> Path:
    """The study that ``prunestats demo`` runs and ``prunestats init`` copies."""
    return Path(str(files("prunestats.runners") / "studies" / "demo.toml"))


def read_study(path: str | Path) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        One line that names the first key that is wrong, what was expected and what was found.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise StudyError(f"study file {str(path)!r} cannot be read ({reason}): `prunestats init` writes one") from error
    return parse_study(text, path.name)


def parse_study(text: str, source: str = "study") -> Study:
    """Check the text of a study file; `source` is what messages call it."""
    try:
        study = Study.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{source} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise StudyError(f"{source}: {_first_line(error)}") from error
    for number, config in enumerate(study.spaces):
        try:
            config.space()
        except (InputError, TypeError) as error:
            raise StudyError(f"{source}: spaces.{number}: {error}") from error
    for key, values in (
        ("spaces", [space.name for space in study.spaces]),
        ("regimes.flops", list(study.regimes.flops)),
        ("protocol.seeds", list(study.protocol.seeds)),
    ):
        if len(set(values)) < len(values):
            raise StudyError(f"{source}: {key} must differ from one another; found {values}")
    return study


def _first_line(error: ValidationError) -> str:
    """The first complaint of pydantic as: key, what was expected, what was found."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{key} is not a key of a study{_nearest(str(first['loc'][-1]), _known_keys(first['loc']))}"
    if first["type"] == "missing":
        return f"{key} is missing: `prunestats init` shows every key"
    expected = first["msg"].removeprefix("Value error, ")
    return f"{key}: {expected[0].lower() + expected[1:]}; found {first['input']!r}"


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """Keys of the table that an unknown key stands in."""
    model: Any = Study
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        while getattr(annotation, "__args__", None):
            annotation = annotation.__args__[0]
        model = annotation
    return list(model.model_fields)


def _nearest(found: str, known: list[str]) -> str:
    near = difflib.get_close_matches(found, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(known)})"
