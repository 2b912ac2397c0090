"""The cookies and the traits of a browser that signs in."""

from fastapi import Request, Response

from bongsu.identity.cookies import AuthCookies
from bongsu_auth.sessions.service import Tokens


def put_tokens(cookies: AuthCookies, response: Response, tokens: Tokens) -> None:
    """Hands a session's tokens to a browser, which keeps them from scripts."""
    response.headers["Cache-Control"] = "no-store"
    cookies.set(response, cookies.access, tokens.access_token, max_age_s=tokens.expires_in)
    cookies.set(response, cookies.refresh, tokens.refresh_token, max_age_s=tokens.refresh_expires_in)


def user_agent_of(request: Request) -> str | None:
    """As it is listed to the user: bounded, without control characters."""
    sent = request.headers.get("user-agent")
    return "".join(char for char in sent[:255] if char.isprintable()) if sent else None
