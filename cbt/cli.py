"""The commands of `flask --app wsgi ...`."""

import sys
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade

from cbt.audit.bundle import write_bundle
from cbt.audit.findings import Outcome, is_clean
from cbt.audit.rounding import words_of
from cbt.audit.verify import verify
from cbt.clock import read_day, utc_now
from cbt.communities.queries import get_community
from cbt.db import grants, snapshot
from cbt.demo import load
from cbt.errors import CbtError, DemoFileInvalid, NotFound
from cbt.i18n import LANGUAGES, _, use_language
from cbt.ledger import queries as books
from cbt.ledger.journal import Format
from cbt.web.errors import message_for
from cbt.web.labels import finding_words, label, subject_words
from cbt.worker import run_due, run_for_ever


def init_app(app: Flask) -> None:
    for command in (prepare, worker, audit, ledger, demo):
        app.cli.add_command(command)


@click.command("prepare")
@with_appcontext
def prepare() -> None:
    """Bring the database up to date and load the sample communities if it is empty."""
    upgrade()
    if load.load_all(
        current_app.extensions["providers"], utc_now(), current_app.extensions["period_key"]
    ):
        print("Loaded the sample communities.")
    print("\nSample sign-ins (password for all: " + load.PASSWORD + ")")
    for name, what in load.list_sign_ins():
        print(f"  {name:24} {what}")


@click.command("worker")
@click.option("--once", is_flag=True, help="Perform each duty that is due and exit.")
@with_appcontext
def worker(*, once: bool) -> None:
    """Perform the scheduled duties."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if once:
        run_due(app, {}, utc_now())
    else:
        run_for_ever(app)


@click.group("audit")
def audit() -> None:
    """Prove a community's books."""


@audit.command("verify")
@click.option("--community", "slug", required=True, help="The community's slug.")
@click.option("--language", default="en", type=click.Choice(list(LANGUAGES)))
@with_appcontext
def audit_verify(slug: str, language: str) -> None:
    """Recompute every split, check the invariants and the chain; exit 0 only if clean."""
    with snapshot() as session:  # what is sold meanwhile must not look like a fault
        try:
            community = get_community(session, slug)
        except NotFound:
            raise click.ClickException(f"there is no community {slug}") from None
        outcomes = verify(session, community)
    with use_language(language):
        _print_outcomes(outcomes)
    sys.exit(0 if is_clean(outcomes) else 1)


@audit.command("bundle")
@click.option("--community", "slug", required=True, help="The community's slug.")
@click.option("--from", "first", required=True, help="The first day of a month, YYYY-MM-DD.")
@click.option("--to", "last", required=True, help="The last day of a month, YYYY-MM-DD.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, writable=True, path_type=Path)
)
@with_appcontext
def audit_bundle(slug: str, first: str, last: str, out: Path) -> None:
    """Write what is needed to recompute whole months without us; see docs/bundle.md."""
    with snapshot() as session:
        try:
            community = get_community(session, slug)
            digest = write_bundle(session, community, read_day(first), read_day(last), out)
        except NotFound:
            raise click.ClickException(f"there is no community {slug}") from None
        except ValueError as error:
            raise click.ClickException(f"not a day: {error}") from None
        except CbtError as error:
            with use_language("en"):
                raise click.ClickException(str(message_for(error))) from None
    print(f"Wrote {out}. Its manifest has the SHA-256 {digest}.")


@click.group("ledger")
def ledger() -> None:
    """The books."""


@ledger.command("grants")
@click.option("--role", required=True, help="The PostgreSQL role that the server connects as.")
def ledger_grants(role: str) -> None:
    """Print the GRANTs for a serving role that may append to the books, never change them."""
    if not role.replace("_", "").isalnum():
        raise click.ClickException("a role's name has letters, digits and underscores")
    for statement in grants(role):
        print(statement + ";")


@ledger.command("journal")
@click.option("--community", "slug", required=True, help="The community's slug.")
@click.option("--format", "format_", default=Format.HLEDGER, type=click.Choice(list(Format)))
@with_appcontext
def ledger_journal(slug: str, format_: str) -> None:
    """Print the books as a plain-text journal that hledger or beancount reads."""
    with snapshot() as session:
        try:
            community = get_community(session, slug)
        except NotFound:
            raise click.ClickException(f"there is no community {slug}") from None
        for line in books.journal(session, community.book_id, Format(format_)):
            print(line)


@click.group("demo")
def demo() -> None:
    """Sample communities."""


@demo.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_appcontext
def demo_load(file: Path) -> None:
    """Load one sample community from a file."""
    try:
        slug = load.load_file(
            file,
            current_app.extensions["providers"],
            utc_now(),
            current_app.extensions["period_key"],
        )
    except DemoFileInvalid as error:
        raise click.ClickException(str(error)) from None
    print(f"Loaded {slug}.")


def _print_outcomes(outcomes: tuple[Outcome, ...]) -> None:
    """One line a check: its result, its name, how many things it looked at, what it says."""
    for outcome in outcomes:
        print(
            f"{outcome.result:8} {outcome.check:10} {outcome.looked_at:7}  {label(outcome.check)}"
            f"{_measured(outcome)}"
        )
        for finding in outcome.findings:
            print(f"    {subject_words(finding.subject)}: {finding_words(finding)}")


def _measured(outcome: Outcome) -> str:
    """How far off the household is that rounding carried furthest."""
    furthest = max(outcome.drifts, key=lambda each: abs(each.satang), default=None)
    if furthest is None:
        return ""
    return _(
        " (furthest: %(household)s, %(drift)s satang)",
        household=furthest.household,
        drift=words_of(furthest),
    )
