"""What `/conformance` claims: no more than is offered."""

_STAC = "https://api.stacspec.org/v1.0.0"
_STAC_RC1 = "https://api.stacspec.org/v1.0.0-rc.1"
_OGC = "http://www.opengis.net/spec"
_CQL2 = f"{_OGC}/cql2/1.0/conf"
_ITEMS = ("item-search", "ogcapi-features")

CONFORMANCE = (
    f"{_STAC}/core",
    f"{_STAC}/collections",
    f"{_STAC}/ogcapi-features",
    f"{_STAC}/item-search",
    *(f"{_STAC}/{part}#{what}" for part in _ITEMS for what in ("sort", "fields")),
    f"{_STAC}/item-search#filter",
    *(f"{_STAC_RC1}/{part}#{what}" for part in _ITEMS for what in ("query", "free-text")),
    f"{_STAC_RC1}/collection-search",
    *(f"{_STAC_RC1}/collection-search#{what}" for what in ("free-text", "fields", "sort")),
    "https://api.stacspec.org/v1.1.0/collection-search#sort",
    f"{_OGC}/ogcapi-common-2/1.0/conf/simple-query",
    f"{_OGC}/ogcapi-features-1/1.0/conf/core",
    f"{_OGC}/ogcapi-features-1/1.0/conf/oas30",
    f"{_OGC}/ogcapi-features-1/1.0/conf/geojson",
    f"{_OGC}/ogcapi-features-1/1.0/conf/html",
    f"{_OGC}/ogcapi-features-3/1.0/conf/filter",
    f"{_OGC}/ogcapi-features-3/1.0/conf/features-filter",
    f"{_CQL2}/cql2-text",
    f"{_CQL2}/cql2-json",
    f"{_CQL2}/basic-cql2",
    f"{_CQL2}/advanced-comparison-operators",
    f"{_CQL2}/case-insensitive-comparison",
    f"{_CQL2}/accent-insensitive-comparison",
    f"{_CQL2}/basic-spatial-functions",
    f"{_CQL2}/spatial-functions",
    f"{_CQL2}/temporal-functions",
    f"{_CQL2}/array-functions",
    f"{_CQL2}/property-property",
    f"{_CQL2}/arithmetic",
)
"""What every source conforms to."""
AGGREGATION = tuple(
    f"https://api.stacspec.org/v0.3.0/aggregation{what}" for what in ("", "#query", "#filter")
)
"""What a source that counts conforms to, too."""
TRANSACTION = (
    f"{_STAC}/ogcapi-features/extensions/transaction",
    f"{_STAC}/collections/extensions/transaction",
    f"{_OGC}/ogcapi-features-4/1.0/conf/simpletx",
)
"""What a source that can be changed conforms to, too."""


def claims(*, aggregates: bool, transactions: bool) -> tuple[str, ...]:
    """What is conformed to by a source that counts, or can be changed, or not."""
    return CONFORMANCE + AGGREGATION * aggregates + TRANSACTION * transactions
