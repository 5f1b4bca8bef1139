"""Conformance kits, for us and for whoever writes another adapter. They need pytest and Hypothesis.

Public face: `items.ItemSourceTests`, which any `ItemSource` passes; `aggregates.AggregatesTests`, which any
`Aggregates` passes; `archives.items` and
`searches.requests`, the Hypothesis strategies it draws from.
"""

import pytest

pytest.register_assert_rewrite("cscale.testing.items", "cscale.testing.aggregates")  # failures show both
