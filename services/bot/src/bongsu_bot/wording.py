"""What the bot says, in Korean and English."""

from collections.abc import Mapping
from typing import Final

KOREAN: Final = "ko"

_WORDS: Mapping[str, Mapping[str, str]] = {
    "ko": {
        "help_title": "봉수 도움말",
        "help_lead": "이 서버에서 쓸 수 있는 명령입니다.",
        "ping": "🔥 봉수대에 불이 살아 있습니다. 게이트웨이 왕복 {latency_ms}ms",
        "ping_unmeasured": "🔥 봉수대에 불이 살아 있습니다.",
        "failed": "문제가 생겨 명령을 마치지 못했습니다. 문의할 때 오류 번호 `{error_id}`를 알려 주세요.",
        "not_allowed": "이 명령을 쓸 권한이 없습니다.",
        "slow_down": "잠시 뒤에 다시 해 주세요.",
        "unknown": "이 명령은 이제 없습니다. 잠시 뒤 목록에서 사라집니다.",
        "unavailable": "지금은 응답할 수 없습니다. 잠시 뒤에 다시 해 주세요.",
    },
    "en": {
        "help_title": "Bongsu help",
        "help_lead": "The commands that you can use in this server.",
        "ping": "🔥 The beacon is lit. Gateway round trip {latency_ms} ms",
        "ping_unmeasured": "🔥 The beacon is lit.",
        "failed": "Something went wrong, and the command did not finish. To report it, give the error id `{error_id}`.",
        "not_allowed": "You may not use this command.",
        "slow_down": "Try again in a moment.",
        "unknown": "This command is gone. It will disappear from the list shortly.",
        "unavailable": "No answer is possible right now. Try again in a moment.",
    },
}


def say(locale: str | None, key: str, **values: object) -> str:
    """A text in the language of whoever gave the command: Korean, or English for all others."""
    return _WORDS[language(locale)][key].format(**values)


def language(locale: str | None) -> str:
    """`ko` or `en`, by Discord's locale."""
    return KOREAN if locale == KOREAN else "en"
