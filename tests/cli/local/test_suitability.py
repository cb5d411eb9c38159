"""What is said of servers that somebody else runs."""

import pytest

from cli.local.suitability import Finding, examine_mongo, examine_redis

PASSWORD = "sesame/open"  # its slash ends the host, so that the rest is taken for a port


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.mark.parametrize(
    "url", [f"redis://me:{PASSWORD}@there:6379/0", f"//{PASSWORD}", "redis://h/?x=sesame"]
)
def test_a_malformed_redis_url_is_named_and_not_quoted(url: str) -> None:
    finding = only(examine_redis(url))
    assert finding.fatal
    assert "DA_REDIS_URL" in finding.found
    assert "sesame" not in str(finding)


@pytest.mark.parametrize(
    "url", [f"mongodb://me:{PASSWORD}@there/", f"mongo://{PASSWORD}", "mongodb://sesame@o@h"]
)
def test_a_malformed_mongo_url_is_named_and_not_quoted(url: str) -> None:
    finding = only(examine_mongo(url, "database"))
    assert finding.fatal
    assert "DA_MONGO_URL" in finding.found
    assert "sesame" not in str(finding)
