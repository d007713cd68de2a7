"""Whether the name that a bank shows of a payer can be the guest's. Pure."""

import re
import unicodedata
from functools import lru_cache

_TITLES = {
    *("นาย", "นาง", "นางสาว", "นส", "ดช", "ดญ", "เด็กชาย", "เด็กหญิง", "คุณ"),
    *("mr", "mrs", "ms", "miss", "khun", "dr", "ดร"),
}
_GLUED_TITLE = re.compile(r"^(นางสาว|นาย|นาง|น\.ส\.|ด\.ช\.|ด\.ญ\.|เด็กชาย|เด็กหญิง)(?=\S)")
_HIDDEN = re.compile(r"[*•.…]+|x{2,}$")


def is_same_person(payer: str, guest: str) -> bool:
    """Whether a payer's name, as banks cut and mask it, can be the guest's.

    At least one whole word is the same, and each word of the shorter name begins one of the other,
    or is begun by it: "MR SOMCHAI J***" is "Somchai Jaidee". Titles do not matter, nor does order.
    """
    names = [_name_words(payer), _name_words(guest)]
    shorter, longer = sorted(names, key=len)
    if not {each for each in shorter if len(each) > 1} & set(longer):
        return False
    left = list(longer)
    for word in sorted(shorter, key=len, reverse=True):
        fitting = [each for each in left if each.startswith(word) or word.startswith(each)]
        if not fitting:
            return False
        left.remove(max(fitting, key=lambda each: (each == word, each)))
    return True


def is_same_name(one: str, other: str) -> bool:
    """Whether two names are written alike, word for word: titles and order do not matter.

    One word alone names nobody.
    """
    words = sorted(_name_words(one))
    return len(words) > 1 and words == sorted(_name_words(other))


@lru_cache(maxsize=8_192)
def _name_words(name: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKC", name).casefold().strip()
    words = []
    for word in _GLUED_TITLE.sub("", plain).split():
        shown = _HIDDEN.sub("", word)
        if shown and shown not in _TITLES:
            words.append(shown)
    return tuple(words)
