"""The sentence above the table of an analysis: which study, networks, data set and split it speaks of, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prunestats.cli.analysis import LoadedRuns
from prunestats.cli.terminal import say
from prunestats.wording import counted

if TYPE_CHECKING:
    import pandas as pd

_PURPOSES = {"validation": "for selection; reporting uses test", "test": "for reporting; selection uses validation"}


def print_heading(loaded: LoadedRuns, originals: str, content: str, form: str) -> None:
    """Print the sentence above a table; CSV and JSON go without.

    Parameters
    ----------
    loaded : LoadedRuns
    originals : str
        How several originals enter the analysis, such as "are strata".
    content : str
        What is printed.
    form : str
    """
    split = loaded.parameters["split"]
    print_sentence(f"{study_words(loaded, originals)}, {split} split ({_PURPOSES[split]}): {content}.", form)


def study_words(loaded: LoadedRuns, originals: str) -> str:
    """Name the study, its networks and data sets, and how several originals enter the analysis."""
    names, n = networks_words(loaded.frame), loaded.frame["original"].nunique()
    several = f"; {counted(n, 'original')} {originals}" if n > 1 else ""
    return f"Study {loaded.parameters['study']!r} ({names}{several})"


def networks_words(frame: pd.DataFrame) -> str:
    """Name the networks of a frame, each with its data set where there are several.

    Examples
    --------
    >>> import pandas as pd
    >>> networks_words(pd.DataFrame({"network": ["a", "b"], "dataset": "digits"}))
    'a and b on digits'
    >>> networks_words(pd.DataFrame({"network": "a", "dataset": ["digits", "cifar10"]}))
    'a on cifar10 and a on digits'
    """
    from prunestats.results.pooling import distinct_names, listed

    datasets = distinct_names(frame, "dataset")
    if len(datasets) > 1:
        pairs = frame[["network", "dataset"]].drop_duplicates().sort_values(["network", "dataset"])
        return listed([f"{network} on {dataset}" for network, dataset in pairs.itertuples(index=False)])
    networks = listed(distinct_names(frame, "network"))
    return f"{networks}, data set not recorded" if datasets == ["not recorded"] else f"{networks} on {datasets[0]}"


def mixture_notes(loaded: LoadedRuns) -> list[str]:
    """Return a note where the subnetworks of several networks are one sample."""
    from prunestats.results.pooling import distinct_names

    n = len(distinct_names(loaded.frame, "network"))
    if n == 1:
        return []
    return [f"Each population is a mixture of {n} networks, and none of them alone: choose one with --original."]


def original_notes(loaded: LoadedRuns) -> list[str]:
    """Return the network, data set and training seed of every original, for tables that name originals by key."""
    import pandas as pd

    columns = ["original", "network", "dataset", "original_seed"]
    rows = loaded.frame[columns].drop_duplicates().sort_values(columns)
    return [
        f"Original {key}: {network} on {dataset}" + (f", seed {seed}" if pd.notna(seed) else "") + "."
        for key, network, dataset, seed in rows.itertuples(index=False)
    ]


def print_sentence(sentence: str, form: str) -> None:
    """Print a sentence above a table; CSV and JSON, which programs read, go without."""
    if form == "table":
        say(sentence)
