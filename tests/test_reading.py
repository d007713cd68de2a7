"""The reader of pages is itself seen to find what it must."""

import pytest

from tests.reading import baht, foreign_words


@pytest.mark.parametrize(
    ("page", "language", "found"),
    [
        ("<p>สวัสดี</p>", "th", []),
        ("<p>สวัสดี Hello</p>", "th", ["Hello"]),
        ('<p>สวัสดี <b translate="no">Hello <i>there</i></b> World</p>', "th", ["World"]),
        ('<img alt="boat"><p>เรือ</p>', "th", ["boat"]),
        ('<a lang="en" href="/en">English</a>', "th", []),
        ('<a lang="th" href="/th">ไทย</a><button aria-label="ปิด">x</button>', "en", ["ปิด"]),
        ("<script>let hidden = 1</script><style>a {}</style>", "th", []),
        ("<title>บ้าน · Home</title>", "th", ["Home"]),
        ("<p>฿100.00</p>", "en", []),
        ("<p>จัดทำโดย GSTC อพท.</p>", "th", []),
    ],
)
def test_foreign_words_are_found_where_a_reader_meets_them(page, language, found):
    assert foreign_words(page, language) == found


def test_amounts_read_alike_in_both_languages():
    assert baht("1,234.57 บาท") == baht("฿1,234.57") == 123_457
