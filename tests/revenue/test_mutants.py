"""Would the tests see a changed rule? The worst changes, each in a process of its own; all in the deep run.

docs/mutation.md has the whole of it, by a tool that stands outside the tests.
"""

import subprocess
import sys

import pytest

from cbt.config import ROOT
from tests.conftest import DEEP

SPLIT, SHARING = "cbt/revenue/split.py", "cbt/revenue/sharing.py"
CHANGES = {
    "down-to-up": (
        "cbt/money.py",
        "amount_satang * bp // BP_WHOLE",
        "-(-amount_satang * bp // BP_WHOLE)",
    ),
    "ties-backward": (SHARING, "turn % len(sharers)", "-turn % len(sharers)"),
    "ties-never-move": (SHARING, "start = turn % len(sharers)", "start = 0"),
    "smallest-remainder": (SHARING, "reverse=True", "reverse=False"),
    "one-spare-less": (
        SHARING,
        "total_satang - sum(parts.values())",
        "total_satang - sum(parts.values()) - 1",
    ),
    "rates-at-a-shortfall": (SHARING, "or left < 0", "or left < -1"),
    "cost-free": (SPLIT, "if taken > net_satang", "if taken > net_satang + 1"),
    "cap-missed": (SPLIT, "amount <= cap", "amount <= cap + 1"),
    "floor-missed": (SPLIT, "part.amount_satang >= floor", "part.amount_satang + 1 >= floor"),
    "served-twice": (SPLIT, "left -= part.amount_satang\n        funds", "funds"),
    "tier-too-late": ("cbt/bookings/terms.py", "if now <= until:", "if now < until:"),
    "deposit-down": (
        "cbt/bookings/terms.py",
        "-(-parts // (BP_WHOLE * _BAHT))",
        "(parts // (BP_WHOLE * _BAHT))",
    ),
    "goodwill-up": ("cbt/payments/refund_rules.py", "// whole", "// whole + 1"),
    "loss-to-the-last": ("cbt/revenue/frozen.py", "key=lambda code: -(", "key=lambda code: ("),
    "more-than-the-cap": (
        "cbt/revenue/taking_back.py",
        "min(owed_satang, bp_of",
        "max(owed_satang, bp_of",
    ),
}
TESTS = (
    "tests/revenue/test_sharing.py",
    *("tests/bookings/test_terms.py", "tests/payments/test_refund_rules.py"),
    *("tests/payments/test_goodwill.py::test_what_persons_paid", "tests/revenue/test_split.py"),
    "tests/revenue/test_frozen.py",
    *("tests/revenue/test_taking_back.py", "tests/revenue/test_posting.py"),
)
RUN = """
import importlib.abc, importlib.util, sys, pytest
from pathlib import Path
path, old, new, *tests = sys.argv[1:]
name = path.removesuffix(".py").replace("/", ".")

class Changed(importlib.abc.SourceLoader):
    def get_filename(self, fullname):
        return path
    def get_data(self, path_):
        text = Path(path).read_text(encoding="utf-8")
        assert text.count(old) == 1, (path, old)
        return text.replace(old, new).encode()

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, where, target=None):
        return importlib.util.spec_from_loader(name, Changed()) if fullname == name else None

sys.dont_write_bytecode = True
sys.meta_path.insert(0, Finder())
sys.exit(pytest.main(["-q", "-x", "--noconftest", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]))
"""


def run_with(path, old, new, tests):
    """How the rules' tests end with this text of a module changed."""
    command = [sys.executable, "-c", RUN, path, old, new, *tests]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("change", list(CHANGES) if DEEP else ["ties-backward"])
def test_a_changed_rule_is_seen(change):
    result = run_with(*CHANGES[change], TESTS)
    assert result.returncode == pytest.ExitCode.TESTS_FAILED, result.stdout[-2_000:] + result.stderr


def test_an_unchanged_rule_passes():
    tests = TESTS if DEEP else TESTS[:1]
    result = run_with(SPLIT, "least + left,", "least + left,", tests)
    assert result.returncode == pytest.ExitCode.OK, result.stdout[-2_000:] + result.stderr
