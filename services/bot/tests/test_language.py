import inspect
from collections.abc import Iterator
from string import Formatter
from typing import Any
from unittest.mock import MagicMock

import discord
import ezcord
import pytest
from ezcord.internal import translation

from bongsu_bot import language
from bongsu_bot.bot import BongsuBot
from bongsu_bot.settings import BotSettings

SEND_METHODS = [
    (discord.abc.Messageable, "send"),
    (discord.Message, "edit"),
    (discord.Message, "reply"),
    (discord.InteractionResponse, "send_message"),
    (discord.InteractionResponse, "send_modal"),
    (discord.InteractionResponse, "edit_message"),
    (discord.Interaction, "edit_original_response"),
    (discord.Interaction, "respond"),
    (discord.Webhook, "send"),
    (discord.Webhook, "edit_message"),
]


def leaves(texts: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in texts.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def placeholders(text: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


def interaction(locale: str) -> MagicMock:
    return MagicMock(spec=discord.Interaction, locale=locale)


@pytest.fixture(autouse=True)
def installed() -> None:
    language.install()


class TestFiles:
    def test_both_languages_have_the_same_keys(self) -> None:
        keys = {name: {key for key, _ in leaves(sections)} for name, sections in language.load().items()}
        # A command's name is translated, and its English one is in the code.
        assert {key for key in keys["ko"] if not key.startswith("commands.")} == {
            key for key in keys["en"] if not key.startswith("commands.")
        }

    def test_both_languages_have_the_same_placeholders(self) -> None:
        korean = dict(leaves(language.load()["ko"]))
        for key, text in leaves(language.load()["en"]):
            if isinstance(text, str):
                assert placeholders(text) == placeholders(korean[key]), key

    def test_no_section_has_the_name_that_ezcord_looks_bare_keys_up_in(self) -> None:
        assert not {"language", "general"} & set(language.load()["en"])

    async def test_every_command_has_texts_that_discord_accepts(self, settings: BotSettings) -> None:
        bot = BongsuBot(settings)
        groups = [one for one in bot.pending_application_commands if isinstance(one, discord.SlashCommandGroup)]
        commands = [one for one in bot.pending_application_commands if isinstance(one, discord.SlashCommand)]
        commands += [one for group in groups for one in group.walk_commands() if isinstance(one, discord.SlashCommand)]
        named: list[discord.SlashCommand | discord.SlashCommandGroup] = [*commands, *groups]
        for command in named:
            for locale, name in {"en-US": command.name, **dict(command.name_localizations or {})}.items():
                discord.commands.core.validate_chat_input_name(name, locale)
            assert "ko" in command.name_localizations, command.qualified_name
        options: list[discord.Option] = [option for one in commands for option in one.options]
        texts: list[discord.SlashCommand | discord.Option] = [*commands, *options]
        for described in texts:
            assert set(described.description_localizations) >= {"ko", "en-US"}, described.name
            for locale, description in described.description_localizations.items():
                discord.commands.core.validate_chat_input_description(description, locale)
        await bot.close()


class TestText:
    @pytest.mark.parametrize(("locale", "start"), [("ko", "🔥 봉수대"), ("en-US", "🔥 The"), ("ja", "🔥 The")])
    def test_text_is_in_the_users_language(self, locale: str, start: str) -> None:
        assert language.text(interaction(locale), "ping.online", latency_ms=5).startswith(start)

    @pytest.mark.parametrize("name", ["{errors.failed}", "{0.__class__}", "{latency_ms}", "{general.x}", "}{"])
    def test_text_shows_a_value_with_braces_as_it_is(self, name: str) -> None:
        assert name in language.text(interaction("ko"), "ping.online", latency_ms=name)


class TestInstall:
    def test_text_is_found_without_a_look_at_source_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inspect, "stack", pytest.fail)
        assert "5" in language.text(interaction("ko"), "ping.online", latency_ms=5)

    def test_install_leaves_the_send_methods_of_discord_alone(self) -> None:
        for owner, method in SEND_METHODS:
            assert "ezcord" not in getattr(owner, method).__module__, method

    async def test_an_error_embed_can_follow_a_deferred_reply(self) -> None:
        deferred = interaction("ko")
        deferred.response.is_done.return_value = True
        deferred.client.guilds = deferred.client.users = []
        sent: list[dict[str, object]] = []

        async def send(*, content: None, embed: discord.Embed, ephemeral: bool) -> None:
            sent.append({"content": content, "description": embed.description, "ephemeral": ephemeral})

        deferred.followup.send = send
        await ezcord.emb.error(deferred, "문제")
        assert sent == [{"content": None, "description": "문제", "ephemeral": True}]


class TestOwnTexts:
    def test_source_files_are_not_read_when_ezcord_looks_up_its_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inspect, "findsource", MagicMock(side_effect=AssertionError("reads a source file")))
        found: dict[str, str] = {}
        call = compile("found['text'] = tr('cmd_name')", "help.py", "exec")
        exec(call, {"found": found, "tr": translation.tr})  # noqa: S102 - ezcord finds a text by its caller's file
        assert found["text"] == "help"
