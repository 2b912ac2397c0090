"""Builds Google's stand-in."""

from fastapi import FastAPI

from bongsu.runtime.dependencies import provide
from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.faults.requests import RequestFaults
from bongsu_sandbox.faults.service import Faults
from bongsu_sandbox.google.endpoints import PREFIX, refuse
from bongsu_sandbox.google.service import GoogleSignIn
from bongsu_sandbox.settings import SandboxSettings
from bongsu_sandbox.sign_in.requests import Client


def provide_google(app: FastAPI, settings: SandboxSettings, faults: Faults, stop: StopSignal, public_url: str) -> None:
    """Build the stand-in on the data folder and provide it."""
    client = Client(
        settings.google_client_id, settings.google_client_secret.get_secret_value(), settings.google_redirect_uris
    )
    on_request = RequestFaults("google", faults, stop, refuse)
    provide(app, GoogleSignIn(client, settings.data_dir / "google", on_request, f"{public_url}{PREFIX}"))
