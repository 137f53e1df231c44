"""Objects of the user's own modules, imported by ``module:name``."""

from __future__ import annotations

import difflib
from importlib import import_module, invalidate_caches
from typing import Any

import torch

from prunestats.errors import InputError
from prunestats.runners.user_code.user_errors import locating, where

# Any constant: weights that a module draws while it is imported are then the same in every process.
_IMPORT_SEED = 0


def imported(name: str, what: str, form: str) -> Any:
    """The object of a module that a study file names.

    Parameters
    ----------
    name : str
        ``"module:name"``.
    what : str
        What is named, as it begins a message, such as ``"network"``.
    form : str
        The form that is expected, with an example; it ends a message.

    Raises
    ------
    InputError
        If the name has another form, the module cannot be imported, or it holds no such object.

    Notes
    -----
    Modules are found in the current folder, beside the study file, or on ``PYTHONPATH``. The state of torch's generator
    is restored, whatever the module draws while it is imported.

    Examples
    --------
    >>> imported("math:tau", "number", "MODULE:NAME")
    6.283185307179586
    """
    module, _, attribute = name.partition(":")
    if not attribute.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise InputError(f"{what} {name!r} must be {form}")
    # written a moment ago, as in a notebook, a module may be missing from the cached listing of its folder
    invalidate_caches()
    with torch.random.fork_rng(devices=[]), locating(f"importing {what} {name!r}"):
        torch.manual_seed(_IMPORT_SEED)
        try:
            found = import_module(module)
        except ImportError as error:
            file = f"{module.partition('.')[0]}.py"
            reason = where(error) or f"expected {file} in this folder, beside the study file or on PYTHONPATH"
            raise InputError(f"{what} {name!r} cannot be imported ({error}): {reason}") from error
    if not hasattr(found, attribute):
        raise InputError(
            f"{what} {name!r} cannot be imported: expected {attribute!r} in {_file(found)}"
            f"{_suggestion(attribute, found)}"
        )
    return getattr(found, attribute)


def _file(module: Any) -> str:
    return getattr(module, "__file__", None) or f"module {module.__name__!r}"


def _suggestion(attribute: str, module: Any) -> str:
    near = difflib.get_close_matches(attribute, vars(module), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
