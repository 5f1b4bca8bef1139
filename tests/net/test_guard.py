"""Which addresses may be reached: by names that change theirs, by every way to write one, by redirects."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from cscale.errors import SiteError, SiteUnreachable
from cscale.net.calling import SiteHttp
from cscale.net.guard import Guard, standing
from cscale.net.http import HttpPool
from tests.ports import free_port
from tests.scripted import Request, answer, scripted


class Names(AbstractResolver):
    """A service of names that gives each time the next of its answers."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for each in addresses
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def pool(guard: Guard) -> AsyncIterator[HttpPool]:
    http = HttpPool(guard)
    try:
        yield http
    finally:
        await http.close()


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("8.8.8.8", "public"),
        ("2a00:1450::1", "public"),
        ("::ffff:8.8.8.8", "public"),
        ("64:ff9b::8.8.8.8", "public"),
        ("127.0.0.1", "private"),
        ("127.255.0.3", "private"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "private"),
        ("::1", "private"),
        ("fd00::1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:7f00:1", "private"),
        ("64:ff9b::7f00:1", "private"),
        ("0.0.0.0", "special"),
        ("0.1.2.3", "special"),
        ("169.254.169.254", "special"),
        ("::ffff:169.254.169.254", "special"),
        ("64:ff9b::169.254.169.254", "special"),
        ("64:ff9b:1::1", "special"),
        ("fe80::1", "special"),
        ("fe80::1%lo", "special"),
        ("2a00:1450::1%lo", "special"),
        ("224.0.0.1", "special"),
        ("255.255.255.255", "special"),
        ("ff02::1", "special"),
        ("::", "special"),
        ("::127.0.0.1", "special"),
        ("2002:7f00:1::", "special"),
        ("2001:0:4136:e378::", "special"),
        ("2001:db8::1", "special"),
    ],
)
def test_each_range_is_told(address: str, what: str) -> None:
    assert standing(address) == what


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_public_that_the_standard_library_knows_to_be_otherwise(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    held = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    if standing(str(ip)) == "public" and held is None and ip not in ipaddress.ip_network("64:ff9b::/96"):
        assert ip.is_global
        assert not ip.is_multicast
        assert not ip.is_reserved


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_the_same_one(ip: ipaddress.IPv4Address) -> None:
    assert standing(f"::ffff:{ip}") == standing(f"64:ff9b::{ip}") == standing(str(ip))


async def test_what_the_operator_names_is_reached_and_its_other_ports_are_not() -> None:
    async with (
        scripted(lambda _: answer({})) as named,
        scripted(lambda _: answer({})) as other,
        pool(Guard([f"{named.url}/stac"])) as http,
    ):
        assert (await http.request("GET", f"{named.url}/x")).status == 200
        with pytest.raises(SiteError, match="no endpoint in the configuration names its host and port"):
            await http.request("GET", other.url)
    assert other.asked == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
        "localhost",
        "LOCALHOST.",
        "127。0。0。1",  # dots of another alphabet, which become ours
        "①②⑦.0.0.1",
    ],
)
async def test_no_way_to_write_an_address_leads_past_the_guard(host: str) -> None:
    async with scripted(lambda _: answer({})) as server:
        port = server.url.rpartition(":")[2]
        async with pool(Guard(["https://archive.example"])) as http:
            with pytest.raises(SiteError):
                await http.request("GET", f"http://{host}:{port}/")
    assert server.asked == []


async def test_without_a_guard_everything_is_reached() -> None:
    async with scripted(lambda _: answer({})) as server:
        http = HttpPool()
        assert (await http.request("GET", server.url.replace("127.0.0.1", "localhost"))).status == 200
        await http.close()


async def test_a_name_that_stands_for_a_private_address_is_refused_unless_it_is_named() -> None:
    async with scripted(lambda _: answer({})) as server:
        url = server.url.replace("127.0.0.1", "archive.example")
        async with pool(Guard(["https://other.example"], Names(["127.0.0.1"]))) as http:
            with pytest.raises(SiteError, match="its address is private") as refused:
                await http.request("GET", url)
            assert not isinstance(refused.value, SiteUnreachable)  # asking again does not help
        assert server.asked == []
        async with pool(Guard([url.upper()], Names(["127.0.0.1"]))) as http:
            assert (await http.request("GET", url)).status == 200


async def test_a_name_bound_anew_after_it_was_looked_at_leads_nowhere() -> None:
    async with scripted(lambda _: answer({})) as server:
        names = Names(["203.0.114.7"], ["127.0.0.1"])  # public at first sight, then this machine
        url = server.url.replace("127.0.0.1", "rebound.example")
        guard = Guard(resolver=names)
        async with pool(guard) as http:
            with pytest.raises(SiteUnreachable, match="no connection"):  # tests reach nothing outside
                await http.request("GET", url)
        assert names.asked == 1  # what was looked at is what was dialled
        async with pool(guard) as http:
            with pytest.raises(SiteError, match="its address is private"):
                await http.request("GET", url)
    assert server.asked == []


async def test_of_several_addresses_only_those_that_may_be_are_dialled() -> None:
    async with scripted(lambda _: answer({})) as server:
        url = server.url.replace("127.0.0.1", "archive.example")
        async with pool(Guard([url], Names(["169.254.169.254", "127.0.0.1", "224.0.0.1"]))) as http:
            assert (await http.request("GET", url)).status == 200


async def test_a_named_name_does_not_open_the_clouds_metadata() -> None:
    url = f"http://archive.example:{free_port()}/"
    async with pool(Guard([url], Names(["169.254.169.254"]))) as http:
        with pytest.raises(SiteError, match="its address is special"):
            await http.request("GET", url)


async def test_an_address_is_checked_once_more_where_it_is_dialled() -> None:
    guard = Guard(["http://127.0.0.1:8000/"])
    guard.socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 8000))).close()
    for address, port in [("127.0.0.1", 8001), ("127.0.0.2", 8000), ("10.0.0.1", 8000)]:
        with pytest.raises(OSError, match="private"):
            guard.socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port)))


async def test_a_redirect_goes_through_the_guard_as_well() -> None:
    async with scripted(lambda _: answer({"secret": 1})) as inner:

        def respond(_: Request) -> bytes:
            return answer(b"", 302, location=f"{inner.url}/latest/meta-data")

        async with scripted(respond) as member, pool(Guard([member.url])) as http:
            site = SiteHttp(http, "alpha", [member.url])
            with pytest.raises(SiteError, match="its address is private"):
                await site.request("GET", f"{member.url}/search")
        assert len(member.asked) == 1
    assert inner.asked == []


async def test_files_are_guarded_too() -> None:
    async with scripted(lambda _: answer(b"x")) as server, pool(Guard()) as http:
        with pytest.raises(SiteError, match="its address is private"):
            async with http.stream(f"{server.url}/file"):
                raise AssertionError("opened")
    assert server.asked == []


async def test_a_guard_serves_many_requests_at_once() -> None:
    async with scripted(lambda _: answer({})) as server:
        url = server.url.replace("127.0.0.1", "archive.example")
        async with pool(Guard([url], Names(["127.0.0.1"]))) as http:
            answers = await asyncio.gather(*(http.request("GET", f"{url}/{each}") for each in range(30)))
    assert {each.status for each in answers} == {200}
