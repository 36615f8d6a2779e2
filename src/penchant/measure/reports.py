"""What a training and an evaluation tell: data, and the same in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class TrainReport:
    """What a training learned, kept, left out and measured; `data` is the snapshot's manifest.

    `snapshot` is the one that serves now: the new one, or the one before where `published` is False
    because the new one did worse; `data["gate"]` has the comparison.
    """

    snapshot: str
    data: Mapping[str, Any] = field(repr=False)

    @property
    def published(self) -> bool:
        """Whether what was learned serves now."""
        return bool(self.data.get("published", True))

    @property
    def measured(self) -> Mapping[str, float]:
        """NDCG@10 of each contender on the newest requests, which none of them had seen."""
        measured: Mapping[str, float] = self.data["choice"]["measured"]
        return measured

    def __str__(self) -> str:
        data, choice, gate = self.data, self.data["choice"], self.data.get("gate")
        serving = f"snapshot {self.snapshot}: learned"
        if not self.published:
            serving = f"not published, snapshot {self.snapshot} goes on serving: this one learned"
        lines = [
            f"{serving} from {data['events']:,} events of "
            f"{data['users']:,} people on {data['items']:,} items in "
            f"{data['total_seconds']:.0f} s (effort {data['effort']})",
            f"scorer: {choice['scorer']}"
            + (f" of {choice['trees']} trees" if choice["scorer"] == "ranker" else ""),
            "NDCG@10 on the newest requests:",
        ]
        ranked = sorted(self.measured.items(), key=lambda pair: -pair[1])
        lines += [f"  {name:<18} {value:.4f}" for name, value in ranked]
        lines += [
            f"  {name} adds {gain:+.4f}" + (", left out" if name in data["left_out"] else "")
            for name, gain in data["ablation"].items()
        ]
        if data.get("categories") is not None:
            lines.append(_of_categories(data["categories"]))
        if gate is not None:
            lines.append(f"against snapshot {gate['against']}: {gate['reason']}")
            if gate["interval"] is not None:
                low, high = gate["interval"]
                lines.append(
                    f"  NDCG@10 {gate['ndcg']:.4f}, before {gate['ndcg_before']:.4f}, difference "
                    f"[{low:+.4f}, {high:+.4f}] on {gate['requests']:,} requests that neither saw"
                )
        if data.get("search") is not None:
            lines.append(data["search"]["summary"])
        return "\n".join(lines)


def _of_categories(found: Mapping[str, Any]) -> str:
    """Return how many categories were derived from texts, and how well that was met."""
    said = f"{found['missing']:,} items have no category: "
    if not found["derived"]:
        return (
            f"{said}none was derived from their texts ({found['labelled']:,} items have one of "
            f"{found['named']:,}; of those held out {found['precision']:.0%} were met)"
        )
    return (
        f"{said}{found['derived']:,} were derived from their texts (of {found['share']:.0%} of the "
        f"held-out ones something was said, right in {found['precision']:.0%}), "
        + ("and count as features" if found["counted"] else "and do not count as features")
    )


@dataclass(frozen=True)
class Report:
    """An evaluation: tables and curves as data, and a page that shows them."""

    data: Mapping[str, Any] = field(repr=False)
    html: str = field(repr=False)
    text: str = ""

    @classmethod
    def read(cls, data: Mapping[str, Any], folder: Path) -> Report:
        """Return the report whose data are at hand, and whose page and text lie in `folder`."""
        page, text = (folder / f"report.{kind}" for kind in ("html", "txt"))
        return cls(data, page.read_text("utf-8"), text.read_text("utf-8"))

    def to_json(self, path: str | None = None) -> str:
        """Return the report as JSON, written to `path` if given."""
        import json
        from pathlib import Path

        content = json.dumps(self.data, ensure_ascii=False, indent=1)
        if path is not None:
            Path(path).write_text(content, encoding="utf-8")
        return content

    def to_html(self, path: str | None = None) -> str:
        """Return the report as one self-contained page, written to `path` if given."""
        from pathlib import Path

        if path is not None:
            Path(path).write_text(self.html, encoding="utf-8")
        return self.html

    def __str__(self) -> str:
        return self.text
