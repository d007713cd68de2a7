"""Rivals that start at the same moment."""

import threading
from collections.abc import Callable
from typing import TypeVar

from flask import Flask

T = TypeVar("T")


def run_together(app: Flask, attempt: Callable[[int], T], rivals: int) -> list[T]:
    """Run `attempt(number)` in as many threads at once; return what each got, errors included."""
    start = threading.Barrier(rivals)
    results: list[T] = [None] * rivals  # type: ignore[list-item]

    def run(number: int) -> None:
        with app.app_context():
            start.wait()
            try:
                results[number] = attempt(number)
            except Exception as error:  # the test looks at what each rival met
                results[number] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(rivals)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
