"""A real mail server on loopback that keeps what it gets."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.site import free_port


class Mailbox:
    """The server's handler: its mails, and the address at which it takes them."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.url = ""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@contextmanager
def open_mailbox() -> Iterator[Mailbox]:
    """A mailbox that takes mail as long as the block runs."""
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    box.url = f"smtp://127.0.0.1:{server.port}"
    try:
        yield box
    finally:
        server.stop()
