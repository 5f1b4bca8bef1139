"""Where assets lie, also where they are still the bytes that came. Pure."""

from collections.abc import Iterator, Mapping

import msgspec

_ASSET = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


def hrefs_of(assets: object) -> Iterator[object]:
    """The `href` of each asset.

    Args:
        assets: By key, as a site gives them; each, or what it holds, may be bytes of JSON. Whatever has no
            `href` that can be read is passed over.
    """
    for asset in assets.values() if isinstance(assets, Mapping) else ():
        try:
            told = _ASSET.decode(asset) if isinstance(asset, msgspec.Raw) else asset
            href = told.get("href") if isinstance(told, Mapping) else None
            yield _TEXT.decode(href) if isinstance(href, msgspec.Raw) else href
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
