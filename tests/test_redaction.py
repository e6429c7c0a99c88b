"""Secrets inside attributes, and those that one walk over a text passes over."""

from typing import Any, Final

import pytest

from logstore.masks import Rule, RuleSet, preset
from logstore.masks.redaction import REDACTED, Redactor

SCRUBBED: Final = (
    (["backup", "--password", "a b", "--verbose"], ["backup", "--password", REDACTED, "--verbose"]),
    (["--password", "a", "--token", "b", "x"], ["--password", REDACTED, "--token", REDACTED, "x"]),
    (["password=a", "--token", "b"], [f"password={REDACTED}", "--token", REDACTED]),
    (["sudo", "mysql", "-u", "root", "-pa", "shop"], ["sudo", "mysql", "-u", "root", REDACTED, "shop"]),
    (["sshpass", "-p", "it's a", "ssh", "db"], ["sshpass", "-p", REDACTED, "ssh", "db"]),
    (["curl", "-u", "alice:a", "http://db"], ["curl", "-u", REDACTED, "http://db"]),
    (["redis-cli", "-a", "a", "ping"], ["redis-cli", "-a", REDACTED, "ping"]),
    (["openssl", "-passin", "pass:a b", "-in"], ["openssl", "-passin", REDACTED, "-in"]),
    (("x", 1, ["--password", "a"]), ["x", 1, ["--password", REDACTED]]),
    (["x" * 900, "--password", "a"], ["x" * 900, "--password", REDACTED]),
    (["Cookie: a", "Host: db"], [f"Cookie: {REDACTED}", "Host: db"]),
    ({"argv": ["--password", "a"]}, {"argv": ["--password", REDACTED]}),
    ({"auth": {"value": "a"}, "value": "b"}, {"auth": {"value": REDACTED}, "value": "b"}),
    ({"in": {"auth": {"value": ["a"]}}}, {"in": {"auth": {"value": [REDACTED]}}}),
    ({"secret": {"x": {"y": ["a", 7]}}}, {"secret": {"x": {"y": [REDACTED, REDACTED]}}}),
    ({"pass": "a"}, {"pass": REDACTED}),
    ({"Pass": "a", "pw": "b", "jwt": "c"}, {"Pass": REDACTED, "pw": REDACTED, "jwt": REDACTED}),
    ({"cookies": {"sid": "a"}, "n": 1}, {"cookies": {"sid": REDACTED}, "n": 1}),
    ({"secrets": ["a", {"db": "b"}]}, {"secrets": [REDACTED, {"db": REDACTED}]}),
    ({"authorization": "a7"}, {"authorization": REDACTED}),
    ({"credentials": {"user": "u", "pass": "a"}}, {"credentials": {"user": "u", "pass": REDACTED}}),
    ([{"name": "password", "value": "a"}], [{"name": "password", "value": REDACTED}]),
    ({"Value": {"x": "a"}, "Key": "api-key"}, {"Value": {"x": REDACTED}, "Key": "api-key"}),
    ([["Authorization", "Bearer a"], ["Host", "db"]], [["Authorization", REDACTED], ["Host", "db"]]),
    ({"headers": [("x-api-key", "a")]}, {"headers": [["x-api-key", REDACTED]]}),
    ({"secret": ["Cookie", "a=b"]}, {"secret": [REDACTED, REDACTED]}),
    (["fence_ipmilan", "-p", "a", "-o", "on"], ["fence_ipmilan", "-p", REDACTED, "-o", "on"]),
)

INNOCENT: Final = (
    ["backup", "--password", "--verbose"],
    ["--password", ""],
    ["sshpass", "-e", "ssh", "-p", "2222", "db"],
    ["docker", "run", "-u", "1000:1000", "redis"],
    ["AUTH", "failed"],
    ["the password is wrong", "db is down", "rc=7"],
    [["--password"], "x"],
    {"auth": {"result": "failed", "user": "alice"}},
    {"auth": {"token": 3000}},
    {"credentials": {"user": "alice"}},
    {"state": {"value": "down"}},
    ["password", "expired"],
    ["Authorization", "failed"],
    ["Host", "db"],
    {"pass": 12, "fail": 3, "cookies": 7, "secrets": 3},
    {"name": "p_web", "value": "down"},
    {"name": "token", "value": 3000},
    {"name": "db password check", "value": "failed"},
    {"name": 7, "value": "down"},
    {"authorization": "failed"},
)


@pytest.fixture(scope="module")
def secrets() -> Redactor:
    found = preset("secrets")
    assert found is not None
    return Redactor(found)


@pytest.mark.parametrize(("value", "scrubbed"), SCRUBBED)
def test_a_secret_in_a_value_goes(secrets: Redactor, value: Any, scrubbed: Any) -> None:
    assert secrets.value(value) == scrubbed
    assert secrets.value(scrubbed) == scrubbed


@pytest.mark.parametrize("value", INNOCENT)
def test_a_value_without_secrets_stays(secrets: Redactor, value: Any) -> None:
    assert secrets.value(value) == value


def test_what_lies_between_a_program_and_its_secret_is_scrubbed_too(secrets: Redactor) -> None:
    said = "curl -H 'Authorization: Bearer {0}' -d password={0} -u a:{0} --proxy-user b:{0} http://db"
    assert secrets.text(said.format("s3cr3ts3cr3t")) == said.format(REDACTED)


def test_a_rule_that_finds_its_own_placeholder_comes_to_an_end() -> None:
    grows = RuleSet("grows", "redact", (Rule("x", "a|<a", "<a>", "a", "b"),))
    assert len(Redactor(grows).text("a")) < 1_000
