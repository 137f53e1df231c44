"""Words for the shape of a mean response, by the direction of its metric."""

from __future__ import annotations

from dataclasses import dataclass

from prunestats.metric import ERROR, Metric


@dataclass(frozen=True)
class ShapeWords:
    """Words for an optimum: a minimum in a U where lower values are better, a maximum in an inverted U elsewhere.

    Fits and tests minimise, so that they are those of the negated response where higher values are better; `slope` and
    `value` turn their numbers back.

    Parameters
    ----------
    metric : Metric

    Examples
    --------
    >>> words = ShapeWords(Metric("psnr", "maximize", "dB"))
    >>> words.name, words.falls, words.best, words.u, words.slope(-2.0)
    ('the psnr', 'rises', 'maximum', 'inverted U', '2')
    """

    metric: Metric = ERROR

    @property
    def name(self) -> str:
        """The response."""
        return f"the {self.metric.label}"

    @property
    def falls(self) -> str:
        """What the response does where it gets better."""
        return self._either("falls", "rises")

    @property
    def rises(self) -> str:
        """What the response does where it gets worse."""
        return self._either("rises", "falls")

    @property
    def best(self) -> str:
        """The extreme that is the optimum."""
        return self._either("minimum", "maximum")

    @property
    def several_best(self) -> str:
        """Plural of `best`."""
        return self._either("minima", "maxima")

    @property
    def worst(self) -> str:
        """The opposite extreme."""
        return self._either("maximum", "minimum")

    @property
    def u(self) -> str:
        """The shape around an optimum."""
        return self._either("U", "inverted U")

    @property
    def a_u(self) -> str:
        """`u` with its article."""
        return self._either("a U", "an inverted U")

    @property
    def an_inverted_u(self) -> str:
        """The shape without an optimum inside, with its article."""
        return self._either("an inverted U", "a U")

    @property
    def basins(self) -> str:
        """Separate regions that may hold the optimum."""
        return self._either("basins", "peaks")

    def slope(self, value: float) -> str:
        """A slope of the response, from that of a fit."""
        return f"{self.value(value):.3g}"

    def value(self, value: float) -> float:
        """A value of the response, from that of a fit."""
        # adding 0 makes a negated 0 positive, which is printed without a sign
        return self.metric.sign * value + 0.0

    def _either(self, minimised: str, maximised: str) -> str:
        return minimised if self.metric.sign > 0 else maximised
