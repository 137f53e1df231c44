"""Bucket sizes compared as predictors of error or of a study's own metric, by cross-validation."""

from prunestats.bucket_size.comparison import compare_buckets
from prunestats.bucket_size.scores import BucketComparison

__all__ = ["BucketComparison", "compare_buckets"]
