"""Run the double by hand beside the app: `python -m tests.stripe_double --port 12111`."""

import argparse
import signal
import threading

from tests.stripe_double.handle import StripeDouble


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stripe_double", description=__doc__)
    parser.add_argument("--port", type=int, default=12111)
    parser.add_argument("--webhook-url", default="", help="the app's address for webhooks")
    parser.add_argument("--secret-key", default="sk_test_double")
    parser.add_argument("--webhook-secret", default="whsec_double")
    parser.add_argument("--accounts", type=int, default=1, help="connected accounts to make")
    asked = parser.parse_args()
    double = StripeDouble(
        port=asked.port,
        webhook_url=asked.webhook_url,
        secret_key=asked.secret_key,
        webhook_secret=asked.webhook_secret,
    )
    with double:
        print(f"STRIPE_API_BASE={double.address}")
        print(f"STRIPE_SECRET_KEY={double.secret_key}")
        print(f"STRIPE_WEBHOOK_SECRET={double.webhook_secret}")
        for number in range(1, asked.accounts + 1):  # the same ones every time it is started
            account = double.add_account(account_id=f"acct_1DoubleVillage{number}")
            print(f"connected account: {account}", flush=True)
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT is ignored behind "&"
            signal.signal(number, lambda *_: stop.set())
        stop.wait()
        print("stopped")


if __name__ == "__main__":
    main()
