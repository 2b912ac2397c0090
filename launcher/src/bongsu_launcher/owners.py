"""The owners of tables."""

import pkgutil
from importlib import import_module
from importlib.util import find_spec

import bongsu_auth
import bongsu_bot
import bongsu_notify
from bongsu import outbox
from bongsu_auth import migrations as auth
from bongsu_bot import migrations as bot
from bongsu_notify import migrations as notify

MIGRATIONS = (outbox.MIGRATIONS, auth.MIGRATIONS, notify.MIGRATIONS, bot.MIGRATIONS)
"""Every owner's history, in the order of migration."""

# Privileges are granted on the tables of the models that are loaded, and the bot loads its commands by name.
for service in (bongsu_auth, bongsu_notify, bongsu_bot):
    for feature in pkgutil.iter_modules(service.__path__, f"{service.__name__}."):
        if feature.ispkg and find_spec(f"{feature.name}.models") is not None:
            import_module(f"{feature.name}.models")
