"""The RPC methods `delegation_get`, `delegation_put` and `delegated_guilds`."""

import asyncio
from collections.abc import Callable
from typing import Final

import discord

from bongsu.contracts.rpc import (
    DelegatedGuilds,
    DelegatedGuildsRequest,
    DelegationGetRequest,
    DelegationPutRequest,
    GuildRole,
    ModuleDelegation,
)
from bongsu.mixins import Database
from bongsu.runtime.errors import ServiceError
from bongsu_bot.delegations import service
from bongsu_bot.errors import NotLinked, RoleNotFound
from bongsu_bot.guilds.authority import Authority
from bongsu_bot.guilds.port import GuildDirectory
from bongsu_bot.rpc.registry import Call, Registry

CONCURRENT_CHECKS: Final = 5
"""Guilds about which Discord is asked at the same time for one request."""
MAX_CHECKS: Final = 20
"""Guilds about which Discord is asked for one request: a member of many must not use up the bot's rate limit."""
FindGuild = Callable[[int], discord.Guild | None]


class DelegationHandlers:
    """Reads and sets which role may manage the modules of a guild.

    :param find_guild: returns a guild from the gateway's cache, if the bot is in it.
    """

    def __init__(
        self, database: Database, directory: GuildDirectory, authority: Authority, find_guild: FindGuild
    ) -> None:
        self._database = database
        self._directory = directory
        self._authority = authority
        self._find_guild = find_guild

    def register(self, registry: Registry) -> None:
        registry.add(DelegationGetRequest, self.get)
        registry.add(DelegationPutRequest, self.put)
        registry.add(DelegatedGuildsRequest, self.list_delegated)

    async def get(self, request: DelegationGetRequest, _call: Call) -> ModuleDelegation:
        found = await self._database.run(service.find, request.guild_id)
        roles = self._list_roles(request.guild_id)
        if found is None:
            return ModuleDelegation(guild_id=request.guild_id, roles=roles)
        return ModuleDelegation(guild_id=request.guild_id, role_id=found.role_id, revision=found.revision, roles=roles)

    async def put(self, request: DelegationPutRequest, call: Call) -> ModuleDelegation:
        """Set the role, after a check at Discord that the user manages the guild and that the guild has the role.

        :raises NotLinked, NotAManager, GuildNotFound, Unavailable: as `Authority.require_for_guild`.
        :raises RoleNotFound: the guild has no such role, or none that a manager can give: everyone's, a bot's.
        :raises DelegationOutdated: another change came first.
        """
        guild = await self._authority.require_for_guild(request.guild_id, call.actor_id)
        if request.role_id is not None and request.role_id not in guild.assignable:
            raise RoleNotFound
        roles = self._list_roles(request.guild_id)
        name = next((role.name for role in roles if role.id == request.role_id), None)
        revision = await self._database.run(service.put, request, call.actor_id, role_name=name)
        return ModuleDelegation(guild_id=request.guild_id, role_id=request.role_id, revision=revision, roles=roles)

    async def list_delegated(self, request: DelegatedGuildsRequest, _call: Call) -> DelegatedGuilds:
        """Ask Discord for the user's roles in those of the guilds that have a delegation."""
        ids = [one for one in request.ids if one > (request.after or -1)]
        roles = await self._database.run(service.list_roles, ids)
        if not roles:
            return DelegatedGuilds()
        try:
            discord_user = await self._authority.find_discord_user(request.user_id)
        except NotLinked:
            return DelegatedGuilds()
        turns = asyncio.Semaphore(CONCURRENT_CHECKS)

        async def has_role(guild_id: int, role_id: int) -> bool:
            async with turns:
                try:
                    return role_id in (await self._directory.get_member_roles(guild_id, discord_user) or ())
                except ServiceError:
                    return False

        checked = [*roles.items()][:MAX_CHECKS]
        found = await asyncio.gather(*(has_role(*one) for one in checked))
        return DelegatedGuilds(
            ids=tuple(one[0] for one, is_one in zip(checked, found, strict=True) if is_one),
            next=checked[-1][0] if len(roles) > len(checked) else None,
        )

    def _list_roles(self, guild_id: int) -> tuple[GuildRole, ...]:
        guild = self._find_guild(guild_id)
        if guild is None or guild.unavailable:
            return ()
        given = (role for role in reversed(guild.roles) if not role.is_default() and not role.managed)
        return tuple(GuildRole(id=role.id, name=role.name) for role in given)
