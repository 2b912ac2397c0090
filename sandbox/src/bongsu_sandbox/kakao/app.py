"""Builds Kakao's stand-in."""

from collections.abc import Callable

from fastapi import FastAPI

from bongsu.runtime.dependencies import provide
from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.faults.requests import RequestFaults
from bongsu_sandbox.faults.service import Faults
from bongsu_sandbox.kakao.endpoints import PREFIX, refuse
from bongsu_sandbox.kakao.messages import Messages
from bongsu_sandbox.kakao.service import KakaoSignIn
from bongsu_sandbox.kakao.talk import MessageFaults
from bongsu_sandbox.settings import SandboxSettings
from bongsu_sandbox.sign_in.requests import Client


def provide_kakao(
    app: FastAPI, settings: SandboxSettings, faults: Faults, stop: StopSignal, public_url: str
) -> Callable[[], None]:
    """Build the stand-in on the data folder and provide it. Returns what closes it."""
    client = Client(
        settings.kakao_client_id, settings.kakao_client_secret.get_secret_value(), settings.kakao_redirect_uris
    )
    on_request = RequestFaults("kakao", faults, stop, refuse)
    sign_in = KakaoSignIn(client, settings.data_dir / "kakao", on_request, f"{public_url}{PREFIX}")
    sign_in.consent_items = settings.kakao_consent_items
    messages = Messages(settings.data_dir / "kakao" / "messages.jsonl")
    provide(app, sign_in, messages, MessageFaults("kakao_message", faults, stop, refuse))
    return messages.close
