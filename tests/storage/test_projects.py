"""Projects and their members."""

from datetime import UTC, datetime

import pytest

from core.errors import Conflict, NotFound
from core.project import Project, ProjectRole, new_id
from core.user import User
from storage.record import Record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANNA, BEN, ROOT = User("anna", "labeller"), User("ben", "labeller"), User("root", "admin")


def added(record: Record, name: str = "streaks", **members: ProjectRole) -> Project:
    project = Project(
        id=new_id(),
        name=name,
        description="",
        classes=("no_streak", "streak"),
        members=members or {"anna": "admin"},
        created=NOW,
        last_modified=NOW,
    )
    record.projects.add(project)
    return project


def test_a_project_is_read_as_it_was_written(record: Record) -> None:
    project = added(record)
    assert record.projects.get(project.id) == project
    with pytest.raises(Conflict, match="there is or was a project"):
        record.projects.add(project)


def test_everybody_sees_their_own_projects_and_an_administrator_all(record: Record) -> None:
    mine, other = added(record, anna="admin", ben="user"), added(record, ben="admin")
    assert [project.id for project in record.projects.of_user(ANNA)] == [mine.id]
    assert {project.id for project in record.projects.of_user(BEN)} == {mine.id, other.id}
    assert {project.id for project in record.projects.of_user(ROOT)} == {mine.id, other.id}
    assert (mine.role_of(ANNA), mine.role_of(BEN), other.role_of(ANNA)) == ("admin", "user", None)
    assert other.role_of(ROOT) == "admin"


def test_a_project_that_was_removed_is_not_found_and_its_id_stays_taken(record: Record) -> None:
    project = added(record)
    record.projects.remove(project.id)
    for attempt in (record.projects.get, record.projects.remove, record.projects.change):
        with pytest.raises(NotFound, match="there is no project"):
            attempt(project.id)
    assert record.projects.of_user(ROOT) == []
    with pytest.raises(Conflict):
        record.projects.add(project)


def test_the_last_admin_of_a_project_stays(record: Record) -> None:
    project = added(record, anna="admin", ben="user")
    with pytest.raises(Conflict, match="'anna' is the last admin"):
        record.projects.remove_member(project.id, "anna")
    with pytest.raises(Conflict, match="'anna' is the last admin"):
        record.projects.set_member(project.id, "anna", "user")
    assert record.projects.set_member(project.id, "ben", "admin").members == {"anna": "admin", "ben": "admin"}
    assert record.projects.remove_member(project.id, "anna").members == {"ben": "admin"}
    with pytest.raises(NotFound, match="no member"):
        record.projects.remove_member(project.id, "anna")


def test_a_removed_account_is_no_member_any_more(record: Record) -> None:
    record.accounts.add("anna", "a-password-of-anna", "labeller")
    project = added(record, anna="user", ben="admin")
    record.accounts.remove("anna")
    assert record.projects.get(project.id).members == {"ben": "admin"}
