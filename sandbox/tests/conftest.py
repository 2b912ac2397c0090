"""A sandbox of each test's own: as an ASGI app, and behind a real server for AWS's SDK."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aioboto3
import httpx
import pytest
from aiobotocore.config import AioConfig
from fastapi import FastAPI

from bongsu.runtime.settings import PlatformSettings
from bongsu_sandbox.app import create_app
from bongsu_sandbox.running import RunningSandbox, running
from bongsu_sandbox.settings import SandboxSettings
from sandbox.tests.aws import SesClient

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


@pytest.fixture(scope="session")
def aws() -> aioboto3.Session:
    """One session for all tests: it keeps AWS's description of SES, which takes long to read."""
    return aioboto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)


@pytest.fixture
async def ses(sandbox: RunningSandbox, aws: aioboto3.Session) -> AsyncIterator[SesClient]:
    """AWS's own client."""
    async with _client(aws, sandbox, read_timeout_s=30) as client:
        yield client


@pytest.fixture
async def impatient_ses(sandbox: RunningSandbox, aws: aioboto3.Session) -> AsyncIterator[SesClient]:
    """AWS's own client, for requests that are never answered."""
    async with _client(aws, sandbox, read_timeout_s=1) as client:
        yield client


def _client(
    aws: aioboto3.Session, sandbox: RunningSandbox, *, read_timeout_s: float
) -> AbstractAsyncContextManager[SesClient]:
    config = AioConfig(retries={"total_max_attempts": 1}, read_timeout=read_timeout_s, connect_timeout=30)
    client: AbstractAsyncContextManager[SesClient] = aws.client("sesv2", endpoint_url=sandbox.ses_url, config=config)
    return client
