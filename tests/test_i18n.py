"""Messages on pages, and pieces that are drawn once."""

import pytest
from jinja2 import Environment

from cbt import i18n
from cbt.web.layout import kept

PAGE = """{% macro draw(amount) -%}
{{ counted(amount) }} <b>{{ language() }}</b>
{%- endmacro %}
{% set piece = kept(draw) %}{{ piece(1) }}{{ piece(1) }}{{ piece(2) }}"""


def test_a_message_on_a_page_escapes_its_values_and_not_itself():
    with i18n.use_language("en"):
        assert i18n.on_page("<i>%(name)s</i>, 5%%", name="<b>") == "<i>&lt;b&gt;</i>, 5%"


def test_a_message_on_a_page_follows_the_language():
    words = set()
    for code in i18n.LANGUAGES:
        with i18n.use_language(code):
            words.add(str(i18n.on_page("Sign out")))
            assert str(i18n.on_page("Sign out")) == i18n.gettext("Sign out")
    assert len(words) == len(i18n.LANGUAGES)


@pytest.mark.parametrize("code", ["en", "th"])
def test_a_kept_piece_is_drawn_once_for_each_value_and_language(code):
    drawn = []

    def counted(amount):
        drawn.append(amount)
        return amount

    environment = Environment(autoescape=True)
    environment.globals.update(kept=kept, language=i18n.language, counted=counted)
    page = environment.from_string(PAGE)
    with i18n.use_language(code):
        assert page.render().count(f"<b>{code}</b>") == 3
    assert drawn == [1, 2]
