"""EODAG itself, which is synchronous and slow to import: only ever used in a thread of its own.

Its files are kept in a folder that is handed in; its list of what providers offer is the one it was
installed with, so that nothing is fetched but a provider's own answers.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from eodag.api.core import EODataAccessGateway
from eodag.config import RESOURCES_DIR, EODAGSettings
from eodag.utils.exceptions import TimeOutError
from shapely.geometry import mapping

from cscale.discovery.eodag.translation import CLOUDS, Offer
from cscale.errors import SiteError, SiteTimeout

PATIENCE = 30
"""Seconds after which EODAG gives a provider up: a thread is not held for longer."""
_LONGEST = 500  # items a page, of providers that do not say


class Page(NamedTuple):
    """What a provider answered.

    Attributes:
        products: Each as EODAG's GeoJSON, and where the whole product is; None for one that is none.
        token: What leads to the next page; None on the last.
        key: What EODAG calls that token.
        matched: How many match in all, where it says so.
    """

    products: Sequence[tuple[Mapping[str, Any], str] | None]
    token: str | None
    key: str | None
    matched: int | None


class _Searching(EODataAccessGateway):
    """EODAG that only searches.

    It makes each product that it finds ready to be downloaded, and for that asks the service where its
    provider's users log in; so it is not told of logins that a search does not need.
    """

    def __init__(self, settings: EODAGSettings) -> None:
        super().__init__(settings=settings)
        for provider in self._providers.values():
            if not getattr(provider.search_config, "need_auth", False):
                for login in ("auth", "download_auth"):
                    vars(provider.config).pop(login, None)


class Gateway:
    """EODAG for one provider; for one thread.

    Args:
        provider: EODAG's name of it.
        settings: An EODAG configuration file that adds or changes providers; None for none.
        folder: Where EODAG keeps its files; None for one that goes with it.

    Raises:
        SiteError: If EODAG does not know the provider, or cannot use it without a login.
    """

    def __init__(self, provider: str, settings: Path | None, folder: Path | None) -> None:
        logging.getLogger("eodag").setLevel(logging.CRITICAL)  # what fails is told by a `SiteError`
        self._provider = provider
        if settings is not None and not settings.is_file():
            raise SiteError(f"{settings}: there is no such EODAG configuration file")
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="cscale-eodag-")
            folder = Path(self._temporary.name)
        with _as_site_error(provider):
            folder.mkdir(parents=True, exist_ok=True)
            self._eodag = _Searching(
                settings=EODAGSettings(
                    cfg_dir=folder,
                    cfg_file=settings or _file(folder / "none.yml", "{}\n"),
                    locations_cfg_file=_file(folder / "locations.yml", "shapefiles: []\n"),
                    ext_collections_cfg_uri=str(RESOURCES_DIR / "ext_collections.json"),
                    providers_whitelist=[provider],
                )
            )
            known = self._eodag.providers
            if provider not in known:
                raise SiteError(
                    f"EODAG has no provider {provider!r} that can be searched without a login; "
                    "name one that it knows, or add it in an EODAG configuration file"
                )
            how: Any = known[provider].search_config
            changes: dict[str, Any] = {}
            if getattr(how, "timeout", None) is None or how.timeout > PATIENCE:
                changes["search"] = {"timeout": PATIENCE}
            if not any(hasattr(known[provider].config, each) for each in ("download", "api")):
                changes["download"] = {
                    "type": "HTTPDownload"
                }  # EODAG wants to know, also of who only searches
            if changes and not hasattr(known[provider].config, "api"):
                self._eodag.update_providers_config(dict_conf={provider: changes})
            self.offer = _offer(how)
            paging = getattr(how, "pagination", None) or {}
            self._first = int(paging.get("start_page", 1))
        self._collections: dict[str, dict[str, Any]] | None = None

    def collections(self) -> Mapping[str, dict[str, Any]]:
        """The provider's collections by EODAG's id; asked for once.

        Raises:
            SiteError: If there are none.
        """
        if self._collections is None:
            with _as_site_error(self._provider):
                told = self._eodag.list_collections(self._provider)
                found = {each.id: each.model_dump(mode="json") for each in told}
            if not found:  # a failure to ask for them is only written to EODAG's log
                raise SiteError(f"{self._provider}: EODAG cannot tell which collections it has")
            self._collections = found
        return self._collections

    def page(
        self,
        collection: str,
        limit: int,
        place: tuple[str | None, str | None],
        arguments: Mapping[str, Any],
    ) -> Page:
        """One page.

        Args:
            collection: EODAG's id of it.
            limit: How many items.
            place: Token and its key, of the page before; None and None for the first.
            arguments: See `translation.arguments`.
        """
        token, key = place
        further: dict[str, Any] = (
            {} if token is None else {"next_page_token": token, "next_page_token_key": key}
        )
        with _as_site_error(self._provider):
            found: Any = self._eodag.search(
                provider=self._provider,
                collection=collection,
                limit=limit,
                raise_errors=True,
                validate=False,  # it would ask the provider what it understands, each time
                **arguments,
                **further,
            )
            products = [_product(each) for each in found]
            told = getattr(found, "next_page_token", None)
            key = getattr(found, "next_page_token_key", None) or key
        following = None if told is None else str(told)
        if following is None and found:
            following = self._after_short_page(token, key, len(found))
        return Page(products, following, key, found.number_matched)

    def _after_short_page(self, token: str | None, key: str | None, count: int) -> str | None:
        """The next page after one that is shorter than was asked for: EODAG takes it for the last one.

        A site may cap its pages, so the next one is asked for where it has a number; an empty one ends it.
        """
        kind = (key or "").lstrip("$")
        if kind not in ("page", "skip"):
            return None
        try:
            if kind == "page":
                return str((self._first if token is None else int(token)) + 1)
            return str((0 if token is None else int(token)) + count)
        except ValueError:
            return None


def _file(path: Path, content: str) -> Path:
    if not path.exists():
        path.write_text(content)
    return path


def _offer(how: Any) -> Offer:
    sorting = getattr(how, "sort", None) or {}
    mapping = getattr(how, "metadata_mapping", None) or {}
    longest = (getattr(how, "pagination", None) or {}).get("max_limit")
    return Offer(
        sorts="start_datetime" in (sorting.get("sort_param_mapping") or {}),
        clouds=isinstance(mapping.get(CLOUDS), list),
        longest=longest if isinstance(longest, int) and 0 < longest <= 1000 else _LONGEST,
    )


def _product(product: Any) -> tuple[Mapping[str, Any], str] | None:
    """A product as GeoJSON; EODAG's own way to it takes 25 ms a product, since it builds a model for each."""
    try:
        told = {
            "id": product.properties.get("id"),
            "properties": {name: value for name, value in product.properties.items() if name != "id"},
            "geometry": mapping(product.geometry),
            "bbox": list(product.geometry.bounds),
            "assets": product.assets.as_dict(),
            "links": product.links,
        }
        return told, str(product.remote_location or "")
    except Exception:  # noqa: BLE001  # whatever it trips over is in the provider's record
        return None


@contextmanager
def _as_site_error(provider: str) -> Iterator[None]:
    """Whatever EODAG or its plugins raise is the provider's failure."""
    try:
        yield
    except SiteError:
        raise
    except TimeOutError as error:
        raise SiteTimeout(f"{provider}: it did not answer EODAG in time") from error
    except Exception as error:
        said = " ".join(": ".join(str(part) for part in error.args).split())
        raise SiteError(f"{provider}: {type(error).__name__} in EODAG: {said}"[:300]) from error
