"""Promises that hold by test, not by memory."""

import ast
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2 import meta

from cbt import i18n
from cbt.config import ROOT, SettingInvalid, Settings
from cbt.errors import CbtError
from cbt.notices.mail import KINDS
from cbt.web import labels
from cbt.web.access import Access, Door
from cbt.web.errors import MESSAGES
from tests.site import SECRET

THAI = re.compile("[\u0e00-\u0e7f]")
CATALOGUE = ROOT / "translations" / "th" / "LC_MESSAGES" / "messages.po"
PURE = [
    "cbt.errors",
    "cbt.money",
    "cbt.baht_words",
    "cbt.clock",
    "cbt.ledger.entries",
    "cbt.ledger.journal",
    "cbt.communities.chart",
    "cbt.communities.shares",
    "cbt.communities.rotation",
    "cbt.people.roles",
    "cbt.experiences.pricing",
    "cbt.experiences.schedule",
    "cbt.bookings.states",
    "cbt.bookings.parts",
    "cbt.bookings.things",
    "cbt.bookings.availability",
    "cbt.bookings.terms",
    "cbt.bookings.line",
    "cbt.bookings.feed_lines",
    "cbt.bookings.feed_rules",
    "cbt.bookings.feeds",
    "cbt.bookings.references",
    "cbt.bookings.vouchers",
    "cbt.payments.account_posting",
    "cbt.payments.account_rules",
    "cbt.payments.promptpay",
    "cbt.payments.slips",
    "cbt.payments.bank_lines",
    "cbt.payments.bank_columns",
    "cbt.payments.bank_csv",
    "cbt.payments.bank_camt",
    "cbt.payments.payer_names",
    "cbt.payments.matching",
    "cbt.payments.provider",
    "cbt.payments.refund_rules",
    "cbt.payments.rounds",
    "cbt.payments.evidence",
    "cbt.revenue.policy",
    "cbt.revenue.split",
    "cbt.revenue.sharing",
    "cbt.revenue.preparation",
    "cbt.revenue.work_rules",
    "cbt.revenue.frozen",
    "cbt.revenue.posting",
    "cbt.revenue.adoption",
    "cbt.revenue.policy_rules",
    "cbt.revenue.simulation",
    "cbt.revenue.templates",
    "cbt.revenue.taking_back",
    "cbt.revenue.corrections",
    "cbt.revenue.paying_out",
    "cbt.revenue.payout_files",
    "cbt.revenue.funds",
    "cbt.revenue.periods",
    "cbt.revenue.merkle",
    "cbt.revenue.statement_text",
    "cbt.revenue.proof_code",
    "cbt.revenue.signing",
    "cbt.revenue.rulebook",
    "cbt.revenue.fairness",
    "cbt.revenue.close_rules",
    "cbt.audit.verify_statement",
    "cbt.audit.offline",
    "cbt.audit.offline_books",
    "cbt.audit.offline_checks",
    "cbt.audit.offline_format",
    "cbt.audit.offline_months",
    "cbt.audit.offline_rules",
    "cbt.audit.offline_sign",
    "cbt.audit.offline_words",
    "cbt.audit.offline_zip",
    "cbt.revenue.fund_page",
    "cbt.revenue.follow_up",
    "cbt.audit.drift",
    "cbt.audit.findings",
    "cbt.audit.cases",
    "cbt.audit.sampling",
    "cbt.audit.risks",
    "cbt.audit.run_text",
    "cbt.audit.sign_off_rules",
    "cbt.audit.fairness",
    "cbt.audit.assessment",
    "cbt.audit.totals",
    "cbt.web.flow",
    "cbt.web.curves",
    "cbt.web.radar",
    "cbt.web.thailand",
]


def all_errors(kind=CbtError):
    for each in kind.__subclasses__():
        yield each
        yield from all_errors(each)


# --- routes --------------------------------------------------------------------------------------


def test_every_route_says_who_may_call_it(sample_app):
    undeclared = {
        rule.endpoint
        for rule in sample_app.url_map.iter_rules()
        if not isinstance(getattr(sample_app.view_functions[rule.endpoint], "access", None), Access)
    }
    assert undeclared == {"static"}


def test_every_route_for_roles_names_at_least_one(sample_app):
    for name, view in sample_app.view_functions.items():
        access = getattr(view, "access", None)
        if access is not None:
            assert bool(access.roles) == (access.door == Door.ROLES), name


def test_every_page_stands_under_both_languages(sample_app):
    without = {
        str(rule) for rule in sample_app.url_map.iter_rules() if "any(th,en)" not in str(rule)
    }
    assert without == {
        *("/", "/healthz", "/readyz", "/fonts/<name>", "/static/<path:filename>"),
        "/feeds/<token>.ics",
        "/transparency/<slug>.json",
        "/webhooks/<provider>",
    }


def test_what_changes_something_refuses_get_and_asks_for_a_token(sample_app):
    client = sample_app.test_client()
    signed = "webhooks.receive"  # proves itself by its signature, see tests/payments/test_inbox.py
    changing = [
        rule
        for rule in sample_app.url_map.iter_rules()
        if "POST" in rule.methods and rule.endpoint != signed
    ]
    assert len(changing) >= 10
    for rule in changing:
        values = {"lang": "en", **dict.fromkeys(rule.arguments - {"lang"}, 1)}
        address = rule.build(
            {**values, "slug": "buna-dara"} if "slug" in rule.arguments else values
        )
        assert client.post(address[1]).status_code == 400, rule


# --- errors, states, messages --------------------------------------------------------------------


def test_every_domain_error_has_a_status_a_sentence_and_an_explanation():
    for error in all_errors():
        assert isinstance(error.status, int), error
        assert error in MESSAGES, error
        assert error.__doc__, error


def test_every_state_kind_and_code_has_a_word():
    for kind, words in labels.LABELS.items():
        assert set(words) == set(kind), kind


def test_every_message_is_translated_with_its_places():
    with CATALOGUE.open("rb") as file:
        messages = [message for message in read_po(file, locale="th") if message.id]
    assert len(messages) > 300
    for message in messages:
        # Thai has one form for every number, so of two English ones it must fit the plural
        source = message.id[1] if isinstance(message.id, tuple) else message.id
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        assert not message.fuzzy, source
        for text in texts:
            assert text, source
            assert sorted(places(text)) == sorted(places(source)), source
            assert THAI.search(text) or not re.search(
                "[A-Za-z]{2}", re.sub(r"%\(\w+\)\w", "", text)
            ), source


def places(text):
    return re.findall(r"%\(\w+\)[sd]", text)


def test_the_catalogue_holds_exactly_the_messages_of_code_and_pages(tmp_path):
    template = tmp_path / "messages.pot"
    command = [sys.executable, "-m", "babel.messages.frontend", "extract", "-F", "pyproject.toml"]
    command += ["-k", "_l", "-k", "_n:1,2", "-o", template, "cbt"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with template.open("rb") as wanted, CATALOGUE.open("rb") as have:
        used = {message.id for message in read_po(wanted) if message.id}
        known = {message.id for message in read_po(have, locale="th") if message.id}
    assert used == known


def test_no_thai_stands_in_code_but_where_thai_is_written_on_purpose():
    """A sentence in code would be seen by readers of both languages."""
    allowed = {
        *(
            "cbt/i18n.py",
            "cbt/audit/offline_words.py",
            "cbt/demo/assessing.py",
            "cbt/demo/load.py",
            "cbt/demo/owning.py",
            "cbt/demo/paying.py",
            "cbt/demo/scenes.py",
            "cbt/money.py",
        ),
        "cbt/audit/offline_words.py",  # goes without our catalogues
        "cbt/baht_words.py",
        *(f"cbt/payments/{name}.py" for name in ("bank_columns", "bank_csv", "payer_names")),
    }
    found = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "cbt").rglob("*")
        if file.suffix in (".py", ".html", ".txt", ".js") and THAI.search(file.read_text())
    }
    assert found == allowed


# --- settings ------------------------------------------------------------------------------------


def test_every_setting_is_in_the_manual_with_its_default_and_help():
    manual = (ROOT / "docs" / "settings.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$", manual, re.M)
    expected = [
        (
            field.name.upper(),
            f"`{shown(field.metadata['default'])}`" if field.metadata["default"] else "unset",
            field.metadata["help"],
        )
        for field in fields(Settings)
    ]
    assert rows == expected


def shown(default):
    return default.replace(str(ROOT) + "/", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x"),
        ("SECRET_KEY", "short"),
        ("PUBLIC_URL", "village.example"),
        ("PUBLIC_URL", "https://village.example/path"),
        ("MAIL_URL", "imap://x"),
        ("DEMO_PAYMENTS", "yes"),
        ("PROXIES", "-1"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_names_the_variable_but_not_its_value(
    tmp_path, name, value
):
    environment = {"INSTANCE": str(tmp_path), "SECRET_KEY": SECRET, name: value}
    with pytest.raises(SettingInvalid) as refused:
        Settings.from_environment(environment)
    assert str(refused.value).startswith(name)
    assert value not in str(refused.value)


def test_without_a_secret_one_is_made_once_and_kept_private(tmp_path):
    first = Settings.from_environment({"INSTANCE": str(tmp_path)})
    assert Settings.from_environment({"INSTANCE": str(tmp_path)}) == first
    assert len(first.secret_key) >= 32
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


# --- shape of the code ---------------------------------------------------------------------------


@pytest.mark.parametrize("module", PURE)
def test_a_rule_loads_without_flask_or_sqlalchemy(module):
    code = (
        f"import sys, {module}\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'flask', 'sqlalchemy', 'flask_sqlalchemy', 'jinja2', 'wtforms'}, loaded"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_list_of_rules_is_the_one_of_the_import_contract():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = {each["id"]: each for each in config["tool"]["importlinter"]["contracts"]}
    assert contracts["pure"]["source_modules"] == PURE


def test_only_the_transaction_commits():
    found = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "cbt").rglob("*.py")
        if ".commit()" in file.read_text()
    ]
    assert found == ["cbt/db.py"]


def test_no_float_and_no_other_rounding_touches_money():
    rooms = ("ledger", "revenue", "payments", "experiences", "bookings", "audit", "communities")
    files = [file for room in rooms for file in (ROOT / "cbt" / room).rglob("*.py")]
    for file in [*files, ROOT / "cbt" / "money.py"]:
        if file.name == "fetch.py":  # counts the seconds that an outside server takes
            continue
        tree = ast.parse(file.read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"float", "round"}, file
        divisions = [node for node in ast.walk(tree) if isinstance(node, ast.Div)]
        # queries.py joins by /, and turns are shared in exact fractions, not money
        assert file.name in ("queries.py", "rotation.py") or not divisions, file


def test_no_test_is_named_so_that_it_never_runs():
    for file in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("test_"):
                calls = file.read_text().count(node.name)
                assert calls > 1 or node.decorator_list, f"{file}: {node.name} is never used"


# --- templates -----------------------------------------------------------------------------------


def test_every_template_compiles_and_has_no_inline_script_or_style(sample_app):
    for name in sample_app.jinja_env.list_templates(extensions=["html"]):
        source = sample_app.jinja_env.loader.get_source(sample_app.jinja_env, name)[0]
        meta.find_undeclared_variables(sample_app.jinja_env.parse(source))
        if not name.startswith("mail/"):
            assert not re.search(r"<script(?![^>]*\bsrc=)", source), name
            assert not re.search(r"<\w[^>]*\s(style|on\w+)=", source), name


def test_every_kind_of_mail_has_both_forms():
    folder = ROOT / "cbt" / "templates" / "mail"
    for kind in KINDS:
        assert (folder / f"{kind}.txt").exists()
        assert (folder / f"{kind}.html").exists()


def test_what_wtforms_can_say_itself_is_in_our_catalogue():
    with i18n.use_language("th"):
        assert THAI.search(i18n.gettext("Not a valid integer value."))


# --- papers --------------------------------------------------------------------------------------


def test_the_papers_that_the_readme_names_are_there():
    readme = (ROOT / "README.md").read_text()
    for address in re.findall(r"(?:\]\(|src=\")(?!http)([^)#\"]+)", readme):
        assert (ROOT / address).exists(), address


def test_no_paper_names_an_address_of_a_package_registry():
    for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("requirements/*")]:
        assert not re.search(r"index-url|files\.pythonhosted|pypi\.org/simple", file.read_text())


def test_every_decision_is_one_page():
    for file in Path(ROOT / "docs" / "decisions").glob("*.md"):
        assert len(file.read_text().splitlines()) <= 60, file
