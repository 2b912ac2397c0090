"""The wire shapes, compared with files: a change that breaks messages already on a queue fails here."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import ValidationError

from bongsu.contracts.channels import ChannelList, ChannelListRequest
from bongsu.contracts.guild_commands import CommandsPutRequest, CommandState, GuildCommands
from bongsu.contracts.guilds import GuildJoined, GuildLeft, GuildListItem, GuildSummary, GuildUnavailable, GuildUpdated
from bongsu.contracts.jobs import DeliveryWakeup, EmailRecipient, NotificationJob
from bongsu.contracts.rpc import (
    CommandUse,
    GuildChange,
    GuildChannel,
    GuildCount,
    GuildCountRequest,
    GuildDetail,
    GuildDetailRequest,
    GuildHistory,
    GuildHistoryRequest,
    GuildLeave,
    GuildLeaveRequest,
    GuildList,
    GuildListRequest,
    GuildModules,
    MessageSent,
    ModuleGetRequest,
    ModulePutRequest,
    ModuleState,
    SendMessageRequest,
)
from bongsu.contracts.tokens import AccessClaims, AssertionClaims
from bongsu.contracts.wire import Wire

GOLDEN = Path(__file__).parent / "golden"
SOMEONE = UUID("01936f00-0000-7000-8000-000000000001")
SOMETHING = UUID("01936f00-0000-7000-8000-000000000002")
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
GUILD = GuildSummary(
    id=300000000006422528,
    name="서울 개발자 모임",
    icon="a1b2c3",
    owner_id=200000000000000005,
    member_count=1289,
    status="active",
    joined_at=AT,
)

SHAPES: dict[str, Wire] = {
    "notification_job": NotificationJob(
        id=SOMETHING,
        template="verify-email",
        locale="ko",
        to=EmailRecipient(email="bongsu@example.com", name="김봉수"),
        user_id=SOMEONE,
        sealed_variables="k1.c2VhbGVk",
        priority="high",
        expires_at=AT,
    ),
    "send_message_request": SendMessageRequest(
        channel_id=300000000006422539,
        on_behalf_of=SOMEONE,
        nonce="AZfCpB8AcACAAAAAAAAAAA",
        text="봉수가 올랐습니다",
        embed={"title": "봉수"},
    ),
    "module_get_request": ModuleGetRequest(guild_id=GUILD.id),
    "guild_modules": GuildModules(
        guild_id=GUILD.id,
        modules=(
            ModuleState(module="feed"),
            ModuleState(
                module="log", enabled=True, channel_id=300000000006422539, revision=3, missing=("send_messages",)
            ),
        ),
    ),
    "module_put_request": ModulePutRequest(
        guild_id=GUILD.id,
        module="log",
        enabled=True,
        channel_id=300000000006422539,
        revision=2,
        assertion="eyJ.eyJ.sig",
        idempotency_key="0f9c1a52-module",
    ),
    "commands_put_request": CommandsPutRequest(
        guild_id=GUILD.id, off=("users",), revision=1, assertion="eyJ.eyJ.sig", idempotency_key="0f9c1a52-commands"
    ),
    "guild_commands": GuildCommands(
        guild_id=GUILD.id, commands=(CommandState(name="ping"), CommandState(name="users", is_off=True)), revision=2
    ),
    "message_sent": MessageSent(message_id=400000000000000001, channel_id=300000000006422539),
    "delivery_wakeup": DeliveryWakeup(notification_id=SOMETHING),
    "access_claims": AccessClaims(
        iss="http://localhost:8000",
        sub=SOMEONE,
        exp=1795512600,
        iat=1795511700,
        jti=SOMETHING,
        sid=SOMETHING,
        role="user",
        scope="account notifications:read",
        auth_time=1795511700,
        amr=("pwd",),
    ),
    "assertion_claims": AssertionClaims(
        iss="http://localhost:8000",
        sub=SOMEONE,
        aud="bot",
        method="guild_leave",
        target="guild:300000000002228224",
        exp=1795511760,
        iat=1795511700,
        jti=SOMETHING,
        sid=SOMETHING,
    ),
    "guild_joined": GuildJoined(guild=GUILD, at=AT),
    "guild_left": GuildLeft(guild=GUILD.model_copy(update={"status": "left", "left_at": AT}), at=AT),
    "guild_updated": GuildUpdated(guild=GUILD, at=AT),
    "guild_unavailable": GuildUnavailable(guild=GUILD.model_copy(update={"status": "unavailable"}), at=AT),
    "guild_count_request": GuildCountRequest(shard=1),
    "guild_count": GuildCount(guilds=3, shards_answered=1, shards=2),
    "guild_list_request": GuildListRequest(ids=(GUILD.id,), after=300000000002228224, limit=50),
    "guild_list": GuildList(guilds=(GuildListItem(**GUILD.model_dump(), added_by="박하늘"),), next=GUILD.id),
    "guild_detail_request": GuildDetailRequest(guild_id=GUILD.id),
    "guild_detail": GuildDetail(
        guild_id=GUILD.id,
        missing=("embed_links",),
        channels=(GuildChannel(id=400000000000000001, name="공지", category="안내", missing=("send_messages",)),),
        at=AT,
    ),
    "channel_list_request": ChannelListRequest(guild_id=GUILD.id),
    "channel_list": ChannelList(
        guild_id=GUILD.id,
        channels=(GuildChannel(id=400000000000000001, name="공지", category="안내", missing=("send_messages",)),),
    ),
    "guild_history_request": GuildHistoryRequest(guild_id=GUILD.id, limit=5),
    "guild_history": GuildHistory(
        changes=(GuildChange(at=AT, kind="removed", actor="김봉수"),),
        commands=(CommandUse(at=AT, command="ping", outcome="done"),),
    ),
    "guild_leave_request": GuildLeaveRequest(
        guild_id=GUILD.id, assertion="eyJ.eyJ.sig", idempotency_key="0f9c1a52-leave"
    ),
    "guild_leave": GuildLeave(guild_id=GUILD.id, left_at=AT),
}


def _golden(name: str) -> str:
    return (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHAPES)
class TestGoldenFiles:
    def test_shape_serialises_to_its_file(self, name: str) -> None:
        assert SHAPES[name].model_dump(mode="json") == json.loads(_golden(name))

    def test_file_parses_to_the_shape(self, name: str) -> None:
        assert type(SHAPES[name]).model_validate_json(_golden(name)) == SHAPES[name]

    def test_unknown_field_is_ignored(self, name: str) -> None:
        newer = json.loads(_golden(name)) | {"added_in_a_later_version": True}
        assert type(SHAPES[name]).model_validate(newer) == SHAPES[name]

    def test_missing_field_is_refused(self, name: str) -> None:
        shape = type(SHAPES[name])
        required = [field for field, info in shape.model_fields.items() if info.is_required()]
        for field in required:
            less = {key: value for key, value in json.loads(_golden(name)).items() if key != field}
            with pytest.raises(ValidationError, match=field):
                shape.model_validate(less)


def test_every_golden_file_belongs_to_a_shape() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(SHAPES)
