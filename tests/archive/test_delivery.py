"""Delivery under policy, over real sockets: who is given what, how much, and what is noted of it."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from cscale.accounting import api as accounting_api
from cscale.accounting.ledger import Ledger, Use
from cscale.accounting.licences import Licences
from cscale.accounting.pseudonyms import Pseudonyms
from cscale.accounting.quotas import QuotaCounter
from cscale.accounting.recorder import Recorder
from cscale.archive.api import FirstHand, routes
from cscale.archive.delivery import Books, Delivery
from cscale.archive.folders import Folders
from cscale.archive.holdings import Holdings
from cscale.catalogue import SqliteStore
from cscale.catalogue.bodies import DATA
from cscale.catalogue.holdings import SqliteHoldings
from cscale.catalogue.holdings.postgresql import PostgresHoldings
from cscale.catalogue.postgresql import PostgresStore
from cscale.errors import CscaleError
from cscale.federation.policies import Policies, Policy
from cscale.identity import ANONYMOUS, Caller
from cscale.net.responses import error_response
from cscale.testing import archives
from tests.federated import Got, ask
from tests.postgres import fresh, postgres_server
from tests.serving import Served, serving

__all__ = ["postgres_server"]

URN = "urn:mace:egi.eu:group:cscale"
TERMS = {"id": "X-1", "url": "https://example.org/terms", "accept": True}
POLICIES: dict[str, Any] = {
    "open": {"data": {"access": "open"}},
    "login": {"data": {"access": "authenticated"}},
    "group": {"data": {"access": "entitled", "entitlements": [URN]}},
    "terms": {"data": {"access": "open", "licence": TERMS}},
    "hidden": {"metadata": "authenticated", "data": {"access": "authenticated"}},
    "slow": {"data": {"access": "open"}, "quotas": {"requests_per_second": 0.01}},
    "few": {"data": {"access": "open"}, "quotas": {"concurrent": 1}},
    "small": {"data": {"access": "open"}, "quotas": {"bytes_per_day": 150_000}},
}
CALLERS = {
    "ada": Caller(subject="ada", entitlements=frozenset({f"{URN}:readers#aai.egi.eu"})),
    "bob": Caller(subject="bob", entitlements=frozenset({"urn:mace:egi.eu:group:other"})),
    "path": Caller(subject="path", scopes=frozenset({"storage.read:/scenes/login"})),
}
SIZE = 100_000


class Named:
    """Lets requests say who sends them, as `Authenticated` does for those with tokens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(scope.get("headers", []))
        scope["cscale.caller"] = CALLERS.get(sent.get(b"authorization", b"").decode(), ANONYMOUS)
        await self._app(scope, receive, send)


def app(folder: str, policies: str, state: str = "") -> ASGIApp:
    """A site's delivery, wired as a site is."""
    place = state or Path(folder) / "state"
    data_url = "https://example.org/data"
    holdings: Holdings
    if isinstance(place, Path):
        holdings = SqliteHoldings(place, data_url)
    else:
        holdings = PostgresHoldings(place, data_url)
    folders = Folders({"scenes": Path(folder) / "data", "again": Path(folder) / "data" / "inner"})
    of = Policies({name: Policy.model_validate(told) for name, told in json.loads(policies).items()})
    ledger, quotas, pseudonyms = Ledger(place, "alpha"), QuotaCounter(), Pseudonyms(b"secret")
    licences = Licences(ledger, frozenset(each.data.terms.id for each in of if each.data.terms))
    recorder = Recorder(ledger, lambda path: delivery.collection_of(path), quotas, every=0.05)
    delivery = Delivery(folders, of, holdings, Books(recorder, quotas, licences, pseudonyms))
    handlers: Any = {CscaleError: error_response}
    plain = Starlette(
        routes=[
            Mount("/data", routes=routes(folders, delivery)),
            *accounting_api.routes(licences, pseudonyms),
        ],
        exception_handlers=handlers,
    )
    return FirstHand(Named(plain), folders, delivery=delivery)


class Site:
    """The files and items of a site, and its delivery under way."""

    def __init__(self, folder: Path, served: Served, ledger: Ledger) -> None:
        self.folder = folder
        self._served = served
        self.ledger = ledger

    def get(self, path: str, who: str = "", method: str = "GET", **headers: str) -> Got:
        if who:
            headers["authorization"] = who
        return ask(f"{self._served.url}/data/{path}", method, **headers)

    def post(self, path: str, body: object, who: str = "", **headers: str) -> Got:
        if who:
            headers["authorization"] = who
        return ask(f"{self._served.url}{path}", "POST", body, **headers)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._served.port

    def noted(self, requests: int) -> list[Use]:
        """The records, once there are some of so many requests."""
        for _ in range(600):
            found = self.ledger.records()
            if sum(each.requests for each in found) >= requests:
                return found
            time.sleep(0.02)
        raise AssertionError(f"so few are noted: {found}")


def fill(folder: Path, collections: Any, state: str = "") -> None:
    """A file and an item for each collection, and files that no item names."""
    data = folder / "data"
    (data / "inner").mkdir(parents=True)
    store = PostgresStore(state) if state else SqliteStore(folder / "state")
    with store.writing() as writer:
        for name in collections:
            (data / name).mkdir()
            (data / name / "a.tif").write_bytes(b"x" * SIZE)
            (data / name / "unnamed.txt").write_text("not an asset")
            (data / name / "cube.zarr").mkdir()
            (data / name / "cube.zarr" / ".zarray").write_text("{}")
            assets = {
                "data": {"href": f"{DATA}/scenes/{name}/a.tif"},
                "cube": {"href": f"{DATA}/scenes/{name}/cube.zarr/"},
            }
            writer.put(archives.plain_item(id="i", collection=name, assets=assets))
    (data / "loose.txt").write_text("beside all")
    (data / "inner" / "new.tif").write_bytes(b"not ingested")
    if (data / "open").exists():
        (data / "open" / "link.tif").symlink_to("../group/a.tif")


@contextmanager
def site(folder: Path, policies: dict[str, Any] = POLICIES, state: str = "") -> Iterator[Site]:
    fill(folder, [name for name in policies if name != "default"] or ["open"], state)
    with serving(app, str(folder), json.dumps(policies), state) as served:
        ledger = Ledger(state or folder / "state", "alpha")
        yield Site(folder, served, ledger)
        ledger.close()


@pytest.fixture(scope="module")
def alpha(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("alpha")) as running:
        yield running


WHO = ("", "ada", "bob", "path")
STATUSES = {
    "open/a.tif": (200, 200, 200, 200),
    "login/a.tif": (401, 200, 200, 200),
    "group/a.tif": (401, 200, 403, 403),
    "terms/a.tif": (401, 403, 403, 403),
    "hidden/a.tif": (404, 200, 200, 403),
    "open/cube.zarr/.zarray": (200, 200, 200, 200),
    "group/cube.zarr/.zarray": (401, 200, 403, 403),
    "open/unnamed.txt": (200, 200, 200, 200),
    "group/unnamed.txt": (401, 200, 403, 403),
    "hidden/unnamed.txt": (404, 200, 200, 403),
    "group/none.tif": (401, 404, 403, 403),
    "open/none.tif": (404, 404, 404, 404),
    "open/link.tif": (401, 200, 403, 403),
}


@pytest.mark.parametrize("path", STATUSES)
def test_each_is_given_what_the_policy_says(alpha: Site, path: str) -> None:
    for who, status in zip(WHO, STATUSES[path], strict=True):
        for headers in ({}, {"range": "bytes=0-1"}):
            for _ in range(2):  # as the routes answer, and as what is quicker does
                got = alpha.get(f"scenes/{path}", who, **headers)
                assert got.status == (206 if headers and status == 200 else status), (who, got.body)
        assert alpha.get(f"scenes/{path}", who, "HEAD").status == status


def test_on_postgresql_as_on_sqlite(tmp_path: Path, postgres_server: str) -> None:
    with fresh(postgres_server) as url, site(tmp_path, state=url) as running:
        for path, statuses in STATUSES.items():
            assert tuple(running.get(f"scenes/{path}", who).status for who in WHO) == statuses, path
        assert {each.collection for each in running.noted(10)} >= {"open", "group"}


def test_a_refusal_says_why_and_what_to_do(alpha: Site) -> None:
    login, group, terms = (
        alpha.get("scenes/login/a.tif"),
        alpha.get("scenes/group/a.tif", "bob"),
        alpha.get("scenes/terms/a.tif", "ada"),
    )
    assert login.headers["www-authenticate"].startswith("Bearer")
    assert login.json["needs"] == "login"
    assert "cscale login" in login.json["description"]
    assert group.json["needs"] == "entitlement"
    assert URN in group.json["description"]
    assert terms.json["needs"] == "licence"
    assert TERMS["url"] in terms.json["description"]
    assert login.headers["access-control-allow-origin"] == "*"


def test_a_hidden_file_is_told_as_one_that_is_not_there(alpha: Site) -> None:
    hidden, absent = alpha.get("scenes/hidden/a.tif"), alpha.get("scenes/hidden/z.tif")
    other = alpha.get("scenes/open/z.tif")
    assert hidden.status == absent.status == other.status == 404
    assert hidden.json["description"].replace("hidden/a", "open/z") == other.json["description"]
    assert hidden.headers.keys() == other.headers.keys()


def test_a_file_beside_all_collections_is_for_those_who_may_read_all(alpha: Site) -> None:
    assert alpha.get("scenes/loose.txt").status in (401, 404)
    assert alpha.get("scenes/inner/new.tif", "bob").status == 403
    assert alpha.get("again/new.tif").status == 403, "no policy is declared for what is in no collection"


def test_what_is_not_declared_is_given_to_nobody(tmp_path: Path) -> None:
    with site(tmp_path, {}) as running:
        for who in WHO:
            assert running.get("scenes/open/a.tif", who).status == 403


def test_a_site_that_is_open_is_open_as_a_whole(tmp_path: Path) -> None:
    with site(tmp_path, {"default": {"data": {"access": "open"}}, "open": POLICIES["open"]}) as running:
        for path in ("scenes/open/a.tif", "scenes/loose.txt", "scenes/inner/new.tif", "again/new.tif"):
            assert running.get(path).status == 200
        assert running.get("scenes/none.tif").status == 404


def test_a_licence_is_accepted_once(alpha: Site) -> None:
    assert alpha.post("/licences/accepted", {"licence": "X-1"}).status == 401
    assert alpha.post("/licences/accepted", {"licence": "other"}, "bob").status == 400
    form = alpha.post("/licences/accepted", b"licence=X-1", "bob", content_type="text/plain")
    assert form.status == 400
    assert alpha.get("scenes/terms/a.tif", "bob").status == 403
    done = alpha.post("/licences/accepted", {"licence": "X-1"}, "bob")
    assert done.json == {"accepted": ["X-1"], "offered": ["X-1"]}
    assert alpha.get("scenes/terms/a.tif", "bob").status == 200
    assert alpha.get("scenes/terms/a.tif", "ada").status == 403


def test_every_access_is_noted_and_no_name(tmp_path: Path) -> None:
    with site(tmp_path) as running:
        for _ in range(30):
            assert running.get("scenes/open/a.tif", range="bytes=10-19").status == 206
        assert running.get("scenes/group/a.tif", "ada").status == 200
        assert running.get("scenes/group/a.tif", "ada", "HEAD").status == 200
        assert running.get("scenes/group/a.tif", "bob").status == 403
        assert running.get("scenes/open/unnamed.txt").status == 200
        noted = running.noted(33)
        sums: dict[Any, tuple[int, int]] = {}
        for each in noted:
            key = (bool(each.user), each.collection, each.path, each.status)
            requests, sent = sums.get(key, (0, 0))
            sums[key] = requests + each.requests, sent + each.bytes
        assert sums == {
            (False, "open", "scenes/open/a.tif", 206): (30, 300),
            (True, "group", "scenes/group/a.tif", 200): (2, SIZE),
            (False, "", "scenes/open/unnamed.txt", 200): (1, 12),
        }
        assert "ada" not in str(noted)
        assert sum(each.bytes for each in running.ledger.hours()) == 300 + SIZE + 12


def test_too_many_requests_are_refused_with_the_time_to_wait(alpha: Site) -> None:
    for who in ("", "ada"):
        assert alpha.get("scenes/slow/a.tif", who).status == 200
        got = alpha.get("scenes/slow/a.tif", who, range="bytes=0-1")
        assert got.status == 429
        assert 1 <= int(got.headers["retry-after"]) <= 100
        assert got.json["code"] == "QuotaExceeded"


def test_a_days_bytes_are_refused_once_they_are_used_up(alpha: Site) -> None:
    assert [alpha.get("scenes/small/a.tif", "bob").status for _ in range(3)] == [200, 200, 429]
    assert alpha.get("scenes/small/a.tif", "ada").status == 200


def test_an_answer_under_way_takes_its_place_until_it_ends_however_it_ends(tmp_path: Path) -> None:
    with site(tmp_path, {"few": POLICIES["few"]}) as running:
        (running.folder / "data" / "few" / "a.tif").write_bytes(b"x" * 64_000_000)
        with socket.create_connection(running.address) as reading:
            reading.sendall(b"GET /data/scenes/few/a.tif HTTP/1.1\r\nHost: x\r\n\r\n")
            assert reading.recv(100).startswith(b"HTTP/1.1 200")
            assert running.get("scenes/few/a.tif", range="bytes=0-1").status == 429
        for _ in range(600):  # the connection was closed in the midst
            if running.get("scenes/few/a.tif", range="bytes=0-1").status == 206:
                break
            time.sleep(0.02)
        else:
            raise AssertionError("its place was not given back")
        cut = [each for each in running.noted(2) if each.status == 200]
        assert 0 < cut[0].bytes < 64_000_000


def test_a_new_policy_of_a_file_holds_a_moment_after_its_item_is_put(tmp_path: Path) -> None:
    with site(tmp_path) as running:
        path = "scenes/open/a.tif"
        assert running.get(path, range="bytes=0-1").status == 206
        with SqliteStore(tmp_path / "state").writing() as writer:
            writer.remove("open", "i")
            assets = {"data": {"href": f"{DATA}/{path}"}}
            writer.put(archives.plain_item(id="i", collection="group", assets=assets))
        for _ in range(600):
            got = running.get(path, range="bytes=0-1")
            if got.status == 401:
                break
            assert got.status == 206
            time.sleep(0.02)
        else:
            raise AssertionError("it is still open")


def test_many_at_once_are_all_answered_and_counted(tmp_path: Path) -> None:
    with site(tmp_path) as running:
        wrong: list[int] = []

        def read(who: str) -> None:
            for _ in range(20):
                got = running.get("scenes/login/a.tif", who, range="bytes=0-99")
                if got.status != 206:
                    wrong.append(got.status)

        threads = [threading.Thread(target=read, args=[who]) for who in ("ada", "bob") * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        noted = running.noted(160)
        assert sum(each.bytes for each in noted) == 16_000
        assert len({each.user for each in noted}) == 2
