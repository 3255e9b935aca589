"""What a data set's coefficients are like."""

from .statistics import Moments, collect, statistics_of

__all__ = ["Moments", "collect", "statistics_of"]
