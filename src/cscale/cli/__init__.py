"""The commands, one file a capability: thin over the rooms below.

Exit codes: 0 all of what was asked was done; 1 it failed; 2 wrong usage; 3 done, but some sites are
missing from the answer.
"""

import sys

import typer

from cscale.cli import demo, export, get, harvest, ingest, login, migrate, search, serve, sites
from cscale.cli.output import stop_on_errors

app = typer.Typer(
    name="cscale",
    help="Many archives of Copernicus data as one place.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("ingest")(ingest.ingest)
app.command("remove")(ingest.remove)
app.command("export")(export.export)
app.command("harvest")(harvest.harvest)
app.command("migrate")(migrate.migrate)
app.command("search")(search.search)
app.command("get")(get.get)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("whoami")(login.whoami)
app.add_typer(sites.app, name="sites")


def main() -> None:
    """Run the command line."""
    with stop_on_errors("--json" in sys.argv):
        app()
