"""The shapes that all schemas are made of, and the one in which a request is refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

Id = str | int
When = float | str


class Closed(BaseModel):
    """What has these members and no others."""

    model_config = ConfigDict(extra="forbid")


class Open(BaseModel):
    """What may have members of the caller's own."""

    model_config = ConfigDict(extra="allow")


class Problem(Open):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="What kind of problem it is: urn:penchant:problem:...")
    title: str
    status: int
    detail: str = Field(description="What was expected, what came, and what to do.")
    instance: str = Field(description="The id of the request, as in X-Request-ID.")
