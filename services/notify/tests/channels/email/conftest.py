"""Lets all clients of SES read botocore's data once.

A session reads and parses 2 MB of JSON for its first client: that was most of the time of a test that opens one.
"""

from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest


@pytest.fixture(scope="package", autouse=True)
def shared_data() -> Iterator[None]:
    """Give every session the loader of the first one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield
