"""The wire: one small HTTP server on loopback for the API and for the hosted pages."""

import json
import secrets
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.stripe_double import api, faults, pages
from tests.stripe_double.faults import Fault, Faults, Planned
from tests.stripe_double.idempotency import Answer
from tests.stripe_double.state import API_VERSION, World

_REFUSALS = {
    Fault.ERROR_BEFORE: (500, "api_error", "An unknown error occurred."),
    Fault.ERROR_AFTER: (500, "api_error", "An unknown error occurred."),
    Fault.CONFLICT: (409, "invalid_request_error", "This object is locked by another request."),
    Fault.LIMIT: (429, "invalid_request_error", "Request rate limit exceeded."),
}
_IDLE_SECONDS = 10


class Server(ThreadingHTTPServer):
    """Knows the world and the faults; every connection is closed after its answer."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, world: World, planned: Faults) -> None:
        self.world, self.faults = world, planned
        super().__init__(("127.0.0.1", port), _Handler)
        world.address = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _serve(self) -> None:
        self.close_connection = True
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if parts.path.startswith("/v1/") or not parts.path.startswith(("/c/", "/promptpay/")):
            text = body if self.command == "POST" else parts.query
            self._call(parts.path, text)
        else:
            self._visit(parts.path, body)

    def _call(self, path: str, text: str) -> None:
        planned = self.server.faults.take(f"{self.command} {path}")
        fault = planned.fault if planned else None
        request_id = "req_" + secrets.token_hex(8)
        if fault == Fault.DROP_BEFORE:
            return
        if fault in (Fault.ERROR_BEFORE, Fault.CONFLICT, Fault.LIMIT):
            self._answer(_refusal(fault), request_id)
            return
        call = api.Call(self.command, path, text, dict(self.headers), request_id)
        answer = api.answer(self.server.world, call, lambda: faults.wait(planned))
        if fault == Fault.DROP_AFTER:
            return
        if fault == Fault.ERROR_AFTER:
            answer = _refusal(fault)
        if planned and fault == Fault.LIE:
            answer = _lying(answer, planned)
        self._answer(answer, request_id)

    def _answer(self, answer: Answer, request_id: str) -> None:
        headers = {
            "Content-Type": "application/json",
            "Request-Id": request_id,
            "Stripe-Version": API_VERSION,
        }
        for name in ("Stripe-Account", "Idempotency-Key"):
            if value := self.headers.get(name):
                headers[name] = value
        if answer.replayed:
            headers["Idempotent-Replayed"] = "true"
        self._send(answer.status, answer.body, headers)

    def _visit(self, path: str, body: str) -> None:
        form = dict(parse_qsl(body))
        languages = self.headers.get("Accept-Language", "")
        visit = pages.Visit(self.command, path, form, languages)
        page = pages.answer(self.server.world, visit)
        headers = {"Content-Type": page.kind, "Cache-Control": "no-store"}
        if page.goes_to:
            headers["Location"] = page.goes_to
        self._send(page.status, page.body.encode(), headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _refusal(fault: Fault) -> Answer:
    status, kind, message = _REFUSALS[fault]
    code = {"code": "lock_timeout"} if fault == Fault.CONFLICT else {}
    error = {"error": {"type": kind, "message": message, **code}}
    return Answer(status, json.dumps(error).encode())


def _lying(answer: Answer, planned: Planned) -> Answer:
    body = json.loads(answer.body)
    faults.lie(body, planned.lies)
    return Answer(answer.status, json.dumps(body).encode(), answer.replayed)
