"""The owners of tables."""

from bongsu import outbox
from bongsu_auth import app as auth
from bongsu_bot import app as bot
from bongsu_notify import app as notify

MIGRATIONS = (outbox.MIGRATIONS, auth.MIGRATIONS, notify.MIGRATIONS, bot.MIGRATIONS)
"""Every owner's history, in the order of migration."""
