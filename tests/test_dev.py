"""The newcomer's commands: two processes that stop together, and clear words where something lacks."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import dev
from cbt.config import ROOT
from tests.site import free_port


@pytest.fixture
def running(tmp_path):
    """`dev.py run` on a fresh instance folder; gives the process, its address and its folder."""
    port = free_port()
    environment = {**os.environ, "INSTANCE": str(tmp_path), "PORT": str(port)}
    environment.pop("SECRET_KEY", None)
    process = subprocess.Popen(
        [sys.executable, "dev.py", "run"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    yield process, f"http://127.0.0.1:{port}", tmp_path
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()


def read_until(process, words):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def of_this_folder(folder):
    """Processes whose environment names the instance folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"INSTANCE={folder}\0".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_run_serves_both_languages_and_leaves_no_process_behind(running, number):
    process, address, folder = running
    said = read_until(process, "Stop with Ctrl-C")
    assert f"{address}/th/" in said
    assert f"{address}/en/" in said
    assert "host.buna-dara" in said
    for language, word in (("th", "เที่ยวกับชุมชน"), ("en", "Travel with the village")):
        with urllib.request.urlopen(f"{address}/{language}/") as page:
            assert word in page.read().decode()
    if Path("/proc").is_dir():
        assert len(of_this_folder(folder)) >= 4  # dev.py, gunicorn, its workers, the worker
    os.kill(process.pid, number)
    assert process.wait(timeout=15) == 0
    time.sleep(0.2)
    assert of_this_folder(folder) == []


def test_when_one_of_the_two_ends_the_other_is_stopped(tmp_path):
    marker = tmp_path / "still running"
    forever = [sys.executable, "-c", f"import time; open({str(marker)!r}, 'w'); time.sleep(60)"]
    short = [sys.executable, "-c", "import time; time.sleep(1)"]
    begun = time.monotonic()
    assert dev.serve([forever, short], "http://127.0.0.1:9", dict(os.environ)) == 1
    assert marker.exists()
    assert time.monotonic() - begun < 30


def test_without_venv_and_without_rights_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(dev, "apt_install", lambda _packages: False)
    with pytest.raises(SystemExit) as stopped:
        dev.get_venv_package()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"sudo apt install python{version}-venv" in str(stopped.value)


def test_with_an_old_python_alone_it_says_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer"):
        dev.run_again_with_newer_python()


def test_with_an_old_python_it_goes_on_with_the_newest_there_is(monkeypatch):
    taken = []
    monkeypatch.setattr(shutil, "which", {"python3.12": "/usr/bin/python3.12"}.get)
    monkeypatch.setattr(os, "execv", lambda path, _arguments: taken.append(path))
    with pytest.raises(SystemExit):  # execv would not come back
        dev.run_again_with_newer_python()
    assert taken == ["/usr/bin/python3.12"]


def test_dev_py_can_be_read_by_an_old_python():
    import ast

    ast.parse((ROOT / "dev.py").read_text(), feature_version=(3, 7))


def test_an_environment_that_fits_is_not_touched(monkeypatch):
    def fail(*_arguments, **_options):
        raise AssertionError("something was installed")

    monkeypatch.setattr(dev, "call", fail)
    monkeypatch.setattr(dev, "make_venv", fail)
    dev.prepare_environment("test")
    dev.prepare_environment("run")


def test_the_lock_holds_hashes_and_no_address():
    text = dev.LOCK.read_text()
    assert dev.TEST_PART in text
    assert "://" not in text
    for block in dev.split_lock(text.replace(dev.TEST_PART, "")):
        assert "--hash=sha256:" in block, block


def test_the_lock_is_made_from_the_lists():
    locked = dev.LOCK.read_text()
    for name in ("run.in", "test.in"):
        for line in (ROOT / "requirements" / name).read_text().splitlines():
            if line and not line.startswith("#"):
                package = line.replace("[binary]", "")
                assert f"\n{package} " in f"\n{locked}", package
