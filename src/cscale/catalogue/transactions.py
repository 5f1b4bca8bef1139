"""Changes of a catalogue that come through the web: `Transactions` over any `Store`."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from cscale.catalogue.bodies import DATA
from cscale.catalogue.store import Store, Writer
from cscale.errors import NotFound
from cscale.identity import Caller
from cscale.stac.items import Collection, read_body
from cscale.stac.source import ItemSource
from cscale.stac.transaction import Change

T = TypeVar("T")

_PATIENCE = 10.0


class StoreTransactions:
    """Changes a catalogue, one transaction a request.

    What is there is read while nobody else may write, so a change is made of what it has seen.

    Args:
        store: The catalogue's database.
        source: The same catalogue, open for searches.
        data_url: The address under which the site serves its files.
    """

    def __init__(self, store: Store, source: ItemSource, *, data_url: str) -> None:
        self._store = store
        self._source = source
        self._data_url = data_url.rstrip("/")

    async def change_items(self, caller: Caller, collection_id: str, changes: Mapping[str, Change]) -> None:
        """See `Transactions.change_items`."""

        def work(writer: Writer, read: "_Read") -> None:
            if collection_id not in set(writer.collections()):
                raise NotFound(f"no collection {collection_id!r} here; /collections lists them")
            for item_id, change in changes.items():
                held = read(self._source.item(caller, collection_id, item_id))
                new = change(read_body(held.body) if held else None)
                if new is not None:
                    writer.put(_at_rest(new, f"{self._data_url}/"))
                elif held:
                    writer.remove(collection_id, item_id)

        await self._write(work)

    async def change_collection(self, caller: Caller, collection_id: str, change: Change) -> None:
        """See `Transactions.change_collection`."""

        def work(writer: Writer, read: "_Read") -> None:
            held: Collection | None = read(self._source.collection(caller, collection_id))
            new = change(held)
            if new is not None:
                writer.put_collection(new)
            elif held is not None:
                writer.remove_collection(collection_id)

        await self._write(work)

    async def _write(self, work: Callable[[Writer, "_Read"], None]) -> None:
        loop = asyncio.get_running_loop()

        def read(asked: Coroutine[Any, Any, T]) -> T | None:
            try:
                return asyncio.run_coroutine_threadsafe(asked, loop).result()
            except NotFound:
                return None

        def write() -> None:
            with self._store.writing(_PATIENCE) as writer:
                work(writer, read)

        await asyncio.to_thread(write)


_Read = Callable[[Coroutine[Any, Any, Any]], Any]


def _at_rest(value: Any, served: str) -> Any:
    """An item with the addresses of the site's own files as they are kept, whatever its address will be."""
    if isinstance(value, dict):
        return {
            name: _href(each, served) if name == "href" else _at_rest(each, served)
            for name, each in value.items()
        }
    return [_at_rest(each, served) for each in value] if isinstance(value, list) else value


def _href(value: Any, served: str) -> Any:
    if isinstance(value, str) and value.startswith(served):
        return f"{DATA}/{value.removeprefix(served)}"
    return value
