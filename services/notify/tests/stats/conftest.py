from services.notify.tests.notifications.conftest import api, each_api

__all__ = ["api", "each_api"]
