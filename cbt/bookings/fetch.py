"""Fetching a calendar that a stranger's address names, without being led astray.

The name is resolved once, every address behind it must be public, and the connection goes to one of
those very addresses: a name that changes its mind in between changes nothing. Every wait ends with
one deadline, also where a server sends a byte at a time.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NoReturn
from urllib.parse import SplitResult, urljoin, urlsplit

from cbt.bookings.feed_lines import MOST_BYTES, Problem
from cbt.errors import FeedInvalid

SECONDS = 10.0
MOST_REDIRECTS = 3

_PORTS = {"http": 80, "https": 443}
_MOVED = (301, 302, 303, 307, 308)
_HEADERS = {"Accept": "text/calendar", "User-Agent": "cbt", "Connection": "close"}
_LONGEST_URL = 2_000
_MOST_RECEIVED = MOST_BYTES + 100_000  # the rest is for headers and the marks between chunks
_MOST_ADDRESSES = 8
_GLOBAL_UNICAST = IPv6Network("2000::/3")

Opener = Callable[[tuple[str, int], float], socket.socket]
"""Connects to an IP address and port within some seconds, as socket.create_connection does."""


def fetch_calendar(
    url: str,
    *,
    allow_private: bool = False,
    opener: Opener | None = None,
    seconds: float = SECONDS,
) -> bytes:
    """The body behind an http or https address, at most MOST_BYTES, within `seconds` in all.

    `allow_private` lets addresses of the own machine and net, and any port, be visited: for tests
    and development only. Raises FeedInvalid with a `Problem` for everything that goes wrong.
    """
    visit = _Visit(time.monotonic() + seconds, allow_private, opener or socket.create_connection)
    try:
        return visit.fetch(url)
    except TimeoutError as problem:
        raise FeedInvalid(problem=Problem.TIMEOUT) from problem
    except (OSError, HTTPException, ValueError) as problem:
        raise FeedInvalid(problem=Problem.UNREACHABLE) from problem


def _refuse(problem: Problem) -> NoReturn:
    raise FeedInvalid(problem=problem)


@dataclass(frozen=True)
class _Target:
    """Where one request goes: the name as written, and what the server is asked for."""

    url: str
    secure: bool
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class _Visit:
    """One fetch with its redirects: until when, where it may go, and how it connects."""

    deadline: float
    allow_private: bool
    opener: Opener

    def fetch(self, url: str) -> bytes:
        target = _target(url, allow_private=self.allow_private)
        for _redirect in range(MOST_REDIRECTS + 1):
            with self._connect(target) as sock:
                connection = _Connection(target, _TimedSocket(sock, self._left))
                connection.request("GET", target.path, headers=_HEADERS)
                response = connection.getresponse()
                if response.status not in _MOVED:
                    return _body(response)
                target = self._next(target, response)
        _refuse(Problem.REDIRECTS)

    def _next(self, target: _Target, response: HTTPResponse) -> _Target:
        """Where a redirect leads, under the same rules, and never from https to http."""
        try:
            url = urljoin(target.url, response.getheader("Location", ""))
        except ValueError:
            _refuse(Problem.ADDRESS)
        following = _target(url, allow_private=self.allow_private)
        if target.secure and not following.secure:
            _refuse(Problem.REDIRECTS)
        return following

    def _connect(self, target: _Target) -> socket.socket:
        """A connection to one of the checked addresses, encrypted for https."""
        addresses = self._addresses(target)
        for number, address in enumerate(addresses):
            patience = self._left() / (len(addresses) - number)
            try:
                plain = self.opener((address, target.port), patience)
                break
            except OSError:
                if number == len(addresses) - 1:
                    raise
        try:
            plain.settimeout(self._left())
            return _secured(plain, target.host) if target.secure else plain
        except BaseException:
            plain.close()
            raise

    def _addresses(self, target: _Target) -> list[str]:
        """The addresses behind the name, in order. Raises FeedInvalid unless all may be visited."""
        addresses = _resolve(target, self._left())
        if not addresses:
            _refuse(Problem.UNREACHABLE)
        if not self.allow_private and not all(map(is_public, addresses)):
            _refuse(Problem.ADDRESS)
        return addresses[:_MOST_ADDRESSES]

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _target(url: str, *, allow_private: bool) -> _Target:
    """Take an address apart. Raises FeedInvalid for what is not plainly a place on the web."""
    if len(url) > _LONGEST_URL or not all("!" <= letter <= "~" for letter in url):
        _refuse(Problem.ADDRESS)
    try:
        parts = urlsplit(url)
        port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        _refuse(Problem.ADDRESS)
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        _refuse(Problem.ADDRESS)
    if not allow_private and port not in _PORTS.values():
        _refuse(Problem.ADDRESS)
    return _Target(url, parts.scheme == "https", parts.hostname, port, _path(parts))


def _path(parts: SplitResult) -> str:
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def is_public(address: str) -> bool:
    """Whether an IP address belongs to somebody on the open internet.

    Of IPv6 only the addresses given out so far, and none that carries an IPv4 address inside.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return ip.is_global and not ip.is_multicast
    return ip.is_global and ip in _GLOBAL_UNICAST and ip.sixtofour is None and ip.teredo is None


def _resolve(target: _Target, seconds: float) -> list[str]:
    """Ask for the addresses of a name once, in a thread since a resolver knows no deadline."""
    answers: SimpleQueue[list[str] | OSError | UnicodeError] = SimpleQueue()
    Thread(target=partial(_ask, target, answers), daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if isinstance(answer, UnicodeError):
        _refuse(Problem.ADDRESS)
    if isinstance(answer, OSError):
        raise answer
    return answer


def _ask(target: _Target, answers: "SimpleQueue[list[str] | OSError | UnicodeError]") -> None:
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        answers.put(problem)
    else:
        answers.put(list(dict.fromkeys(str(place[0]) for *_kind, place in found)))


def _secured(plain: socket.socket, host: str) -> ssl.SSLSocket:
    """The same connection, encrypted, with a certificate that was made out to `host`."""
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


class _TimedSocket:
    """What http.client needs of a socket, with every wait cut to the time that is left.

    Whoever opened the socket closes it: http.client lets go of it before it reads the body.
    """

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        self._sock, self._left = sock, left

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._left())
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._left))

    def close(self) -> None:
        """Nothing yet: see above."""


class _TimedReader(io.RawIOBase):
    """Reads in time, and never more than an answer may have: http.client trusts a chunk's size."""

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        self._sock, self._left, self._received = sock, left, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._sock.settimeout(self._left())
        count = self._sock.recv_into(buffer)
        self._received += count
        if self._received > _MOST_RECEIVED:
            _refuse(Problem.TOO_LARGE)
        return count


class _Connection(HTTPConnection):
    """A connection that stands already, and that names its host as the address did."""

    def __init__(self, target: _Target, sock: _TimedSocket) -> None:
        super().__init__(target.host, target.port)
        self.default_port = _PORTS["https" if target.secure else "http"]
        self.auto_open = 0
        self.sock = sock


def _body(response: HTTPResponse) -> bytes:
    """The whole body, or FeedInvalid; of one that is too large, not a byte more than it takes."""
    if response.status != 200:
        _refuse(Problem.STATUS)
    if response.getheader("Content-Encoding", "identity").strip().lower() != "identity":
        _refuse(Problem.ENCODING)
    if (response.length or 0) > MOST_BYTES:
        _refuse(Problem.TOO_LARGE)
    body = response.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        _refuse(Problem.TOO_LARGE)
    if response.length:
        _refuse(Problem.UNREACHABLE)  # cut off before its announced end
    return body
