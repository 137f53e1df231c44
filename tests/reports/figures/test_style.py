"""The style: distinguishable colours, no trace in matplotlib's settings, figures as files with the same bytes."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from prunestats.errors import InputError
from prunestats.reports.figures.files import save_figure
from prunestats.reports.figures.style import new_figure, original_markers, place_legend, report_style, space_look

# Machado, Oliveira and Fernandes (2009), A physiologically-based model for simulation of color vision deficiency,
# IEEE Transactions on Visualization and Computer Graphics 15, Table 1, severity 1; linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1, 1.08883])


def lab(color, vision):
    """CIELAB coordinates of a colour as it is seen."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.asarray(vision) @ linear, 0, 1) / WHITE
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_colours_are_distinguishable_with_every_colour_vision(vision):
    seen = [lab(space_look("abcdef", space)["color"], VISION[vision]) for space in "abcdef"]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 16


def test_neighbouring_spaces_and_originals_differ_in_line_and_marker():
    lines = [space_look("abcdef", space)["linestyle"] for space in "abcdef"]
    assert all(one != other for one, other in pairwise(lines))
    assert len(set(original_markers("abcdefghi").values())) == 9


def test_the_settings_of_the_user_are_restored_and_seaborn_keeps_no_other():
    code = (
        "import matplotlib as mpl, sys\n"
        "from prunestats.reports.figures.style import report_style\n"
        "mpl.rcParams['font.size'] = 11\n"
        "assert 'seaborn' not in sys.modules\n"
        "with report_style():\n"
        "    assert mpl.rcParams['font.size'] == 8\n"
        "assert mpl.rcParams['font.size'] == 11\n"
        "import seaborn\n"
        "seaborn.reset_orig()\n"
        "assert mpl.rcParams['font.size'] == 11\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("lengths", "columns"), [((5, 5), 2), ((40, 12, 12, 12), 2), ((80, 80), 1)])
def test_a_legend_has_as_many_columns_as_fit(lengths, columns):
    with report_style():
        figure = new_figure(5.8, 3)
        place_legend(figure, [(Line2D([], []), "n" * length) for length in lengths])
    assert figure.legends[0]._ncols == columns


def panel():
    figure = new_figure(3, 2)
    figure.subplots().plot([1, 2], [3, 4])
    return figure


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_saved_figure_has_the_same_bytes_every_time(tmp_path, suffix):
    first, second = (tmp_path / f"{name}{suffix}" for name in "ab")
    for path in (first, second):
        save_figure(panel, path)
    assert first.read_bytes() == second.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_other_kinds_of_files_and_missing_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"must end in .png, .svg, .pdf; found plot.gif"):
        save_figure(panel, tmp_path / "plot.gif")
    with pytest.raises(InputError, match="existing folder; found none"):
        save_figure(panel, tmp_path / "none" / "plot.png")
