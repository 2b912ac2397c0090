"""What a channel of the page shows: its messages, the private answers in it, and commands without an answer."""

from collections.abc import Iterable
from dataclasses import dataclass

from bongsu_sandbox.discord.channels.service import EPHEMERAL, Message
from bongsu_sandbox.discord.interactions.service import Interaction

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """A message, or a command without one yet. `interaction` None: no command led to the message, or an old one."""

    id: int
    message: Message | None
    interaction: Interaction | None = None

    @property
    def is_private(self) -> bool:
        """Whether only the command's user sees the message."""
        return self.message is not None and bool(self.message.flags & EPHEMERAL)


def list_entries(channel_id: int, messages: Iterable[Message], interactions: Iterable[Interaction]) -> list[Entry]:
    """List the newest entries of a channel, newest first.

    :param messages: those that everybody in the channel sees.
    """
    entries = {message.id: Entry(message.id, message) for message in messages}
    for interaction in interactions:
        if interaction.command.channel_id != channel_id:
            continue
        for answer in interaction.answers:
            if answer.flags & EPHEMERAL or answer.id in entries:
                entries[answer.id] = Entry(answer.id, answer, interaction)
        if not interaction.answers:
            entries[interaction.id] = Entry(interaction.id, None, interaction)
    return sorted(entries.values(), key=lambda entry: -entry.id)[:SHOWN]
