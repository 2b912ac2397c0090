"""Names of devices in mails."""

import pytest

from bongsu_auth.notices.device_names import device_name

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        (
            f"Mozilla/5.0 (Linux; Android 15; SM-S921N) {WEBKIT} SamsungBrowser/28.0 Chrome/130.0",
            "Samsung Internet, Android",
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {WEBKIT} Version/18.1 Safari/604.1",
            "Safari, iPhone",
        ),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/140.0 Safari/537.36", "Chrome, macOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("curl/8.5.0", "curl"),
        ("python-httpx/0.28", "python-httpx"),
        ("Your account is locked: call https://evil.example/", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_device_name_holds_no_text_of_the_client(user_agent: str | None, name: str) -> None:
    assert device_name(user_agent) == name
