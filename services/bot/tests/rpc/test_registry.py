import pytest

from bongsu.broker import RpcError
from bongsu.contracts.rpc import GuildCount, GuildCountRequest, GuildListRequest
from bongsu_bot.rpc.registry import Call, Registry


async def count(request: GuildCountRequest, _call: Call) -> GuildCount:
    return GuildCount(guilds=request.shard or 0, shards_answered=1, shards=1)


async def answer_with_a_count(_request: GuildListRequest, _call: Call) -> GuildCount:
    raise AssertionError


class TestAdd:
    def test_add_raises_when_the_handler_returns_another_answer(self) -> None:
        with pytest.raises(TypeError, match="guild_list is answered with GuildList"):
            Registry().add(GuildListRequest, answer_with_a_count)

    def test_add_raises_when_the_method_is_registered_already(self) -> None:
        registry = Registry()
        registry.add(GuildCountRequest, count)
        with pytest.raises(ValueError, match="guild_count"):
            registry.add(GuildCountRequest, count)


class TestRead:
    def test_read_returns_the_typed_request_and_its_handler(self) -> None:
        registry = Registry()
        registry.add(GuildCountRequest, count)
        assert registry.read({"method": "guild_count", "shard": 3}) == (GuildCountRequest(shard=3), count)

    @pytest.mark.parametrize("method", ["guild_list", None, ["guild_count"], {}])
    def test_read_raises_when_the_method_is_not_registered(self, method: str | None) -> None:
        registry = Registry()
        registry.add(GuildCountRequest, count)
        with pytest.raises(RpcError, match="unknown_method"):
            registry.read({"method": method})


class TestCall:
    def test_remaining_time_is_positive_when_the_deadline_has_passed(self) -> None:
        assert Call(deadline=0).remaining_s > 0

    def test_actor_id_raises_when_no_assertion_was_verified(self) -> None:
        with pytest.raises(LookupError, match="GuildCommand"):
            _ = Call(deadline=0).actor_id
