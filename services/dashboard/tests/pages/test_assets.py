import gzip
import hashlib
import re
from importlib import resources

import pytest

from bongsu.runtime.dependencies import find
from bongsu_dashboard.pages.assets import Assets
from services.dashboard.tests.fake_notifications import a_notification
from services.dashboard.tests.fakes import MINA, a_guild, a_summary
from services.dashboard.tests.stage import Stage

STATIC = resources.files("bongsu_dashboard").joinpath("static")
GUILD = 8 << 22
ASSET = re.compile(r'(?:href|src)="(/static/[^"]+)"')
VENDOR = STATIC.joinpath("vendor")


class TestVendoredFiles:
    def test_vendored_file_has_its_published_checksum(self) -> None:
        lines = VENDOR.joinpath("SHA256SUMS").read_text().splitlines()
        sums: dict[str, str] = {name: digest for digest, name in (line.split("  ") for line in lines)}
        assert sums == {name: hashlib.sha256(VENDOR.joinpath(name).read_bytes()).hexdigest() for name in sums}

    def test_each_has_its_sum_and_its_licence(self) -> None:
        names = {item.name for item in VENDOR.iterdir()} - {"README.md", "SHA256SUMS"}
        assert {line.split("  ")[1] for line in VENDOR.joinpath("SHA256SUMS").read_text().splitlines()} == names
        code = {name for name in names if not name.endswith(".LICENSE")}
        assert {name.replace(".min.js", "").replace(".min.css", "") + ".LICENSE" for name in code} == names - code


class TestAssets:
    async def test_an_address_holds_the_digest_and_is_kept_for_ever(self, stage: Stage) -> None:
        url = find(stage.app(), Assets).url("dashboard.css")
        answer = await stage.browser().get(url)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == "text/css; charset=utf-8"
        assert hashlib.sha256(answer.content).hexdigest()[:16] in url

    async def test_another_versions_address_is_answered_but_not_kept(self, stage: Stage) -> None:
        answer = await stage.browser().get("/static/0000000000000000/dashboard.css")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")

    async def test_asset_is_compressed_when_the_client_accepts_gzip(self, stage: Stage) -> None:
        url = find(stage.app(), Assets).url("vendor/htmx-4.0.1.min.js")
        client = stage.browser().client
        packed, plain = [
            await client.get(url, headers={"Accept-Encoding": encoding}) for encoding in ("gzip", "identity")
        ]
        assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
        assert packed.content == plain.content

    @pytest.mark.parametrize("name", ["../app.py", "vendor/README.md", "vendor/SHA256SUMS", "x.css", "..%2fapp.py"])
    async def test_nothing_else_is_served(self, stage: Stage, name: str) -> None:
        assert (await stage.browser().get(f"/static/0000000000000000/{name}")).status_code == 404

    @pytest.mark.parametrize("path", ["/account", f"/guilds/{GUILD}", "/notifications"])
    async def test_a_page_with_all_that_it_loads_stays_under_60_kilobytes(self, stage: Stage, path: str) -> None:
        stage.directory.managed_by[MINA] = [a_guild(GUILD, "봉수대 개발팀")]
        stage.bot.known[GUILD] = a_summary(GUILD)
        stage.notifications.items = [a_notification(f"알림 {number}") for number in range(60)]
        client = stage.mina().client
        page = await client.get(path, headers={"Accept-Encoding": "gzip"})
        loaded = [page, *[await client.get(url) for url in ASSET.findall(page.text)]]
        assert len(loaded) == 7
        assert [answer.headers["content-encoding"] for answer in loaded if len(answer.content) > 1000] == ["gzip"] * 6
        assert sum(len(gzip.compress(answer.content, 6)) for answer in loaded) < 60_000
