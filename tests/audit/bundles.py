"""Writing bundles in tests, and verifying them as an auditor does: elsewhere, without the project."""

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

from cbt.audit.bundle import write_bundle
from cbt.communities.records import CommunityCard
from cbt.config import ROOT
from cbt.db import snapshot

OURS = ROOT / "cbt" / "audit"


def write(community: CommunityCard, first: date, last: date, out: Path) -> Path:
    with snapshot() as session:
        write_bundle(session, community, first, last, out)
    return out


def copy_verifier(folder: Path) -> Path:
    """The verifier alone, in a folder of its own; returns the file to run."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in OURS.glob("offline*.py"):
        shutil.copy(file, folder)
    return folder / "offline.py"


def run(verifier: Path, bundle: Path, *options: str) -> tuple[int, str]:
    """(exit code, what it printed) of Python without this project, its packages or its settings."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(verifier), str(bundle), *options],
        cwd=verifier.parent,
        env={},
        capture_output=True,
        check=False,
    )
    assert not done.stderr, done.stderr.decode()
    return done.returncode, done.stdout.decode()
