"""The two commands of a newcomer, and a few for those who stay. Standard library only.

python3 dev.py run            the whole platform with sample data on http://127.0.0.1:8000
python3 dev.py test           lint, types, import contracts and every test
python3 dev.py test --deep    the same with the full counts (more examples, more races)
python3 dev.py look [FOLDER]  a screenshot of every page, both languages, phone and desktop
python3 dev.py lock           make requirements/lock.txt anew from the .in files
python3 dev.py catalogue      collect the messages of code and pages into translations/

Each of them first makes what it needs: the environment in .venv, installed from the hash lock.
This file must still be readable by an old Python, which then looks for a newer one.
"""

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements" / "lock.txt"
STAMP = VENV / "installed-from"
TEST_PART = "# --- below: only for the tests ---\n"
OLDEST = (3, 11)
CHROMIUM_PACKAGES = ["chromium", "fonts-tlwg-loma-otf", "libatomic1"]
CHROMIUM_NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]


def main():
    parser = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = {"run": run, "test": test, "look": look, "lock": lock, "catalogue": catalogue}
    parser.add_argument("command", choices=commands)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="handed on to the command")
    arguments = parser.parse_args()
    if sys.version_info < OLDEST:
        run_again_with_newer_python()
    sys.exit(commands[arguments.command](arguments.rest))


# --- the environment ---------------------------------------------------------------------------


def run_again_with_newer_python():
    for minor in range(20, OLDEST[1] - 1, -1):
        newer = shutil.which("python3.%d" % minor)
        if newer:
            os.execv(newer, [newer, __file__, *sys.argv[1:]])
    sys.exit(
        "This needs Python %d.%d or newer; found only %s. Install a newer python3 and try again."
        % (OLDEST[0], OLDEST[1], sys.version.split()[0])
    )


def prepare_environment(part):
    """Make .venv hold the lock's `part` ("run" or "test"); instant when it already does."""
    run_part, _, test_part = LOCK.read_text().partition(TEST_PART)
    wanted = {"run": run_part, "test": run_part + test_part}
    stamps = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in wanted.items()}
    found = STAMP.read_text() if STAMP.exists() else ""
    if PYTHON.exists() and found in (stamps[part], stamps["test"]):
        return
    make_venv()
    print("Installing from requirements/lock.txt into .venv (once, about half a minute) ...")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(wanted[part])
        requirements.flush()
        call(
            [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            + ["--require-hashes", "--only-binary", ":all:", "-r", requirements.name]
        )
    STAMP.write_text(stamps[part])


def make_venv():
    if PYTHON.exists():
        return
    try:
        import ensurepip  # noqa: F401  (absent where the system's venv package is)
    except ImportError:
        get_venv_package()
    call([sys.executable, "-m", "venv", VENV])


def get_venv_package():
    package = "python%d.%d-venv" % sys.version_info[:2]
    if not apt_install([package]):
        sys.exit(
            "Python's venv module is missing. Install it (on Debian or Ubuntu:"
            " sudo apt install %s) and run the same command again." % package
        )


def apt_install(packages):
    """Install Debian packages when this machine lets us. Say whether it worked."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    print("Installing " + " ".join(packages) + " ...")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.call(["apt-get", "update"], env=environment, **quiet)
    install = ["apt-get", "install", "-y", "--no-install-recommends"]
    return subprocess.call(install + packages, env=environment, **quiet) == 0


def call(command, **options):
    code = subprocess.call([str(part) for part in command], cwd=ROOT, **options)
    if code:
        sys.exit(code)


# --- run ---------------------------------------------------------------------------------------


def run(rest):
    """Migrate, load the sample communities, serve, work; stop both on Ctrl-C."""
    argparse.ArgumentParser(prog="dev.py run").parse_args(rest)
    prepare_environment("run")
    port = os.environ.get("PORT", "8000")
    address = "http://127.0.0.1:" + port
    environment = dict(os.environ, PUBLIC_URL=os.environ.get("PUBLIC_URL", address))
    flask = [PYTHON, "-m", "flask", "--app", "wsgi"]
    call([*flask, "prepare"], env=environment)
    server = [PYTHON, "-m", "gunicorn", "wsgi:app", "--bind", "127.0.0.1:" + port]
    server += ["--workers", "2", "--preload", "--no-control-socket", "--log-level", "warning"]
    return serve([server, [*flask, "worker"]], address, environment)


def serve(commands, address, environment):
    """Run the commands side by side until one ends or we are told to stop; then stop them all."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT is ignored behind "&"
        signal.signal(number, lambda *_: sys.exit(0))
    children = []
    try:
        for command in commands:
            children.append(
                subprocess.Popen(
                    [str(part) for part in command],
                    cwd=ROOT,
                    env=environment,
                    start_new_session=True,  # so that Ctrl-C reaches them once, through us
                )
            )
        wait_until_ready(address, children)
        print("\nไทย      %s/th/\nEnglish  %s/en/\nStop with Ctrl-C.\n" % (address, address))
        sys.stdout.flush()
        while all(child.poll() is None for child in children):
            time.sleep(0.2)
        print("One of the two stopped by itself; stopping the other.", file=sys.stderr)
        return 1
    finally:
        stop(children)


def wait_until_ready(address, children):
    for _ in range(300):
        if any(child.poll() is not None for child in children):
            return
        try:
            urllib.request.urlopen(address + "/readyz", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)


def stop(children):
    for child in children:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
    for child in children:
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


# --- test and look -----------------------------------------------------------------------------


def test(rest):
    """Every check and every test; what a machine cannot run is named at the end."""
    deep = "--deep" in rest
    rest = [argument for argument in rest if argument != "--deep"]
    prepare_environment("test")
    environment = dict(os.environ, CBT_DEEP="1" if deep else "", **browser_environment())
    if not shutil.which("hledger"):
        apt_install(["hledger"])  # another program's opinion of our journal
    pytest = [PYTHON, "-m", "pytest", *rest]
    if rest:  # somebody is after certain tests: run just those
        return subprocess.call([str(part) for part in pytest], cwd=ROOT, env=environment)
    workers = str(max(2, os.cpu_count() or 2))
    steps = {
        "lint": [PYTHON, "-m", "ruff", "check", "."],
        "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
        "types": [PYTHON, "-m", "mypy"],
        "import contracts": [VENV / "bin" / "lint-imports"],
        "tests": [*pytest, "-n", workers, "--dist", "worksteal"],
    }
    failed = []
    with tempfile.TemporaryFile("w+") as said:  # types take as long as they need beside the tests
        types = [str(part) for part in steps.pop("types")]
        typing = subprocess.Popen(types, cwd=ROOT, env=environment, stdout=said, stderr=said)
        for name, command in steps.items():
            print("\n== " + name, flush=True)
            if subprocess.call([str(part) for part in command], cwd=ROOT, env=environment):
                failed.append(name)
        print("\n== types", flush=True)
        if typing.wait():
            failed.append("types")
        said.seek(0)
        print(said.read(), end="")
    print("\n" + ("FAILED: " + ", ".join(failed) if failed else "All green."))
    return 1 if failed else 0


def look(rest):
    parser = argparse.ArgumentParser(prog="dev.py look")
    parser.add_argument("folder", nargs="?", default="looks")
    folder = Path(parser.parse_args(rest).folder).absolute()
    prepare_environment("test")
    environment = dict(os.environ, **browser_environment())
    return subprocess.call(
        [str(PYTHON), "-m", "tests.look", str(folder)], cwd=ROOT, env=environment
    )


def browser_environment():
    """Where a Chromium is, got from the system or from Playwright if need be."""
    path = os.environ.get("CBT_BROWSER") or find_chromium()
    if not path and apt_install(CHROMIUM_PACKAGES):
        path = find_chromium()
    if not path:
        fetch = [str(PYTHON), "-m", "playwright", "install", "--only-shell", "chromium"]
        subprocess.call(fetch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {"CBT_BROWSER": path} if path else {}


def find_chromium():
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), "")


# --- upkeep ------------------------------------------------------------------------------------


def lock(rest):
    """Resolve both .in files for every platform, with hashes and without any address."""
    argparse.ArgumentParser(prog="dev.py lock").parse_args(rest)
    make_venv()
    call([PYTHON, "-m", "pip", "install", "--quiet", "uv"])
    run_text = compile_lock("run.in")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write(run_text)
        constraints.flush()
        both = compile_lock("run.in", "test.in", "--constraint", constraints.name)
    known = set(split_lock(run_text))
    extra = "".join(block for block in split_lock(both) if block not in known)
    LOCK.write_text(run_text + TEST_PART + extra)
    return 0


def compile_lock(*arguments):
    command = [str(PYTHON), "-m", "uv", "pip", "compile", "--quiet", "--universal"]
    command += ["--python-version", "%d.%d" % OLDEST, "--generate-hashes"]
    command += ["--no-header", "--no-annotate", *arguments]
    return subprocess.check_output(command, cwd=ROOT / "requirements", text=True)


def split_lock(text):
    """One block a package: its line and its hashes."""
    blocks = []
    for line in text.splitlines(keepends=True):
        if line.startswith(" "):
            blocks[-1] += line
        else:
            blocks.append(line)
    return blocks


def catalogue(rest):
    argparse.ArgumentParser(prog="dev.py catalogue").parse_args(rest)
    prepare_environment("run")
    babel = [PYTHON, "-m", "babel.messages.frontend"]
    template = Path(tempfile.gettempdir()) / "cbt-messages.pot"
    call(
        [*babel, "extract", "-F", "pyproject.toml", "-k", "_l", "-k", "_n:1,2", "-c", "i18n:"]
        + ["--no-location", "--sort-output", "--omit-header", "-o", template, "cbt"]
    )
    call(
        [*babel, "update", "-i", template, "-d", "translations", "--omit-header"]
        + ["--no-fuzzy-matching", "--ignore-obsolete", "--width", "100"]
    )
    return 0


if __name__ == "__main__":
    main()
