"""An outside calendar for tests: what it says, and a web server on loopback that says it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def calendar(*events: str) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//somebody//else//EN", *events]
    return ("\r\n".join([*lines, "END:VCALENDAR"]) + "\r\n").encode()


def event(begins: str, ends: str = "", uid: str = "one@else") -> str:
    """An event: all day from 20261124 up to, not including, `ends`; or with hours, ...T010000Z."""
    kind = "" if "T" in begins else ";VALUE=DATE"
    lines = ["BEGIN:VEVENT", f"UID:{uid}", "SUMMARY:Reserved", f"DTSTART{kind}:{begins}"]
    return "\r\n".join([*lines, *([f"DTEND{kind}:{ends}"] if ends else []), "END:VEVENT"])


class Outside:
    """What the server says next, and how often it was asked."""

    def __init__(self) -> None:
        self.body = calendar()
        self.status = 200
        self.asked = 0
        self.url = ""


@contextmanager
def serve_calendar() -> Iterator[Outside]:
    outside = Outside()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            outside.asked += 1
            self.send_response(outside.status)
            self.send_header("Content-Length", str(len(outside.body)))
            self.end_headers()
            self.wfile.write(outside.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    outside.url = f"http://127.0.0.1:{server.server_address[1]}/rooms.ics"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield outside
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
