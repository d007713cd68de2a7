"""The way in for gunicorn and the `flask --app wsgi` commands: settings are read here, once."""

import gc
import os

from cbt import cli
from cbt.app import create_app
from cbt.config import Settings

app = create_app(Settings.from_environment(os.environ))
cli.init_app(app)

gc.collect()
gc.freeze()  # what is loaded by now stays: the collector need not look through it again and again
