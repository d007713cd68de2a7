"""An outside bank for tests: mock-bank on loopback, with one account in baht.

It writes camt.053 and camt.054 by its own reading of the standard, and its clock is moved by hand.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import ProxyHandler, Request, build_opener

from mockbank.server import Config, make_server

ACCOUNT, IBAN = "DARA", "NL30MOCK0000000005"


class Bank:
    """The bank, asked through its own doors."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = build_opener(ProxyHandler({}))

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._url + path, data, method=method)
        with self._opener.open(request, timeout=10) as answer:
            return bytes(answer.read())

    def arrive(self, amount_satang: int, **said: object) -> None:
        """Money comes in today: `payer`, `reference`, `note` and the like are the payer's."""
        payer = {"debtor": {"name": said.pop("payer")}} if "payer" in said else {}
        credit = {"account": ACCOUNT, "amount": amount_satang, **payer, **said}
        self.ask("POST", "/_mock/credits", credit)

    def pass_days(self, days: int) -> None:
        self.ask("POST", f"/_mock/advance?days={days}")

    def messages(self, kind: str) -> list[bytes]:
        """What the bank wrote of this kind for the account and was not yet collected."""
        found = json.loads(self.ask("GET", f"/_mock/mailbox?leave&type={kind}"))
        ours = [each for each in found if each["account"] == ACCOUNT]
        return [self.ask("GET", f"/_mock/mailbox/{each['id']}") for each in ours]


@contextmanager
def open_bank(now: str = "2026-11-24T09:00") -> Iterator[Bank]:
    """A bank whose clock stands at this hour in Bangkok."""
    server = make_server(Config(port=0, quiet=True, timezone="Asia/Bangkok", clock=now))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        bank = Bank(f"http://127.0.0.1:{server.server_address[1]}")
        account = {"id": ACCOUNT, "iban": IBAN, "currency": "THB", "balance": 5_000_00}
        bank.ask("POST", "/_mock/accounts", {**account, "name": "วิสาหกิจชุมชนบุนาดารา"})
        yield bank
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
