"""`penstock serve` and `penstock add-user`: Spark behind a Thrift server, and who may use it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from penstock import progress
from penstock.servers import thrift
from penstock.servers.listen import Listen
from penstock.servers.users import set_user

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--target", help="The profile's target to start Spark from.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=int, default=10000, show_default=True, envvar="PENSTOCK_SERVER_PORT", help="The port to listen on."
)
@click.option("--users", type=_FILE, envvar="PENSTOCK_SERVER_USERS", help="The file of those who may log in.")
@click.option("--tls-certificate", type=_FILE, envvar="PENSTOCK_SERVER_CERTIFICATE", help="PEM: certificate and chain.")
@click.option("--tls-key", type=_FILE, envvar="PENSTOCK_SERVER_KEY", help="PEM: the certificate's private key.")
def serve(
    target: str | None,
    host: str,
    port: int,
    users: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
) -> None:
    """Serve the lakehouse over Spark's Thrift protocol until SIGTERM or Ctrl-C."""
    # click.echo flushes: who waits for the line reads it through a pipe.
    listen = Listen(host, port, users, tls_certificate, tls_key)
    thrift.serve(Path.cwd(), listen, target=target, ready=click.echo, doing=progress.on_terminal())


@click.command("add-user")
@click.argument("name")
@click.option("--users", type=_FILE, envvar="PENSTOCK_SERVER_USERS", required=True, help="The file; made if missing.")
def add_user(name: str, users: Path) -> None:
    """Let a user log in at `penstock serve --users`, or change a password; it is asked for, or read from a pipe."""
    if sys.stdin.isatty():
        password = click.prompt("password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    set_user(users, name, password)
    click.echo(f"{name} may log in: {users}")
