"""Hanging every door into the application."""

from flask import Flask

from cbt.web import access, addresses, errors, fonts, headers, health, layout, limits, webhooks
from cbt.web.admin import views as admin
from cbt.web.agency import views as agency
from cbt.web.guest import views as guest
from cbt.web.host import views as host
from cbt.web.household import work as household  # holds the routes of household/views.py as well
from cbt.web.mentor import views as mentor
from cbt.web.policies import views as policies
from cbt.web.public import experience as public  # holds the routes of public/views.py as well


def init_doors(app: Flask) -> None:
    addresses.init_addresses(app)  # before anybody looks at what was sent
    layout.init_layout(app)
    headers.init_headers(app)
    limits.init_limits(app)
    access.init_access(app)
    errors.init_errors(app)
    fonts.init_fonts(app)
    health.init_health(app)
    for door in (public, guest, host, household, policies, mentor, admin, agency):
        app.register_blueprint(door.bp)
    webhooks.init_webhooks(app)
