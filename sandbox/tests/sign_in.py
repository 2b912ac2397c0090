"""A sign-in at Google's and Kakao's stand-ins, as an application and a browser do it."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

MINJI, SEOJUN, EMMA = 1, 3, 4
CALLBACK = "http://localhost:8000/auth/oauth/provider/callback"


async def decide(
    http: httpx.AsyncClient, authorize: str, query: dict[str, str], persona: int, **form: str | list[str]
) -> dict[str, str]:
    """Decide on the consent page. Returns the parameters with which the browser comes back."""
    data: dict[str, str | list[str]] = {"persona": str(persona), "decision": "allow", **form}
    answer = await http.post(authorize, params=query, data=data)
    assert answer.status_code == 303, answer.text
    location = answer.headers["location"]
    assert location.startswith(f"{CALLBACK}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}
