"""Fetching a stranger's calendar. Nothing here leaves this machine."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cbt.bookings.feed_lines import MOST_BYTES
from cbt.bookings.fetch import fetch_calendar, is_public
from cbt.errors import FeedInvalid

BODY = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
PUBLIC = "93.184.215.14"  # never visited: connections are opened to our own server instead

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site(ThreadingHTTPServer):
    """A web server on loopback that answers every GET alike and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, dict(self.headers)))
                with suppress(OSError):
                    answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/feed.ics"

    def handle_error(self, request: object, client_address: object) -> None:
        """Fetches that hang up are what these tests are about."""


@contextmanager
def serve(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[Site]:
    site = Site(answer)
    if context:
        site.socket = context.wrap_socket(site.socket, server_side=True)
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


def send(
    body: bytes = BODY, status: int = 200, length: int | None = None, **headers: str
) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def send_raw(*pieces: bytes, pause: float = 0) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        for piece in pieces:
            handler.wfile.write(piece)
            time.sleep(pause)

    return answer


def problem_of(url: str, **choices: object) -> str:
    with pytest.raises(FeedInvalid) as caught:
        fetch_calendar(url, **choices)
    return str(caught.value.facts["problem"])


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Names and the answers that each question about them gets, the last one ever after."""
    known: dict[str, list[list[str]]] = {}
    ask = socket.getaddrinfo

    def answer(host, port, *args, **kwargs):
        if host not in known:
            ip_address(host)  # a test that asks the real world for a name fails here
            return ask(host, port, *args, **kwargs)
        turns = known[host]
        addresses = turns.pop(0) if len(turns) > 1 else turns[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


def led_to(site: Site, visited: list[tuple[str, int]]):
    """An opener that writes down where it should connect, and connects to our own server."""

    def open_(address: tuple[str, int], seconds: float) -> socket.socket:
        visited.append(address)
        return socket.create_connection(site.server_address[:2], seconds)

    return open_


# --- what is fetched -----------------------------------------------------------------------------


def test_a_body_is_fetched_as_it_is():
    with serve(send(b"BEGIN\xff\r\n")) as site:
        assert fetch_calendar(f"{site.url}?key=a%20b", allow_private=True) == b"BEGIN\xff\r\n"
    [(path, headers)] = site.asked
    assert path == "/feed.ics?key=a%20b"
    assert headers["Host"] == f"127.0.0.1:{site.server_address[1]}"
    assert headers["Accept-Encoding"] == "identity"
    assert not {"Cookie", "Authorization"} & headers.keys()


def test_an_address_without_a_path_asks_for_the_root():
    with serve(send()) as site:
        fetch_calendar(site.url.removesuffix("/feed.ics"), allow_private=True)
    assert site.asked[0][0] == "/"


def test_a_body_in_chunks_or_without_a_length_is_fetched_whole():
    head = b"HTTP/1.1 200 OK\r\n"
    chunks = (
        head + b"Transfer-Encoding: chunked\r\n\r\n",
        b"5\r\nBEGIN\r\n",
        b"1\r\n:\r\n0\r\n\r\n",
    )
    with serve(send_raw(*chunks)) as site:
        assert fetch_calendar(site.url, allow_private=True) == b"BEGIN:"
    with serve(send_raw(head + b"\r\n", b"BEGIN:")) as site:
        assert fetch_calendar(site.url, allow_private=True) == b"BEGIN:"


def test_the_largest_body_is_fetched_and_one_byte_more_is_refused():
    with serve(send(b"a" * MOST_BYTES)) as site:
        assert len(fetch_calendar(site.url, allow_private=True)) == MOST_BYTES
    with serve(send(b"a" * (MOST_BYTES + 1))) as site:
        assert problem_of(site.url, allow_private=True) == "too_large"


def test_up_to_three_redirects_are_followed():
    def answer(handler):
        left = int(handler.path.removeprefix("/"))
        send(**({"Location": str(left - 1)} if left else {}), status=302 if left else 200)(handler)

    with serve(answer) as site:
        start = site.url.replace("feed.ics", "")
        assert fetch_calendar(f"{start}3", allow_private=True) == BODY
        assert problem_of(f"{start}4", allow_private=True) == "redirects"


# --- where it does not go ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fd00::1]/",
    ],
)
def test_private_addresses_are_not_visited(url):
    def never(address, seconds):
        raise AssertionError(address)

    assert problem_of(url, opener=never) == "address"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "feed.ics",
        "//example.com/feed.ics",
        "file:///etc/passwd",
        "ftp://example.com/feed.ics",
        "gopher://example.com/",
        "data:text/calendar,BEGIN:VCALENDAR",
        "http://",
        "http:///feed.ics",
        "http://somebody:secret@example.com/",
        "http://somebody@example.com/",
        "http://@example.com/",
        "http://example.com:8080/",
        "http://example.com:22/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://[::1/",
        "http://example.com/a b",
        "http://example.com/\r\nHost: other",
        "http://example.com/ปฏิทิน",
        f"http://example.com/{'a' * 2_000}",
    ],
)
def test_only_plain_web_addresses_are_visited(url, names):
    names["example.com"] = [[PUBLIC]]

    def never(address, seconds):
        raise AssertionError(address)

    assert problem_of(url, opener=never) == "address"


@pytest.mark.parametrize("answer", [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["10.1.2.3"]])
def test_a_name_with_any_private_address_is_not_visited(names, answer):
    names["village.example"] = [answer]
    visited: list[tuple[str, int]] = []
    with serve(send()) as site:
        url = "http://village.example/"
        assert problem_of(url, opener=led_to(site, visited)) == "address"
    assert visited == []


def test_a_name_is_asked_once_and_the_checked_address_is_the_one_visited(names):
    names["village.example"] = [[PUBLIC], ["127.0.0.1"]]
    visited: list[tuple[str, int]] = []
    with serve(send()) as site:
        url = "http://village.example/feed.ics"
        assert fetch_calendar(url, opener=led_to(site, visited)) == BODY
    assert visited == [(PUBLIC, 80)]
    assert site.asked[0][1]["Host"] == "village.example"


def test_a_name_that_nobody_knows_is_unreachable(monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert problem_of("http://village.example/") == "unreachable"


def test_a_name_that_cannot_be_one_is_refused():
    assert problem_of(f"http://{'a' * 70}.example/") == "address"


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "http://169.254.169.254/",
        "http://[::1]/",
        "http://inside.example/",
        "file:///etc/passwd",
        "http://village.example:8080/",
        "http://somebody:secret@village.example/",
        "//[",
    ],
)
def test_a_redirect_is_checked_like_an_address(names, location):
    names["village.example"] = [[PUBLIC]]
    names["inside.example"] = [["192.168.0.2"]]
    visited: list[tuple[str, int]] = []
    with serve(send(status=302, Location=location)) as site:
        url = "http://village.example/"
        assert problem_of(url, opener=led_to(site, visited)) == "address"
    assert visited == [(PUBLIC, 80)]


def test_the_next_address_is_tried_when_the_first_does_not_answer(names):
    names["village.example"] = [[PUBLIC, "1.1.1.1"]]
    with serve(send()) as site:
        reach = led_to(site, [])

        def open_(address, seconds):
            if address[0] == PUBLIC:
                raise ConnectionRefusedError
            return reach(address, seconds)

        assert fetch_calendar("http://village.example/", opener=open_) == BODY


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("ff02::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("::", False),
        ("::ffff:8.8.8.8", False),
        ("2002:7f00:1::", False),
        ("2001:0:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("not an address", False),
    ],
)
def test_public_is_what_is_open_to_everybody(address, public):
    assert is_public(address) == public


# --- what it does not take -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (send(status=404), "status"),
        (send(status=500), "status"),
        (send(status=204, body=b""), "status"),
        (send(status=304, body=b""), "status"),
        (send(Content_Encoding="gzip"), "encoding"),
        (send(Content_Encoding="br"), "encoding"),
        (send(length=10_000_000), "too_large"),
        (send(b"a" * 10, length=20), "unreachable"),
        (send_raw(b"220 ftp ready\r\n"), "unreachable"),
        (send_raw(b""), "unreachable"),
        (send_raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"), "unreachable"),
        (send_raw(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n"), "unreachable"),
    ],
    ids=[
        "missing",
        "broken",
        "empty",
        "unchanged",
        "gzip",
        "brotli",
        "announced-too-large",
        "cut-off",
        "no-http",
        "silence",
        "many-headers",
        "long-header",
    ],
)
def test_an_answer_that_is_no_plain_file_is_refused(answer, problem):
    with serve(answer) as site:
        assert problem_of(site.url, allow_private=True, seconds=5) == problem


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"",
    ],
    ids=["no-length", "one-huge-chunk", "a-chunk-below-zero", "only-preludes"],
)
def test_of_ten_megabytes_only_the_first_is_read(head):
    sent = []
    piece = b"a" * 100_000 if head else b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000

    def answer(handler):
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
        handler.wfile.write(head)
        for _ in range(100):
            handler.wfile.write(piece)
            sent.append(len(piece))

    with serve(answer) as site:
        assert problem_of(site.url, allow_private=True, seconds=5) == "too_large"
    assert sum(sent) < 9_000_000  # what lies in the buffers between us, not the whole


def test_a_server_that_nobody_runs_is_unreachable():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        assert problem_of(url, allow_private=True) == "unreachable"


# --- one deadline --------------------------------------------------------------------------------

DRIPPING = [b"a"] * 40


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\n\r\n", *DRIPPING],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n", *DRIPPING],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\na\r\n"] * 40],
        [b"HTTP/1.1 200 OK\r\nSlow: ", *DRIPPING],
        [*DRIPPING],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 40,
    ],
    ids=["body", "announced-body", "chunks", "header", "status", "preludes"],
)
def test_a_server_that_drips_is_left_in_time(pieces):
    began = time.monotonic()
    with serve(send_raw(*pieces, pause=0.05)) as site:
        assert problem_of(site.url, allow_private=True, seconds=0.4) == "timeout"
        assert time.monotonic() - began < 1.5


def test_redirects_share_one_deadline():
    def answer(handler):
        time.sleep(0.25)
        send(status=302, Location="/again")(handler)

    with serve(answer) as site:
        assert problem_of(site.url, allow_private=True, seconds=0.4) == "timeout"


def test_a_resolver_that_does_not_answer_is_left_in_time(monkeypatch):
    free = threading.Event()

    def slow(*args, **kwargs):
        free.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    began = time.monotonic()
    try:
        assert problem_of("http://village.example/", seconds=0.2) == "timeout"
        assert time.monotonic() - began < 1.5
    finally:
        free.set()


# --- encrypted -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and the certificate of village.example, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "village.example")])
    names = x509.SubjectAlternativeName([x509.DNSName("village.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "village.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_the_certificate_is_checked_against_the_name(names, certificate, secure, monkeypatch):
    names["village.example"] = names["other.example"] = [[PUBLIC]]
    visited: list[tuple[str, int]] = []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serve(send(), secure) as site:
        opener = led_to(site, visited)
        assert fetch_calendar("https://village.example/", opener=opener) == BODY
        assert problem_of("https://other.example/", opener=opener) == "unreachable"
    assert visited == [(PUBLIC, 443)] * 2
    assert [headers["Host"] for _path, headers in site.asked] == ["village.example"]


def test_a_certificate_that_nobody_signed_is_refused(names, secure):
    names["village.example"] = [[PUBLIC]]
    with serve(send(), secure) as site:
        opener = led_to(site, [])
        assert problem_of("https://village.example/", opener=opener) == "unreachable"
    assert site.asked == []


def test_an_encrypted_address_does_not_lead_to_a_plain_one(names, certificate, secure, monkeypatch):
    names["village.example"] = [[PUBLIC]]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serve(send(status=302, Location="http://village.example/"), secure) as site:
        opener = led_to(site, [])
        assert problem_of("https://village.example/", opener=opener) == "redirects"
