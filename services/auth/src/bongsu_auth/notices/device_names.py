"""Short names of devices, for mails: a User-Agent is written by the client, and may hold any text."""

import re
from typing import Final

# In this order: Edge names Chrome and Safari as well, Chrome names Safari, Android names Linux.
_BROWSERS: Final = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Whale/": "Whale",
    "KAKAOTALK": "KakaoTalk",
    "SamsungBrowser": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS: Final = {
    "Windows": "Windows",
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
_PRODUCT: Final = re.compile(r"[A-Za-z][A-Za-z_-]{1,19}(?=/)")


def device_name(user_agent: str | None) -> str:
    """Return a name such as `Chrome, Windows`; for a program its own, such as `curl`; empty for an unknown device."""
    text = user_agent or ""
    browser = next((name for sign, name in _BROWSERS.items() if sign in text), None)
    system = next((name for sign, name in _SYSTEMS.items() if sign in text), None)
    if browser is None and system is None:
        product = _PRODUCT.match(text)
        return product.group() if product is not None else ""
    return ", ".join(name for name in (browser, system) if name is not None)
