"""The outbox: messages queued in the transaction that causes them, rendered and sent by the worker."""
