"""Projects: servers of the settings with what opens them. Addresses of rooms name one, and do not hold its secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from egress.call.connector import ConnectorError, connector
from workers.payload import shown
from workers.sentences import At, sentences

Projects = Mapping[str, Mapping[str, Any]]
"""Connector objects without their rooms, by name."""

NO_PROJECT = "unknown_project"
"""The code of an address whose project is not there, or is of another kind."""


def resolved(address: Mapping[str, Any], projects: Projects | None) -> dict[str, Any]:
    """The address laid over what its project says, if it names one. Raises At.

    Without ``projects``, as where a message is only sent, what can be said without them is checked and the address
    stays as it is.
    """
    name = address.get("project")
    if name is None:
        return dict(address)
    if not isinstance(name, str):
        raise At("project", "must be the name of a project of the settings")
    if "url" in address:
        raise At("url", f"may not stand beside a project: what opens '{shown(name)}' is for its own server alone")
    if projects is None:
        return dict(address)
    found = projects.get(name)
    if found is None:
        known = f"known are {', '.join(projects)}" if projects else "the worker's settings have none"
        raise At("project", f"'{shown(name)}' is no project; {known}")
    if found.get("type") != address.get("type"):
        raise At("project", f"'{name}' is a project of the connector {found.get('type')}")
    return {**found, **{field: value for field, value in address.items() if field != "project"}}


def problems(projects: Projects) -> Iterator[str]:
    """A sentence for each thing that keeps one of the projects from being used, beginning with its name."""
    for name, project in projects.items():
        type_ = project.get("type")
        try:
            address = connector(type_ if isinstance(type_, str) else "").Address
        except ConnectorError as error:
            yield f"{name}: {error}"
            continue
        if "project" in project:
            yield f"{name}.project: a project cannot name another one"
        else:
            yield from (f"{name}.{line}" for line in _wrong(project, address))


def _wrong(project: Mapping[str, Any], address: type[BaseModel]) -> list[str]:
    """What is wrong with it, but for what a room's address adds to it."""
    try:
        address.model_validate(project)
    except ValidationError as error:
        lines = sentences(error, address)
        return [line for line in lines if line.startswith("url:") or not line.endswith(": is missing")]
    return []
