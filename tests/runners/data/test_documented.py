"""The data sets that docs/data.md defines are what it says they are."""

import re
import sys
from pathlib import Path

from prunestats.runners import load_data
from prunestats.runners.data.loader_split import LoaderSplit
from prunestats.runners.data.splits import ImageSplit

PAGE = (Path(__file__).parents[3] / "docs" / "data.md").read_text()


def test_the_documented_functions_are_read(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n# shapes\.py\n(.*?)```", PAGE, re.S)
    (tmp_path / "shapes.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    plain, augmented = load_data("shapes:datasets"), load_data("shapes:augmented")
    sys.modules.pop("shapes")
    assert isinstance(plain.train, ImageSplit)
    assert isinstance(augmented.train, LoaderSplit)
    assert (len(plain.train), len(plain.validation), len(plain.test)) == (300, 100, 100)
    assert (len(augmented.train), len(augmented.validation), len(augmented.test)) == (400, 100, 100)
    assert plain.example_input.shape == augmented.example_input.shape == (1, 1, 16, 16)
