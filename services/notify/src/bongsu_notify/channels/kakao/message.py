"""A KakaoTalk message, rendered from a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bongsu_notify.channels.port import Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class KakaoMessage(Outgoing):
    """A message.

    :param sender_id: the user who sends it; None for one of the system.
    :param template: Kakao's `template_object`.
    """

    to_user_id: UUID
    sender_id: UUID | None
    template: Mapping[str, Any]


def build_template(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return Kakao's template of a content, as `KakaoContent` has it."""
    feed = content.get("feed")
    if feed is None:
        return {"object_type": "text", "text": content["text"], "link": _link(content.get("link"))}
    parts = {name: feed[name] for name in ("title", "description", "image_url") if feed.get(name) is not None}
    buttons = [{"title": button["title"], "link": _link(button["link"])} for button in feed.get("buttons") or ()]
    card = {"object_type": "feed", "content": {**parts, "link": _link(feed.get("link"))}}
    return card | ({"buttons": buttons} if buttons else {})


def _link(url: str | None) -> Mapping[str, str]:
    return {"web_url": url, "mobile_web_url": url} if url is not None else {}
