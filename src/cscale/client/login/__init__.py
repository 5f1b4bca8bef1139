"""The user's side of a login: at the issuers that a hub trusts, kept, renewed, revoked.

Public face: `Credentials` and `token_for` (which token goes where), `log_in`, `who`, `log_out`, `last_hub`;
`Keeper` keeps logins; `LoginNeeded`, `LoginFailed`.
"""

from cscale.client.login.keeping import Keeper
from cscale.client.login.session import DEFAULT_CLIENT, Way, Who, last_hub, log_in, log_out, who
from cscale.client.login.using import Credentials, token_for
from cscale.client.login.words import Login, LoginFailed, LoginNeeded, Shown, origin_of

__all__ = [
    "Credentials",
    "token_for",
    "log_in",
    "log_out",
    "who",
    "Who",
    "Way",
    "last_hub",
    "Keeper",
    "Login",
    "Shown",
    "LoginNeeded",
    "LoginFailed",
    "DEFAULT_CLIENT",
    "origin_of",
]
