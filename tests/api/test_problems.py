"""What an error is told as."""

import json

from pymongo.errors import AutoReconnect, ExecutionTimeout

from api.problems import problem_of


def test_a_read_that_takes_too_long_is_told_apart_from_a_database_that_is_away() -> None:
    slow, away = (
        json.loads(bytes(problem_of(error).body))
        for error in (ExecutionTimeout("operation exceeded time limit", 50), AutoReconnect("gone"))
    )
    assert slow["status"] == away["status"] == 503
    assert "ask for less" in slow["detail"]
    assert "submission" not in slow["detail"]
    assert "the database does not answer" in away["detail"]
