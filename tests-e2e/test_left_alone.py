"""A browser that was left alone for 20 minutes: its access cookie is gone, and its session goes on."""

import re
from collections.abc import Iterator

import httpx
import pytest
from harness.people import PASSWORD, Person
from harness.stack import Stack

CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


@pytest.fixture
def browser(stack: Stack, person: Person) -> Iterator[httpx.Client]:
    """A browser in which the person is signed in."""
    with stack.client() as client:
        client.follow_redirects = True
        client.headers["Origin"] = stack.url
        body = {"email": person.email, "password": PASSWORD}
        client.post("/auth/login?cookie=true", json=body).raise_for_status()
        yield client


def leave_alone(browser: httpx.Client) -> None:
    """Drop what the browser drops: the access cookie, whose Max-Age is 15 minutes."""
    [access] = [cookie for cookie in browser.cookies.jar if "access" in cookie.name]
    browser.cookies.delete(access.name)


class TestBrowserLeftAlone:
    def test_page_is_shown_signed_in(self, browser: httpx.Client, person: Person) -> None:
        leave_alone(browser)
        page = browser.get("/account")
        assert (page.status_code, page.url.path) == (200, "/account")
        assert [step.url.path for step in page.history] == ["/account", "/auth/session/renew"]
        assert person.email in page.text

    def test_form_that_is_posted_is_not_lost(self, browser: httpx.Client) -> None:
        found = CSRF.search(browser.get("/account").text)
        assert found is not None
        leave_alone(browser)
        form = {"csrf_token": found[1], "name": "돌아온 사람", "locale": "ko"}
        answer = browser.post("/account/profile", data=form)
        assert answer.status_code == 200
        assert (307, "/auth/session/renew") in [(step.status_code, step.url.path) for step in answer.history]
        assert browser.get("/auth/me").json()["name"] == "돌아온 사람"
