"""Aggregation: how many items match, when and where they lie, and which values they have.

Public face: `AggregateRequest`, `AggregationCollection`; `evaluation.aggregate` is their plain meaning.
"""

from cscale.stac.aggregation.words import AggregateRequest, Aggregation, AggregationCollection, Bucket

__all__ = ["AggregateRequest", "Aggregation", "AggregationCollection", "Bucket"]
