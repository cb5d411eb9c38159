"""Labelling projects and who is a member of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from core.errors import Conflict, NotFound
from core.project import Project, ProjectRole
from core.user import User
from storage.database import Document, Mongo

_THERE: Document = {"removed": None}


class ProjectRepository:
    """The collection `projects`. One that was removed is kept, with the time, and is not found any more."""

    def __init__(self, database: Mongo) -> None:
        self._projects = database["projects"]

    def add(self, project: Project) -> None:
        """Record a new project; raises Conflict for an id that is or was taken."""
        try:
            self._projects.insert_one(_document(project))
        except DuplicateKeyError as error:
            raise Conflict(f"there is or was a project {project.id!r} already") from error

    def get(self, project: str) -> Project:
        """One project; raises NotFound."""
        found = self._projects.find_one({"_id": project} | _THERE)
        if found is None:
            raise _no_project(project)
        return _project(found)

    def of_user(self, user: User) -> list[Project]:
        """The projects that a user is a member of, the newest first; all of them for an administrator."""
        query = _THERE if user.role == "admin" else _THERE | {"members.user": user.name}
        return [_project(found) for found in self._projects.find(query).sort([("created", -1), ("_id", 1)])]

    def change(self, project: str, **fields: object) -> Project:
        """Set name, description, classes, classifier or overlap; raises NotFound."""
        change = {"$set": fields | {"last_modified": datetime.now(UTC)}}
        found = self._projects.find_one_and_update({"_id": project} | _THERE, change, return_document=True)
        if found is None:
            raise _no_project(project)
        return _project(found)

    def touch(self, project: str) -> None:
        """Note that something of the project has changed."""
        self._projects.update_one({"_id": project}, {"$max": {"last_modified": datetime.now(UTC)}})

    def remove(self, project: str) -> None:
        """Remove a project; its data sets and labels stay on record. Raises NotFound."""
        now = datetime.now(UTC)
        if not self._projects.update_one({"_id": project} | _THERE, {"$set": {"removed": now}}).matched_count:
            raise _no_project(project)

    def set_member(self, project: str, user: str, role: ProjectRole) -> Project:
        """Make a user a member, or give one another role; raises NotFound, Conflict for the last admin."""
        self._keep_an_admin(project, user, role)
        members: Document = {"$filter": {"input": "$members", "cond": {"$ne": ["$$this.user", user]}}}
        with_them: Document = {"$concatArrays": [members, [{"user": user, "role": role}]]}
        return self._set_members(project, with_them)

    def remove_member(self, project: str, user: str) -> Project:
        """Take a member away, whose labels stay; raises NotFound, Conflict for the last admin."""
        self._keep_an_admin(project, user, None)
        return self._set_members(
            project, {"$filter": {"input": "$members", "cond": {"$ne": ["$$this.user", user]}}}
        )

    def _set_members(self, project: str, members: Document) -> Project:
        change: Document = {"$set": {"members": members, "last_modified": "$$NOW"}}
        found = self._projects.find_one_and_update({"_id": project} | _THERE, [change], return_document=True)
        if found is None:
            raise _no_project(project)
        return _project(found)

    def _keep_an_admin(self, project: str, user: str, role: ProjectRole | None) -> None:
        """Two admins that leave at once may leave none; the service's administrators are always there."""
        members = self.get(project).members
        if role is None and user not in members:
            raise NotFound(f"{user[:80]!r} is no member of this project")
        if role != "admin" and [name for name, own in members.items() if own == "admin"] == [user]:
            raise Conflict(f"{user!r} is the last admin of this project; make another member one first")


def _no_project(project: str) -> NotFound:
    return NotFound(f"there is no project {project[:80]!r}")


def _document(project: Project) -> Document:
    return {
        "_id": project.id,
        "name": project.name,
        "description": project.description,
        "classes": list(project.classes),
        "classifier": project.classifier,
        "overlap": project.overlap,
        "members": _members(project.members),
        "created": project.created,
        "last_modified": project.last_modified,
        "removed": None,
    }


def _members(members: Mapping[str, ProjectRole]) -> Sequence[Document]:
    return [{"user": user, "role": role} for user, role in members.items()]


def _project(document: Document) -> Project:
    return Project(
        id=document["_id"],
        name=document["name"],
        description=document["description"],
        classes=tuple(document["classes"]),
        classifier=document["classifier"],
        overlap=document.get("overlap", 0),
        members={member["user"]: member["role"] for member in document["members"]},
        created=document["created"],
        last_modified=document["last_modified"],
    )
