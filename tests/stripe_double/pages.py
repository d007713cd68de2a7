"""The hosted pages: where a guest pays a Checkout Session, and where a PromptPay QR is scanned.

Plain forms, in Thai or English, without script. Each answer is a page or an address to go on to.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import segno
from jinja2 import Environment

from tests.stripe_double import cards, checkout, payments
from tests.stripe_double.payments import Payer
from tests.stripe_double.state import Account, ApiError, Json, World

_WORDS = {
    "en": {
        "title": "Pay",
        "double": "A double of Stripe for tests. No money moves here.",
        "pay": "Pay {amount}",
        "email": "E-mail",
        "card": "Card",
        "number": "Card number",
        "expiry": "Expiry (MM / YY)",
        "cvc": "Security code",
        "name": "Name on the card",
        "promptpay": "PromptPay",
        "show": "Show the QR of {amount}",
        "back": "Go back",
        "scan": "Scan this QR with your bank's app.",
        "authorise": "The bank pays",
        "fail": "The bank refuses",
        "expire": "Let the QR expire",
        "again": "Pay a second time",
        "over": "This payment page is closed.",
        "paid": "This has been paid.",
        "onward": "Go on",
        "failed": "The payment did not succeed. Please try again.",
        "waits": "A QR is waiting to be scanned.",
    },
    "th": {
        "title": "ชำระเงิน",
        "double": "ตัวจำลองของ Stripe สำหรับการทดสอบ ไม่มีการโอนเงินจริง",
        "pay": "ชำระ {amount}",
        "email": "อีเมล",
        "card": "บัตร",
        "number": "หมายเลขบัตร",
        "expiry": "วันหมดอายุ (เดือน / ปี)",
        "cvc": "รหัสความปลอดภัย",
        "name": "ชื่อบนบัตร",
        "promptpay": "พร้อมเพย์",
        "show": "แสดง QR จำนวน {amount}",
        "back": "ย้อนกลับ",
        "scan": "สแกน QR นี้ด้วยแอปธนาคารของคุณ",
        "authorise": "ธนาคารชำระเงิน",
        "fail": "ธนาคารปฏิเสธ",
        "expire": "ปล่อยให้ QR หมดอายุ",
        "again": "ชำระเงินซ้ำอีกครั้ง",
        "over": "หน้าชำระเงินนี้ปิดแล้ว",
        "paid": "ชำระเงินแล้ว",
        "onward": "ดำเนินการต่อ",
        "failed": "การชำระเงินไม่สำเร็จ กรุณาลองใหม่อีกครั้ง",
        "waits": "มี QR ที่รอการสแกน",
    },
}
_DECLINES_TH = {
    "Your card was declined.": "บัตรของคุณถูกปฏิเสธ",
    "Your card has insufficient funds.": "ยอดเงินในบัตรของคุณไม่เพียงพอ",
    "Your card has expired.": "บัตรของคุณหมดอายุแล้ว",
    "Your card number is incorrect.": "หมายเลขบัตรของคุณไม่ถูกต้อง",
}

_LAYOUT = """<!doctype html>
<html lang="{{ language }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ words.title }} {{ amount }}</title>
<style>
body { font: 16px/1.6 system-ui, sans-serif; max-width: 28rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
label, button { display: block; width: 100%; margin: .5rem 0; box-sizing: border-box; }
input { width: 100%; min-height: 44px; font: inherit; box-sizing: border-box; }
button { min-height: 44px; font: inherit; }
.double { background: #fff3cd; padding: .5rem; } .error { color: #a40000; }
svg { display: block; margin: 1rem auto; }
</style>
</head>
<body>
<p class="double">{{ words.double }}</p>
<main>
<h1>{{ seller }}: {{ amount }}</h1>
{% if error %}<p class="error" role="alert">{{ error }}</p>{% endif %}
BODY
</main>
</body>
</html>
"""

_PAY = """
{% for item in items %}<p>{{ item.quantity }} × {{ item.description }}</p>{% endfor %}
{% if "card" in methods %}
<form method="post" action="{{ here }}/card">
<h2>{{ words.card }}</h2>
<label>{{ words.email }} <input name="email" type="email" required value="{{ email }}"></label>
<label>{{ words.number }} <input name="number" inputmode="numeric" autocomplete="off" required></label>
<label>{{ words.expiry }} <input name="expiry" inputmode="numeric" autocomplete="off"></label>
<label>{{ words.cvc }} <input name="cvc" inputmode="numeric" autocomplete="off"></label>
<label>{{ words.name }} <input name="name" autocomplete="off" value="{{ payer_name }}"></label>
<button>{{ words.pay.format(amount=amount) }}</button>
</form>
{% endif %}
{% if "promptpay" in methods %}
<form method="post" action="{{ here }}/promptpay">
<h2>{{ words.promptpay }}</h2>
{% if waits %}<p>{{ words.waits }}</p>{% endif %}
<label>{{ words.email }} <input name="email" type="email" required value="{{ email }}"></label>
<button>{{ words.show.format(amount=amount) }}</button>
</form>
{% endif %}
{% if back %}<p><a href="{{ back }}">{{ words.back }}</a></p>{% endif %}
"""

_QR = """
{% if waits %}
<p>{{ words.scan }}</p>
{{ drawn | safe }}
{% else %}
<p>{{ words.paid if is_paid else words.over }}</p>
{% endif %}
{% for verb in verbs %}
<form method="post" action="{{ here }}/{{ verb }}"><button>{{ words[verb] }}</button></form>
{% endfor %}
{% if onward %}<p><a href="{{ onward }}">{{ words.onward }}</a></p>{% endif %}
"""

_OVER = """
<p>{{ words.paid if is_paid else words.over }}</p>
{% if onward %}<p><a href="{{ onward }}">{{ words.onward }}</a></p>{% endif %}
"""

_environment = Environment(autoescape=True)
_TEMPLATES = {
    name: _environment.from_string(_LAYOUT.replace("BODY", body))
    for name, body in (("pay", _PAY), ("qr", _QR), ("over", _OVER))
}


@dataclass(frozen=True)
class Page:
    """What the browser gets: a page, a drawing, or the address to go on to."""

    status: int = 200
    body: str = ""
    goes_to: str = ""
    kind: str = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Visit:
    """A browser's request: its form's fields, and the languages it prefers."""

    method: str
    path: str
    form: Mapping[str, str]
    languages: str = ""


NOT_FOUND = Page(404, "<!doctype html><title>404</title><p>404</p>")


def answer(world: World, visit: Visit) -> Page:
    """The page of a visit, under the lock."""
    with world.lock:
        world.catch_up()
        try:
            return _find(world, visit)
        except ApiError as refused:
            return Page(409, f"<!doctype html><title>409</title><p role=alert>{refused}</p>")


def _find(world: World, visit: Visit) -> Page:
    if found := re.fullmatch(r"/c/pay/(cs_\w+)(?:/(card|promptpay))?", visit.path):
        located = world.locate(found[1])
        if located and found[2] and visit.method == "POST":
            return _pay(world, *located, visit, found[2])
        return _show(*located, visit) if located and not found[2] else NOT_FOUND
    if found := re.fullmatch(r"/promptpay/(pi_\w+?)(\.svg|\.png|/\w+)?", visit.path):
        located = world.locate(found[1])
        if located and found[1] in located[0].checkouts:
            return _scan(world, *located, visit, found[2] or "")
    return NOT_FOUND


# --- the pay page --------------------------------------------------------------------------------


def _show(account: Account, session: Json, visit: Visit, error: str = "") -> Page:
    if session["status"] != "open":
        onward = _success(session) if session["status"] == "complete" else session["cancel_url"]
        is_paid = session["payment_status"] == "paid"
        return _render("over", account, session, visit, onward=onward, is_paid=is_paid)
    intent = account.objects.get(session["payment_intent"] or "") or {}
    failed = _WORDS[_language(session, visit)]["failed"]
    return _render(
        "pay",
        account,
        session,
        visit,
        status=402 if error else 200,
        error=error or (failed if intent.get("last_payment_error") else ""),
        items=checkout.line_items(account, session)["data"],
        methods=session["payment_method_types"],
        here=f"/c/pay/{session['id']}",
        email=visit.form.get("email") or session["customer_email"] or "",
        payer_name=visit.form.get("name", ""),
        back=session["cancel_url"],
        waits=intent.get("status") == "requires_action",
    )


def _pay(world: World, account: Account, session: Json, visit: Visit, method: str) -> Page:
    if session["status"] != "open":
        return _show(account, session, visit)
    if method not in session["payment_method_types"]:
        return NOT_FOUND
    payer = Payer(visit.form.get("email", ""), visit.form.get("name") or None)
    if method == "promptpay":
        intent = checkout.choose_promptpay(world, account, session, payer)
        return Page(303, goes_to=f"/promptpay/{intent['id']}")
    card = cards.read(visit.form.get("number", ""))
    if checkout.pay_by_card(world, account, session, card, payer):
        return Page(303, goes_to=_success(session))
    told = card.decline.message if card.decline else ""
    if _language(session, visit) == "th":
        told = _DECLINES_TH[told]
    return _show(account, session, visit, told)


def _success(session: Json) -> str:
    return str(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))


# --- the QR page ---------------------------------------------------------------------------------


def _scan(world: World, account: Account, intent: Json, visit: Visit, part: str) -> Page:
    session = account.get("checkout.session", account.checkouts[intent["id"]])
    drawn = segno.make(f"{world.address}/promptpay/{intent['id']}", error="m")
    if part in (".svg", ".png"):
        return Page(body=drawn.svg_inline(scale=5), kind="image/svg+xml")
    if visit.method == "POST":
        return _act(world, account, session, part.removeprefix("/"))
    if part:
        return NOT_FOUND
    waits, is_paid = intent["status"] in payments.AWAITED, intent["status"] == "succeeded"
    is_complete = session["status"] == "complete"
    return _render(
        "qr",
        account,
        session,
        visit,
        drawn=drawn.svg_inline(scale=5),
        here=f"/promptpay/{intent['id']}",
        is_paid=is_paid,
        onward=_success(session) if is_complete else session["cancel_url"],
        verbs=_verbs(intent),
        waits=waits,
    )


def _verbs(intent: Json) -> tuple[str, ...]:
    if intent["status"] in payments.AWAITED:
        return ("authorise", "fail", "expire", "again")
    return ("again",) if intent["status"] in ("succeeded", "canceled") else ()


def _act(world: World, account: Account, session: Json, verb: str) -> Page:
    """What the bank does. Its refusal leads back to the pay page, where the guest tries again."""
    intent = account.get("payment_intent", session["payment_intent"])
    if verb not in _verbs(intent):
        return NOT_FOUND
    if verb in ("fail", "expire"):
        checkout.refuse(world, account, session, expired=verb == "expire")
        return Page(303, goes_to=session["url"] or _success(session))
    if intent["status"] in payments.AWAITED:
        checkout.scan(world, account, session)
    if verb == "again":
        checkout.scan_unasked(world, account, session)
    onward = _success(session) if session["status"] == "complete" else session["cancel_url"]
    return Page(303, goes_to=onward or f"/promptpay/{intent['id']}")


# --- drawing -------------------------------------------------------------------------------------


def _language(session: Json, visit: Visit) -> str:
    wanted = session["locale"] or "auto"
    if wanted == "auto":
        wanted = visit.languages
    return "th" if wanted.startswith("th") else "en"


def _render(
    name: str, account: Account, session: Json, visit: Visit, *, status: int = 200, **facts: object
) -> Page:
    language = _language(session, visit)
    total = session["amount_total"]
    body = _TEMPLATES[name].render(
        language=language,
        words=_WORDS[language],
        amount=f"฿{total // 100:,}.{total % 100:02}",
        seller=account.get("account", account.id)["business_profile"]["name"],
        **facts,
    )
    return Page(status, body)
