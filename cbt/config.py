"""Settings, read once from the environment and never changed after.

Each field's `help` is its line in docs/settings.md; a test compares the two.
"""

import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent


class SettingInvalid(Exception):
    """A setting is malformed: the start stops and the message names it."""


def _text(value: str) -> str:
    return value


def _switch(value: str) -> bool:
    try:
        return {"on": True, "off": False}[value]
    except KeyError:
        raise ValueError("expected on or off") from None


def _count(value: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise ValueError("expected a whole number")
    return int(value)


def _folder(value: str) -> Path:
    return Path(value).absolute()


def _secret(value: str) -> str:
    if len(value) < 32:
        raise ValueError("expected at least 32 characters")
    return value


def _database_url(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("expected sqlite:///... or postgresql+psycopg://...")
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
        raise ValueError("expected http://host or https://host, without a path")
    return value.rstrip("/")


def _stripe_key(value: str) -> str:
    if value and not value.startswith(("sk_", "rk_")):
        raise ValueError("expected a secret or restricted key, sk_... or rk_...")
    return value


def _own_address(value: str) -> str:
    return _web_address(value) if value else value


def _mail_url(value: str) -> str:
    if value and (urlsplit(value).scheme not in ("smtp", "smtps") or not urlsplit(value).hostname):
        raise ValueError("expected smtp://[name:password@]host[:port] or smtps://...")
    return value


def _setting(read: Callable[[str], Any], default: str, help_: str) -> Any:
    return field(metadata={"read": read, "default": default, "help": help_})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an operator can set, each by the environment variable of the field's name in capitals."""

    instance: Path = _setting(
        _folder,
        str(ROOT / "instance"),
        "Folder for what this installation makes: the SQLite file, the generated secret, the web fonts.",
    )
    database_url: str = _setting(
        _database_url,
        "sqlite:///{instance}/cbt.db",
        "The database: `sqlite:///...` or `postgresql+psycopg://...`.",
    )
    secret_key: str = _setting(
        _secret,
        "{instance}/secret_key",
        "Signs cookies and links, at least 32 characters. When unset, one is generated once into the instance folder.",
    )
    voucher_key: Path = _setting(
        _folder,
        "{instance}/voucher_key",
        "File with the private key (P-256, PEM) that signs voucher codes. When there is none, a key is made once; whoever has it can forge vouchers.",
    )
    period_key: Path = _setting(
        _folder,
        "{instance}/period_key",
        "File with the private key (Ed25519, PEM) that signs closed months for the platform. When there is none, a key is made once; a new file is a new key, and what the old one signed keeps proving.",
    )
    tax_exemption_until: date = _setting(
        date.fromisoformat,
        "2025-12-31",
        "Last day of the income tax exemption of community enterprises, as the law stands; after it each close warns until it is renewed here.",
    )
    public_url: str = _setting(
        _web_address,
        "http://127.0.0.1:8000",
        "The address that guests type; used in mails, voucher codes and language links. With https, cookies are sent over https only.",
    )
    mail_url: str = _setting(
        _mail_url,
        "",
        "Where mail goes out: `smtp://name:password@host:port` (STARTTLS when offered) or `smtps://...`. Unset: mails stay in the outbox.",
    )
    mail_from: str = _setting(_text, "no-reply@localhost", "The sender's address of all mail.")
    demo_payments: bool = _setting(
        _switch,
        "on",
        "Whether sample communities may be paid by the pretended `demo` provider: `on` or `off`. Real communities never can.",
    )
    stripe_secret_key: str = _setting(
        _stripe_key,
        "",
        "The installation's key at Stripe (`sk_...` or `rk_...`). Unset: no payments by Stripe. With a live key, `DEMO_PAYMENTS` must be `off`.",
    )
    stripe_webhook_secret: str = _setting(
        _text,
        "",
        "What signs Stripe's messages to `/webhooks/stripe` (`whsec_...`); several, as for connected accounts or while one is replaced, with commas between.",
    )
    stripe_api_base: str = _setting(
        _own_address,
        "",
        "Another address than Stripe's own, such as `http://127.0.0.1:12111` for a double in tests.",
    )
    proxies: int = _setting(
        _count,
        "0",
        "How many reverse proxies stand before the server, so that the guest's address is read from the right header.",
    )
    feeds_from_private_addresses: bool = _setting(
        _switch,
        "off",
        "Whether outside calendars may come from addresses of the own machine and net: `on` or `off`. For tests and development only.",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read every field. Raises SettingInvalid, which names the variable but never its value."""
        values: dict[str, Any] = {}
        for each in fields(cls):
            name = each.name.upper()
            text = environment.get(name) or each.metadata["default"]
            text = text.replace("{instance}", str(values.get("instance", "")))
            if each.name == "secret_key" and not environment.get(name):
                text = kept(Path(text), _new_secret)
            try:
                values[each.name] = each.metadata["read"](text)
            except ValueError as error:
                raise SettingInvalid(f"{name}: {error}") from None
        return cls(**values)


def _new_secret() -> str:
    return secrets.token_urlsafe(48)


def kept(file: Path, make: Callable[[], str]) -> str:
    """The secret in `file`, made at the first call. Processes that race agree on one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        with tempfile.NamedTemporaryFile("w", dir=file.parent) as new:  # readable by us alone
            new.write(make())
            new.flush()
            with suppress(FileExistsError):
                os.link(new.name, file)
    return file.read_text()
