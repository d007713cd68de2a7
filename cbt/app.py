"""Assembly: settings in, Flask application out. Nothing is decided here."""

from datetime import timedelta

from flask import Flask
from flask_compress import Compress
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from cbt.bookings.references import BookingLinks
from cbt.bookings.vouchers import Vouchers, make_key
from cbt.config import SettingInvalid, Settings, kept
from cbt.db import db
from cbt.payments.provider import Provider
from cbt.payments.providers.cash import CashProvider
from cbt.payments.providers.demo import DemoProvider
from cbt.payments.providers.promptpay import PromptPayProvider
from cbt.revenue.signing import PlatformKey, make_platform_key, read_platform_key
from cbt.web.cookies import SignedCookies
from cbt.web.doors import init_doors

SIGN_IN_LASTS = timedelta(hours=12)


def create_app(settings: Settings) -> Flask:
    """Build the application. Tests build their own with their own settings."""
    app = Flask("cbt", instance_path=str(settings.instance))
    settings.instance.mkdir(parents=True, exist_ok=True)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=_engine_options(settings),
        SESSION_COOKIE_NAME="cbt",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https://"),
        PERMANENT_SESSION_LIFETIME=SIGN_IN_LASTS,
        MAX_CONTENT_LENGTH=256 * 1024,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=365),  # their addresses change with their content
        WTF_CSRF_TIME_LIMIT=None,  # as long as the cookie: slow typists keep what they typed
    )
    app.session_interface = SignedCookies()
    app.extensions["settings"] = settings
    app.extensions["providers"] = build_providers(settings)
    app.extensions["booking_links"] = BookingLinks(settings.secret_key)
    app.extensions["vouchers"] = build_vouchers(settings)
    app.extensions["period_key"] = build_period_key(settings)
    db.init_app(app)
    Migrate(app, db, directory=str(app.root_path) + "/migrations", render_as_batch=True)
    CSRFProtect(app)
    Compress(app)
    init_doors(app)
    if settings.proxies:
        hops = settings.proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    return app


def build_providers(settings: Settings) -> dict[str, Provider]:
    """The ways to pay that this installation offers, by name.

    Raises SettingInvalid for pretended payments beside a key that moves real money.
    """
    providers: list[Provider] = [PromptPayProvider(), CashProvider()]
    if settings.stripe_secret_key:
        # Stripe's library takes half a second to load, which installations without it are spared
        from cbt.payments.providers.stripe import LIVE_KEYS, StripeProvider  # noqa: PLC0415

        key = settings.stripe_secret_key
        if settings.demo_payments and key.startswith(LIVE_KEYS):
            raise SettingInvalid("DEMO_PAYMENTS: expected off beside a live STRIPE_SECRET_KEY")
        secrets = tuple(filter(None, settings.stripe_webhook_secret.replace(" ", "").split(",")))
        providers.append(StripeProvider(key, secrets, settings.stripe_api_base))
    if settings.demo_payments:
        providers.append(DemoProvider())
    return {provider.name: provider for provider in providers}


def build_vouchers(settings: Settings) -> Vouchers:
    """What signs this installation's vouchers. Raises SettingInvalid when the key is not one."""
    try:
        return Vouchers(kept(settings.voucher_key, make_key))
    except (OSError, ValueError):
        raise SettingInvalid("VOUCHER_KEY: expected a file with a P-256 key in PEM") from None


def build_period_key(settings: Settings) -> PlatformKey:
    """What signs closed months for the platform. Raises SettingInvalid when the key is not one."""
    try:
        return read_platform_key(kept(settings.period_key, make_platform_key))
    except (OSError, ValueError):
        raise SettingInvalid("PERIOD_KEY: expected a file with an Ed25519 key in PEM") from None


def _engine_options(settings: Settings) -> dict[str, object]:
    options: dict[str, object] = {"hide_parameters": True}  # errors must not print personal data
    if settings.database_url.startswith("postgresql"):
        options["isolation_level"] = "READ COMMITTED"
    return options
