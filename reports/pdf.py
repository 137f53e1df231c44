"""From an analysis to the bytes of a PDF: the figures are drawn and the template is compiled."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import matplotlib as mpl
import typst
from matplotlib.figure import Figure

from prunestats.files import write_atomically
from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.reports.figures.files import png, svg
from prunestats.reports.figures.front import plot_front
from prunestats.reports.figures.populations import plot_populations
from prunestats.reports.figures.refined import plot_refined
from prunestats.reports.figures.regimes import plot_optimum_by_regime
from prunestats.reports.figures.study import plot_edfs, plot_networks, plot_responses, plot_summary
from prunestats.reports.figures.style import report_style
from prunestats.reports.figures.transfer import plot_transfer
from prunestats.reports.provenance import Provenance
from prunestats.reports.text.blocks import Picture, figure_parts
from prunestats.reports.text.document import document, to_json
from prunestats.reports.text.optima import response_figures
from prunestats.study_record import StudyFacts


def draw_figures(study: StudyAnalysis, facts: StudyFacts) -> dict[str, Figure]:
    """All figures of a report, by name.

    Parameters
    ----------
    study : StudyAnalysis
    facts : StudyFacts

    Returns
    -------
    dict of str to Figure
        ``front`` if there are subnetworks to take; ``populations`` where FLOPs are recorded; ``summary``; ``edfs-1``
        and so on, up to three regimes each; ``responses-1`` and so on, one per regime, or with several networks
        ``responses-1-1`` and so on, up to three networks of a regime each; ``optima`` if two or more regimes have an
        optimum; ``transfer`` with several networks; ``refined-1`` and so on, one per study that refines this one.
    """
    # Originals of one network have the same costs: one star for all.
    stars = sorted({(one.network, float(one.flops), float(one.params)) for one in facts.originals if one.flops})
    with report_style():
        drawn = {"front": plot_front(study, facts.originals)} if study.best else {}
        drawn |= {"populations": plot_populations(study, stars)} if study.has_flops else {}
        drawn["summary"] = plot_summary(study)
        for number, regimes in enumerate(figure_parts(study.regimes), 1):
            drawn[f"edfs-{number}"] = plot_edfs(study, regimes)
        for name, regime, designs in response_figures(study):
            drawn[name] = plot_networks(study, regime, designs) if designs else plot_responses(study, [regime])
        if study.trend is not None:
            drawn["optima"] = plot_optimum_by_regime(study.trend)
        if study.transfer is not None:
            drawn["transfer"] = plot_transfer(study.transfer, columns=2)
        for number, refined in enumerate(study.refined, 1):
            if refined.contests:
                drawn[f"refined-{number}"] = plot_refined(refined.contests, refined.metric)
    return drawn


def write_figures(drawn: Mapping[str, Figure], folder: Path) -> None:
    """Write every figure as PNG and as SVG, with letters as outlines so that every viewer shows the same."""
    for name, figure in drawn.items():
        write_atomically(folder / f"{name}.svg", svg(figure, outlines=True))
        write_atomically(folder / f"{name}.png", png(figure))


def render(study: StudyAnalysis, facts: StudyFacts, provenance: Provenance, drawn: Mapping[str, Figure]) -> bytes:
    """The report as a PDF, the same bytes for the same arguments.

    Parameters
    ----------
    study : StudyAnalysis
    facts : StudyFacts
    provenance : Provenance
    drawn : mapping of str to Figure
        As returned by `draw_figures`.

    Returns
    -------
    bytes
    """
    pictures = {name: Picture(f"{name}.svg", float(figure.get_figwidth())) for name, figure in drawn.items()}
    content = to_json(document(study, facts, provenance, pictures))
    with tempfile.TemporaryDirectory(prefix="prunestats-report-") as folder:
        root = Path(folder)
        for name, figure in drawn.items():
            (root / f"{name}.svg").write_bytes(svg(figure))
        template = root / "report.typ"
        template.write_bytes(files("prunestats.reports").joinpath("report.typ").read_bytes())
        compiled: bytes = typst.compile(
            str(template),
            root=folder,
            font_paths=[str(Path(mpl.get_data_path()) / "fonts" / "ttf")],
            ignore_system_fonts=True,
            sys_inputs={"document": content},
            timestamp=provenance.timestamp,
        )
    return compiled
