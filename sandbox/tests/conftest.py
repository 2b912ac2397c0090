"""A sandbox of each test's own: as an ASGI app, and behind a real server for AWS's SDK."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aioboto3
import httpx
import pytest
from aiobotocore.config import AioConfig
from fastapi import FastAPI

from bongsu.runtime.settings import PlatformSettings
from bongsu_sandbox.app import create_app
from bongsu_sandbox.running import RunningSandbox, running
from bongsu_sandbox.settings import SandboxSettings

REGION = "ap-northeast-2"


@pytest.fixture
def settings(tmp_path: Path) -> SandboxSettings:
    return SandboxSettings(data_dir=tmp_path / "sandbox")


@pytest.fixture
def app(settings: SandboxSettings) -> FastAPI:
    return create_app(settings, PlatformSettings())


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the app without a server between them."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8000") as client,
    ):
        yield client


@pytest.fixture
async def sandbox(settings: SandboxSettings) -> AsyncIterator[RunningSandbox]:
    async with running(settings) as started:
        yield started


@pytest.fixture
async def ses(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    """AWS's own client; its operations are made when the program runs, hence Any."""
    session = aioboto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    config = AioConfig(retries={"total_max_attempts": 1}, read_timeout=1, connect_timeout=1)
    async with session.client("sesv2", endpoint_url=sandbox.ses_url, config=config) as client:
        yield client
