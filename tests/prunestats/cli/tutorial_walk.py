"""The tutorial as a walk: its files are written and its commands typed, in an empty folder.

Run by itself, it writes what the commands print into the page: `python tests/prunestats/cli/tutorial_walk.py`.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "tutorial.md"
EXACT = "## 5. "
"""The section whose results are stored: what it prints is compared letter by letter."""

PATIENCE_S = 1800
"""Ends a command that hangs, and no other."""

_BLOCK = re.compile(r"(?:^`([\w.]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def walk(page, folder, *, sized=False):
    """Yield for every console block its start and end in the page, its commands, and what they print now.

    With `sized`, the study that is run is the one that the page shows: `init` fits it to the speed of the machine, and
    a slow or busy one would get another. What `init` wrote is kept as `sized.toml`.
    """
    shutil.copy(DOCS / "tables" / "cifar10_resnet20.csv", folder)
    for block in _BLOCK.finditer(page):
        file, language, content = block.groups()
        if file:
            (folder / file).write_text(content)
        elif language == "console":
            commands = [line[2:] for line in content.splitlines() if line.startswith("$ ")]
            if sized and commands == ["cat study.toml"]:
                (folder / "study.toml").rename(folder / "sized.toml")
                (folder / "study.toml").write_text(expected(page, *block.span(3)))
            # one shell for a block, whose variables are those of the commands before
            printed = typed("\n".join(commands), folder)
            yield block.start(3), block.end(3), commands, printed


def typed(command, folder):
    """What a command prints in a folder: standard output, and its error."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PRUNESTATS_")}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=clean | {"PATH": path, "COLUMNS": "120", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    errors = [line for line in done.stderr.splitlines(keepends=True) if line.startswith(("error", "Traceback"))]
    return done.stdout + "".join(errors)


def expected(page, start, end):
    """What a console block of the page shows below its commands."""
    return "".join(line for line in page[start:end].splitlines(keepends=True) if not line.startswith("$ "))


def shape(text):
    """The words of an output that depends on a training: without numbers, keys, directions, notes and line breaks."""
    lines = [line for line in text.splitlines() if not line.startswith("- ")]
    words = " ".join(" ".join(lines).split())
    for pattern, mask in (
        (r"\b[0-9a-f]{8,16}\b", "KEY"),
        (r"[-+−]?\d[\d,.]*(e[-+]\d+)?", "#"),
        (r"(# min )?# s\b", "TIME"),
        (r"\b(above|below)\b", "BESIDE"),
        (r", not significant", ""),
        (r"sampled from [\w, ]+ widths", "sampled from SPACES widths"),
        (r"kept weights, evaluated again|trained again, as its weights are not kept", "FROM"),
    ):
        words = re.sub(pattern, mask, words)
    return words


def main():
    page = PAGE.read_text()
    parts, last = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for start, end, commands, printed in walk(page, Path(folder)):
            typed_lines = "".join(f"$ {command}\n" for command in commands)
            parts += [page[last:start], typed_lines, "\n".join(line.rstrip() for line in printed.split("\n"))]
            last = end
            print(typed_lines, printed, sep="", flush=True)
    PAGE.write_text("".join([*parts, page[last:]]))


if __name__ == "__main__":
    main()
