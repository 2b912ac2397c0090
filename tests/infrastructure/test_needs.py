import pytest

TESTS = """
    def test_rows(mysql_database_url): ...
    def test_messages(amqp_server_url, queue_prefix): ...
    def test_both(database_url, amqp_server_url): ...
    def test_neither(sqlite_database_url): ...
"""
# A machine without servers, wherever this test runs.
BARE_MACHINE = """
    from tests.infrastructure import private_server
    private_server.find_program = lambda *_, **__: None
"""


@pytest.fixture(autouse=True)
def bare_machine(pytester: pytest.Pytester, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "TEST_MYSQL_URL", "TEST_AMQP_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a third of the time
    pytester.makeconftest(BARE_MACHINE)
    pytester.makepyfile(TESTS)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "xdist", "-p", "tests.infrastructure.servers", *arguments)


class TestNotRunSummary:
    @pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["one process", "xdist"])
    def test_summary_counts_skipped_tests_with_the_remedy(
        self, pytester: pytest.Pytester, arguments: tuple[str, ...]
    ) -> None:
        result = run(pytester, *arguments)

        result.assert_outcomes(passed=1, skipped=4)
        result.stdout.fnmatch_lines(
            [
                "not run: 2 tests needing MySQL: install mariadb-server or set TEST_MYSQL_URL",
                "not run: 3 tests needing RabbitMQ: install rabbitmq-server or set TEST_AMQP_URL",
            ],
            consecutive=True,
        )

    def test_summary_is_empty_when_every_test_ran(self, pytester: pytest.Pytester) -> None:
        result = run(pytester, "-k", "neither")

        result.assert_outcomes(passed=1, deselected=4)
        result.stdout.no_fnmatch_line("not run:*")


class TestCannotRun:
    def test_a_missing_server_fails_the_test_in_ci(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CI", "true")

        result = run(pytester)

        result.assert_outcomes(passed=1, errors=4)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(
            ["*needs MySQL: install mariadb-server or set TEST_MYSQL_URL (in CI nothing may be skipped)*"]
        )

    def test_a_fixture_of_a_module_skips_every_test_of_it(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(
            test_of_module="""
            import pytest
            from tests.infrastructure.needs import cannot_run

            @pytest.fixture(scope="module")
            def browser(request):
                cannot_run(request.node, ("a browser", "install chromium"))

            def test_one(browser): ...
            def test_two(browser): ...
            """
        )
        result = run(pytester, "test_of_module.py")

        result.assert_outcomes(skipped=2)
        result.stdout.fnmatch_lines(["not run: 2 tests needing a browser: install chromium"])
