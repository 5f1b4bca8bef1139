"""The words of `cscale search`."""

import pytest

from cscale.cli.search import whole_days


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("2020-06-01", "2020-06-01T00:00:00Z/2020-06-01T23:59:59.999999Z"),
        ("2020-06-01/2020-06-30", "2020-06-01T00:00:00Z/2020-06-30T23:59:59.999999Z"),
        ("2020-06-01/..", "2020-06-01T00:00:00Z/.."),
        ("../2020-06-01", "../2020-06-01T23:59:59.999999Z"),
        ("2020-06-01T10:00:00Z", "2020-06-01T10:00:00Z"),
        ("2020-06-01T10:00:00Z/2020-06-02", "2020-06-01T10:00:00Z/2020-06-02T23:59:59.999999Z"),
    ],
)
def test_days_are_whole_days(asked: str, meant: str) -> None:
    assert whole_days(asked) == meant
