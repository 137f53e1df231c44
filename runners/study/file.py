"""The study file: one TOML file that determines an experiment completely."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from prunestats.errors import InputError, StudyError
from prunestats.metric import ERROR, Metric
from prunestats.runners.study.own_training import check_own_training, with_own_training
from prunestats.runners.study.study_table import StudyTable
from prunestats.runners.study.tables import (
    CallbacksConfig,
    Count,
    DataConfig,
    MetricConfig,
    Name,
    OriginalConfig,
    ProtocolConfig,
    Seed,
    StorageConfig,
    nearest,
)
from prunestats.spaces.space import Regime, Space

Fraction = Annotated[float, Field(gt=0, le=1)]


class RegimesConfig(StudyTable):
    """``[regimes]``: FLOPs as fractions of the original's, and their relative tolerance."""

    flops: Annotated[tuple[Fraction, ...], Field(min_length=1)]
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.02


class SpaceConfig(BaseModel):
    """``[[spaces]]``: a sampler, its parameters, and optionally the regimes in which the space is sampled."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    name: Name
    sampler: str
    regimes: Annotated[tuple[Fraction, ...], Field(min_length=1)] | None = None

    # studies that were stored before this key was added must keep their fingerprints, as with `StudyTable.later_keys`
    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if key != "regimes" or value is not None}

    def is_drawn_in(self, regime: Regime) -> bool:
        """Whether the space is sampled in a regime."""
        return self.regimes is None or regime.flops in self.regimes

    def space(self) -> Space:
        """The pruning space that this table describes."""
        return Space.named(self.name, self.sampler, **(self.model_extra or {}))


class PopulationConfig(StudyTable):
    """``[population]``: number of subnetworks for every original, regime and space."""

    subnetworks: Count = 60


class Study(StudyTable):
    """A study, as its file describes it.

    Examples
    --------
    >>> study = read_study(demo_study_file())
    >>> study.name, [regime.flops for regime in study.regime_bands]
    ('demo', [0.5, 0.25, 0.1])
    """

    later_keys = frozenset({"refines", "searches", "metric", "storage", "callbacks"})

    name: Name
    seed: Seed = 0
    refines: Name | None = None
    searches: Name | None = None
    metric: MetricConfig | None = None
    data: DataConfig | None = DataConfig()
    originals: Annotated[tuple[OriginalConfig, ...], Field(min_length=1)]
    regimes: RegimesConfig
    spaces: Annotated[tuple[SpaceConfig, ...], Field(min_length=1)]
    population: PopulationConfig = PopulationConfig()
    protocol: ProtocolConfig
    storage: StorageConfig = StorageConfig()
    callbacks: CallbacksConfig = CallbacksConfig()

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, table: Any) -> Any:
        return with_own_training(table) if isinstance(table, dict) else table

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_own_training(self.data, self.originals, self.protocol, self.metric)
        return self

    @property
    def measured(self) -> Metric:
        """The metric by which its subnetworks are selected and reported."""
        return ERROR if self.metric is None else self.metric.metric

    @property
    def data_table(self) -> dict[str, Any]:
        """What `load_any` loads: the table ``[data]``, or the shape of an input where the study loads no data."""
        return {"input": list(self.originals[0].input or ())} if self.data is None else self.data.model_dump()

    @property
    def regime_bands(self) -> list[Regime]:
        """The regimes, in the order of the file."""
        return [Regime(flops, self.regimes.tolerance) for flops in self.regimes.flops]

    @property
    def fingerprint(self) -> str:
        """Hash of the study's content, which depends neither on the layout of the file nor on folders."""
        left_out: Any = {"storage": True, "callbacks": True, **({"data": {"folder", "workers"}} if self.data else {})}
        content = self.model_dump(mode="json", exclude=left_out)
        for original in content["originals"]:
            if "checkpoint" in original:
                original["checkpoint"] = Path(original["checkpoint"]).name
        return content_key(content)


def content_key(content: Any) -> str:
    """Hash of JSON content, equal for equal content, whatever the order of keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    # 64 bits: short enough to read, and a collision among a million keys has probability below 1e-7
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def demo_study_file() -> Path:
    """Path of the study that ``prunestats demo`` runs and ``prunestats init`` copies."""
    return Path(str(files("prunestats.runners") / "studies" / "demo.toml"))


def read_study(path: str | Path) -> Study:
    """Read and validate a study file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        In one line: the first invalid key, what was expected and what was found.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise StudyError(f"study file {str(path)!r} cannot be read ({reason}): `prunestats init` writes one") from error
    return parse_study(text, path.name)


def parse_study(text: str, source: str = "study") -> Study:
    """Validate the text of a study file; `source` is its name in error messages."""
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
        if unknown := set(config.regimes or ()) - set(study.regimes.flops):
            known = list(study.regimes.flops)
            raise StudyError(f"{source}: spaces.{number}.regimes must be among {known}; found {min(unknown):g}")
    for key, values in (
        ("spaces", [space.name for space in study.spaces]),
        ("regimes.flops", list(study.regimes.flops)),
        ("protocol.seeds", list(study.protocol.seeds)),
    ):
        if len(set(values)) < len(values):
            raise StudyError(f"{source}: {key} must differ from one another; found {values}")
    return study


def with_subnetworks(text: str, subnetworks: int) -> str:
    """Text of a study file with another number of subnetworks in each population, its comments kept.

    Raises
    ------
    StudyError
        If the text does not hold exactly one such number, in ``[population]``.

    Examples
    --------
    >>> text = with_subnetworks(demo_study_file().read_text(), 4)
    >>> [line for line in text.splitlines() if line.startswith("subnetworks")]
    ['subnetworks = 4              # for every original, regime and space']
    """
    study = parse_study(text)
    changed, count = re.subn(r"(?m)^([ \t]*subnetworks[ \t]*=[ \t]*)[0-9_]+", rf"\g<1>{subnetworks}", text)
    if count != 1:
        raise StudyError(
            f"expected one line `subnetworks = N` in the study; found {count}: write it below [population], by itself"
        )
    if parse_study(changed) != study.model_copy(update={"population": PopulationConfig(subnetworks=subnetworks)}):
        raise StudyError("expected the line `subnetworks = N` below [population]; found it elsewhere: move it there")
    return changed


def study_text(content: Any) -> str:
    """Content of a study as TOML; keys whose value is None, which TOML cannot express, are omitted.

    Examples
    --------
    >>> study_text({"name": "a", "regimes": None})
    'name = "a"\\n'
    """
    return tomli_w.dumps(_without_none(content))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, (list, tuple)) else value


def _first_line(error: ValidationError) -> str:
    """The first validation error in one line: key, what was expected, what was found."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{key} is not a key of a study{nearest(str(first['loc'][-1]), _known_keys(first['loc']))}"
    if first["type"] == "missing":
        return f"{key} is missing: `prunestats init` shows every key"
    expected = first["msg"].removeprefix("Value error, ")
    if isinstance(first["input"], dict):
        return f"{key}: {expected}" if key else expected
    return f"{key}: {expected[0].lower() + expected[1:]}; found {first['input']!r}"


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """Keys of the table in which an unknown key occurs."""
    model: Any = Study
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        while getattr(annotation, "__args__", None):
            annotation = annotation.__args__[0]
        model = annotation
    return list(model.model_fields)
