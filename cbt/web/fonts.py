"""Sarabun for Thai, cut down to what Thai text needs, made once into the instance folder.

Latin letters stay with the reader's own system font. A phone without Thai letters (a bare Linux)
shows Thai only through this file; others get the same look everywhere, for 9 KB a weight.
"""

import os
import tempfile
from pathlib import Path

import fontpkg_sarabun
from flask import Flask, send_from_directory
from flask.typing import ResponseReturnValue

from cbt.errors import NotFound
from cbt.web.access import public

WEIGHTS = {"400": "Sarabun-Regular.ttf", "700": "Sarabun-Bold.ttf"}
UNICODES = "U+0E01-0E5B,U+200B-200D,U+25CC"
_VERSION = "1"  # part of the address, which browsers keep for a year


def file_name(weight: str) -> str:
    return f"sarabun-{weight}-{_VERSION}.woff2"


def init_fonts(app: Flask) -> None:
    folder = Path(app.instance_path) / "fonts"
    names = {file_name(weight): source for weight, source in WEIGHTS.items()}

    @app.get("/fonts/<name>")
    @public
    def font(name: str) -> ResponseReturnValue:
        if name not in names:
            raise NotFound(thing="font")
        if not (folder / name).exists():
            make_font(names[name], folder / name)
        answer = send_from_directory(folder, name, mimetype="font/woff2", max_age=31_536_000)
        answer.cache_control.immutable = True
        return answer


def make_font(source: str, target: Path) -> None:
    """Cut the Thai letters out of a font file. Two processes that race leave one whole file."""
    from fontTools import subset  # noqa: PLC0415  (a tenth of a second that only the first start needs)

    options = subset.Options(flavor="woff2", layout_features=["*"], desubroutinize=True)
    options.drop_tables += ["DSIG"]
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=subset.parse_unicodes(UNICODES.replace("U+", "")))
    target.parent.mkdir(parents=True, exist_ok=True)
    with subset.load_font(Path(fontpkg_sarabun.ROOT) / "files" / source, options) as font:
        cutter.subset(font)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            subset.save_font(font, file, options)
    os.replace(file.name, target)
