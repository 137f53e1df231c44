"""A table of a study file, whose content identifies studies, originals and runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class StudyTable(BaseModel):
    """A table of a study file.

    Keys in `later_keys` were added after studies had been stored. At their defaults they are omitted from the content
    by which studies, originals and runs are identified, so that earlier results are found again. Therefore these
    defaults must never change.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    later_keys: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if key not in self.omitted_keys}

    @property
    def omitted_keys(self) -> frozenset[str]:
        """Keys that are omitted from the content that identifies the table."""
        return frozenset(key for key in self.later_keys if not self.changes(key))

    def changes(self, key: str) -> bool:
        """Whether the value of a key differs from its default."""
        return bool(getattr(self, key) != type(self).model_fields[key].default)

    def refuse(self, keys: Iterable[str], reason: str) -> None:
        """Refuse keys whose value differs from the default, as they have no effect beside the other keys."""
        for key in keys:
            if self.changes(key):
                raise ValueError(f"{key} = {getattr(self, key)!r} makes no sense {reason}")
