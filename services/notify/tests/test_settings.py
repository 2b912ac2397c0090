import pytest
from pydantic import SecretStr

from bongsu_notify.settings import NotifySettings


class TestWithStandIns:
    def test_sandbox_replaces_the_provider_when_it_has_no_credentials(self) -> None:
        settings = NotifySettings().with_stand_ins("http://sandbox:8000")
        assert settings.ses_endpoint_url == "http://sandbox:8000/sandbox/ses"
        assert settings.sandbox
        assert settings.ses_access_key_id

    @pytest.mark.parametrize(
        "real",
        [
            NotifySettings(ses_access_key_id="AKIA", ses_secret_access_key=SecretStr("secret")),
            NotifySettings(ses_endpoint_url="http://127.0.0.1:5000"),
        ],
        ids=["credentials", "endpoint"],
    )
    def test_provider_is_kept_when_it_has_credentials(self, real: NotifySettings) -> None:
        assert real.with_stand_ins("http://sandbox:8000") is real

    def test_provider_is_kept_when_there_is_no_sandbox(self) -> None:
        assert not NotifySettings().with_stand_ins(None).sandbox
