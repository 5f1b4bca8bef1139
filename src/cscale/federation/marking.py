"""What items and collections say of their policy: the authentication extension, and `federation:policy`.

Items are open bodies, and stay bytes: what is said is made once a policy and put in where it belongs.
Where that place is not certain, the item is parsed.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from cscale.federation.policies import Policies, Policy
from cscale.stac.items import Collection, OpenItem, open_body, read_body

AUTHENTICATION = "https://stac-extensions.github.io/authentication/v1.1.0/schema.json"
"""The authentication extension, v1.1.0: `auth:schemes` and `auth:refs`."""
POLICY = "federation:policy"
"""The member that tells the policy."""
SCHEMES, REFS = "auth:schemes", "auth:refs"
BEARER: Mapping[str, Any] = {"bearer": {"type": "http", "scheme": "bearer"}}
"""The scheme where no issuer is known: a token that was got somehow."""

_PROPERTIES, _EXTENSIONS, _LINKS = b'"properties":{', b'"stac_extensions":[', b'"links":['
_HREF = b'"href":"'


def open_id(urls: Mapping[str, str]) -> dict[str, Any]:
    """The authentication schemes of OpenID Connect issuers.

    Args:
        urls: The issuers' addresses by the name of the scheme.
    """
    return {
        name: {
            "type": "openIdConnect",
            "openIdConnectUrl": f"{url.rstrip('/')}/.well-known/openid-configuration",
        }
        for name, url in urls.items()
    }


def told(policy: Policy) -> dict[str, Any]:
    """A policy as `federation:policy` tells it: who may read the data, under which licence, for how long."""
    terms = policy.data.terms
    said: dict[str, Any] = {"data": policy.data.access}
    if policy.metadata != "open":
        said["metadata"] = policy.metadata
    if terms is not None:
        said["licence"] = terms.id
        if terms.accept:
            said["accept"] = True
    said["retention"] = policy.retention.model_dump(exclude_none=True)
    return said


def needs_login(policy: Policy) -> bool:
    """Whether anybody has to log in to read the data."""
    terms = policy.data.terms
    return policy.data.access != "open" or policy.metadata != "open" or bool(terms and terms.accept)


class Marks:
    """Marks items and collections with their policy.

    Args:
        policies: The collections'.
        data_url: The address under which the site serves its files: what lies elsewhere has rules of its own.
        schemes: How to log in, as `auth:schemes` has it; see `open_id`.
    """

    def __init__(self, policies: Policies, data_url: str, schemes: Mapping[str, Any] | None = None) -> None:
        self._policies = policies
        self._schemes = dict(schemes or BEARER)
        self._served = f"{data_url.rstrip('/')}/"
        self._marks = {id(policy): _Mark(policy, self._served, self._schemes) for policy in policies}

    def item(self, item: OpenItem) -> OpenItem:
        """An item that tells its policy."""
        mark = self._marks[id(self._policies.of(item.collection))]
        return OpenItem(item.id, item.collection, mark.on(item.body))

    def collection(self, collection: Collection) -> Collection:
        """A collection that tells its policy, and which entitlements open its data."""
        policy = self._policies.of(collection["id"])
        said = told(policy)
        if policy.data.entitlements:
            said["entitlements"] = list(policy.data.entitlements)
        if (terms := policy.data.terms) and terms.url:
            said["licence_url"] = terms.url
        marked = {**collection, POLICY: said}
        if needs_login(policy):
            marked[SCHEMES] = self._schemes
            marked["stac_extensions"] = _with_extension(collection.get("stac_extensions"))
        return marked


class _Mark:
    """What the items of one policy say."""

    def __init__(self, policy: Policy, served: str, schemes: Mapping[str, Any]) -> None:
        self._told = told(policy)
        self._first = b"{" + msgspec.json.encode({POLICY: self._told})[1:-1] + b","
        self._schemes = schemes if needs_login(policy) else None
        self._served = served
        self._properties = _PROPERTIES + msgspec.json.encode({SCHEMES: schemes})[1:-1] + b","
        self._extensions = _EXTENSIONS + b'"' + AUTHENTICATION.encode() + b'"'
        self._href = _HREF + served.encode()
        self._refs = msgspec.json.encode({REFS: list(schemes)})[1:-1] + b"," + self._href

    def on(self, body: bytes) -> bytes:
        if b'"federation:policy"' in body or not body.startswith(b'{"'):
            return self._parsed(body)
        if self._schemes is None:
            return self._first + body[1:]
        at, extensions = body.find(_PROPERTIES), body.find(_EXTENSIONS)
        if at < 0 or not _is_own(body, at) or not _is_top(body, extensions) or _is_declared(body, extensions):
            return self._parsed(body)
        after = at + len(_PROPERTIES)
        if extensions < 0:
            marked = b"".join(
                (self._first, self._extensions, b"],", body[1:at], self._properties, body[after:])
            )
            return marked.replace(self._href, self._refs)
        end = extensions + len(_EXTENSIONS)
        listed = self._extensions if body.startswith(b"]", end) else self._extensions + b","
        if at < extensions:
            pieces = body[1:at], self._properties, body[after:extensions], listed, body[end:]
        else:
            pieces = body[1:extensions], listed, body[end:at], self._properties, body[after:]
        return b"".join((self._first, *pieces)).replace(self._href, self._refs)

    def _parsed(self, body: bytes) -> bytes:
        item = read_body(body)
        if self._schemes is not None:
            item = self._referring(item)
            own = item["properties"].get(SCHEMES)
            schemes = {**(own if isinstance(own, dict) else {}), **self._schemes}
            item["properties"] = {**item["properties"], SCHEMES: schemes}
            item["stac_extensions"] = _with_extension(item.get("stac_extensions"))
        return open_body({**item, POLICY: self._told})

    def _referring(self, thing: Any) -> Any:
        """What is given, referring to the schemes wherever it leads to a file of this site."""
        if isinstance(thing, list):
            return [self._referring(each) for each in thing]
        if not isinstance(thing, dict):
            return thing
        deep = {name: self._referring(value) for name, value in thing.items()}
        here = isinstance(thing.get("href"), str) and thing["href"].startswith(self._served)
        return {**deep, REFS: list(self._schemes or ())} if here else deep


def _is_own(body: bytes, at: int) -> bool:
    """Whether the properties that begin at a place are surely the item's own, and there are some.

    They are if no object was opened before them within the item, or if there are no others.
    """
    if not body.startswith(b'"', at + len(_PROPERTIES)):
        return False
    return body.find(b"{", 1, at) < 0 or body.find(_PROPERTIES, at + 1) < 0


def _is_top(body: bytes, at: int) -> bool:
    """Whether the extensions that begin at a place are surely the item's own; so are none.

    They are if no object was opened before them within the item, or if none is closed between them and
    the item's links, which come last.
    """
    if at < 0 or body.find(b"{", 1, at) < 0:
        return True
    links = body.find(_LINKS, at)
    return body.find(b"}", at, links) < 0 <= links and body.find(_LINKS, links + 1) < 0


def _is_declared(body: bytes, at: int) -> bool:
    """Whether the extensions that begin at a place name the authentication extension, in any version."""
    return at >= 0 and body.find(b"/authentication/", at, body.find(b"]", at)) >= 0


def _with_extension(extensions: Any) -> list[Any]:
    held = extensions if isinstance(extensions, list) else []
    return [AUTHENTICATION, *(each for each in held if each != AUTHENTICATION)]
