"""What every answer tells the browser to allow: as little as possible."""

import secrets

from flask import Flask, Response, current_app, g, request

from cbt.web.access import Access, Door


def nonce() -> str:
    """This answer's script nonce, made when first asked for."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return str(g.nonce)


def init_headers(app: Flask) -> None:
    app.after_request(_set_headers)
    app.jinja_env.globals["nonce"] = nonce


def _set_headers(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{nonce()}'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "worker-src 'self'",
            "manifest-src 'none'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"  # addresses hold signed links
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-cache" if _is_public() else "no-store")
    return response


def _is_public() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "access", None) == Access(Door.PUBLIC)
