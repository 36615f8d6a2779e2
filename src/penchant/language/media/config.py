"""Section `media`: where the catalogue names pictures, sounds and ready vectors."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, model_validator

KINDS = ("picture", "sound", "vector")


class MediaConfig(BaseModel):
    """Section `media`: what items are beside their text.

    `picture`, `sound` and `vector` name the attribute of an item that holds a file, a list of
    files, or a list of numbers; "" for none. `picture_model` and `sound_model` are folders of ONNX
    models, as CLIP and CLAP are exported; `vector_length` is how many numbers a ready vector has.
    Files are looked for below `root`, by default the directory, and nowhere else; a file has at
    most `megabytes`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    picture: str = ""
    picture_model: str = ""
    sound: str = ""
    sound_model: str = ""
    vector: str = ""
    vector_length: int = Field(default=0, ge=0, le=8192)
    root: str = ""
    megabytes: float = Field(default=32.0, gt=0)

    @model_validator(mode="after")
    def _complete(self) -> MediaConfig:
        for kind, needed in (("picture", "picture_model"), ("sound", "sound_model")):
            if getattr(self, kind) and not getattr(self, needed):
                raise ValueError(f"{kind} needs {needed}, the folder of the model that reads it")
        if self.vector and not self.vector_length:
            raise ValueError("vector needs vector_length, how many numbers each has")
        return self

    def named(self) -> Iterator[tuple[str, str]]:
        """Yield the kinds that there are, each with the attribute that holds it."""
        for kind in KINDS:
            if attribute := getattr(self, kind):
                yield kind, attribute
