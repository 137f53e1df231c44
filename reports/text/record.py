"""The recorded facts: how the study was set up, and what the report was made from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.reports.provenance import Provenance
from prunestats.reports.text import setup_tables
from prunestats.reports.text.blocks import Block, breakable, heading, table_block
from prunestats.study_record import Original, SpaceLaw, StudyFacts
from prunestats.wording import counted, plain, settings, share


def setup_blocks(study: StudyAnalysis, facts: StudyFacts) -> Iterator[Block]:
    """Study, originals, regimes, spaces with their distributions, protocol."""
    yield heading("Experimental setup")
    bands = ", ".join(f"{share(target)} (± {share(tolerance)} of it)" for target, tolerance in facts.regimes if target)
    rows = [("study", f"“{plain(facts.name)}”, seed {facts.seed}")]
    rows += _original_rows(facts)
    rows += [("regimes", f"{bands} of the original's FLOPs" if bands else "none, as FLOPs are not recorded")]
    rows += [("space", f"“{plain(space.name)}”, {_space_line(space)}") for space in facts.spaces]
    rows += [("protocol", f"{plain(p.name)}: {settings(p.parameters)}") for p in facts.protocols]
    yield {"kind": "facts", "rows": [[breakable(name), breakable(value)] for name, value in rows]}
    yield table_block(setup_tables.originals_table(facts, study))


def provenance_blocks(facts: StudyFacts, provenance: Provenance) -> Iterator[Block]:
    """Database, rows, fingerprints, seeds, versions."""
    yield heading("Provenance")
    made = datetime.fromtimestamp(provenance.timestamp, UTC)
    rows = [
        ("database", facts.database),
        ("study", f"“{plain(facts.name)}”, fingerprint {facts.fingerprint}"),
        ("rows", f"{counted(provenance.n_rows, 'run')}, SHA-256 {provenance.rows_hash}"),
        ("protocol", ", ".join(p.key for p in facts.protocols)),
        ("originals", ", ".join(original.key for original in facts.originals)),
        ("seeds", f"study {facts.seed}, analysis {provenance.seed}"),
        ("FLOPs", ", ".join(sorted({original.convention for original in facts.originals if original.flops}))),
        *(("runs made on", machine) for machine in facts.machines),
        ("report made with", ", ".join(f"{name} {version}" for name, version in sorted(provenance.versions.items()))),
        ("report made", f"{made:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    yield {"kind": "facts", "rows": [[name, breakable(value)] for name, value in rows if value]}


def _original_rows(facts: StudyFacts) -> Iterator[tuple[str, str]]:
    """One row per network, data set and recipe, with all seeds that share them."""
    alike: dict[str, list[Original]] = {}
    for original in facts.originals:
        made = f"; trained with {settings(original.recipe)}" if original.recipe else ""
        line = f"{original.network} on {original.dataset}, {counted(original.n_groups, 'group')} of filters{made}"
        alike.setdefault(line, []).append(original)
    for line, originals in alike.items():
        seeds = ", ".join(str(original.seed) for original in originals)
        yield ("originals" if len(originals) > 1 else "original"), f"{line}; seed{'s'[: len(originals) - 1]} {seeds}"


def _space_line(space: SpaceLaw) -> str:
    how = f" ({settings(space.parameters)})" if space.parameters else ""
    return f"{plain(space.sampler)}{how}: {plain(space.law)}"
