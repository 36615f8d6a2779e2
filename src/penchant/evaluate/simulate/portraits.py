"""The simulated viewers that have names, drawn by hand so that a taste can be read off a slate.

They are no people. Each loves something that a slate shows at once; Bruno turns from westerns to
space opera late in the year, and Zoe has hardly arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Taste = Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Portrait:
    """One named, simulated viewer: what they love, and how they watch.

    `likes` gives facets their weights, `turn` another taste from `turned` on, a share of the
    simulated period; `joined` is the share after which they come, `visits` how many they make a
    year, and `habits` the value of a context dimension that is most usual for them.
    """

    user_id: str
    name: str
    about: str
    likes: Taste
    turn: Taste | None = None
    turned: float = 1.0
    joined: float = 0.0
    visits: float = 45.0
    habits: Mapping[str, str] = field(default_factory=dict)


_WESTERNS: Taste = {
    ("genre", "western"): 2.6,
    ("theme", "gunfighters"): 0.6,
    ("theme", "frontier"): 0.6,
    ("theme", "outlaws"): 0.4,
    ("director", "Sergio Leone"): 0.6,
    ("director", "John Ford"): 0.6,
    ("decade", "1950s"): 0.4,
    ("decade", "1960s"): 0.4,
    ("genre", "space opera"): -0.8,
    ("genre", "horror"): -0.8,
    ("genre", "musical"): -0.8,
}
_SPACE: Taste = {
    ("genre", "space opera"): 2.8,
    ("genre", "science fiction"): 0.5,
    ("theme", "galactic war"): 0.6,
    ("theme", "space travel"): 0.6,
    ("theme", "aliens"): 0.4,
    ("genre", "horror"): -0.8,
    ("genre", "musical"): -0.8,
}
_ALONE = {"device": "tv", "daypart": "evening", "company": "alone"}

PORTRAITS: tuple[Portrait, ...] = (
    Portrait("ada", "Ada", "loves westerns, the older the better", _WESTERNS, habits=_ALONE),
    Portrait(
        "bruno",
        "Bruno",
        "loved westerns and turned to space opera ten weeks before the end",
        _WESTERNS,
        turn=_SPACE,
        turned=0.808,
        visits=80,
        habits=_ALONE,
    ),
    Portrait(
        "keiko",
        "Keiko",
        "follows samurai, swords and Japanese directors",
        {
            ("theme", "samurai"): 2.0,
            ("country", "Japan"): 1.2,
            ("genre", "martial arts"): 1.0,
            ("genre", "history"): 0.6,
            ("theme", "honour"): 0.6,
            ("director", "Akira Kurosawa"): 0.8,
            ("genre", "documentary"): -0.6,
        },
        habits={"device": "laptop", "daypart": "night", "company": "alone"},
    ),
    Portrait(
        "marlene",
        "Marlene",
        "likes detectives, rain and black and white",
        {
            ("genre", "film noir"): 2.2,
            ("genre", "crime"): 1.0,
            ("genre", "mystery"): 1.0,
            ("theme", "detective work"): 0.8,
            ("decade", "1940s"): 0.8,
            ("decade", "1950s"): 0.4,
            ("genre", "family"): -0.8,
        },
        habits={"device": "tv", "daypart": "night", "company": "alone"},
    ),
    Portrait(
        "odile",
        "Odile",
        "watches love stories, best of all French ones that are sung",
        {
            ("genre", "romance"): 1.8,
            ("genre", "musical"): 1.2,
            ("country", "France"): 1.2,
            ("theme", "lost love"): 0.8,
            ("theme", "forbidden love"): 0.6,
            ("theme", "music"): 0.4,
            ("genre", "war"): -0.8,
            ("genre", "horror"): -1.0,
        },
        habits={"device": "tv", "daypart": "evening", "company": "partner"},
    ),
    Portrait(
        "tomas",
        "Tomas",
        "wants to be frightened, late at night and with friends",
        {
            ("genre", "horror"): 2.4,
            ("theme", "monsters"): 0.8,
            ("theme", "ghosts"): 0.8,
            ("theme", "vampires"): 0.6,
            ("decade", "1970s"): 0.4,
            ("decade", "1980s"): 0.4,
            ("genre", "romance"): -0.4,
        },
        habits={"device": "tv", "daypart": "night", "company": "friends"},
    ),
    Portrait(
        "mira",
        "Mira",
        "looks for animation that children and grown-ups can share",
        {
            ("genre", "animation"): 2.2,
            ("genre", "family"): 1.4,
            ("theme", "magic"): 0.6,
            ("theme", "childhood"): 0.6,
            ("theme", "animals"): 0.4,
            ("director", "Hayao Miyazaki"): 0.8,
            ("genre", "horror"): -1.2,
            ("genre", "crime"): -0.6,
        },
        habits={"device": "tablet", "daypart": "afternoon", "company": "family"},
    ),
    Portrait(
        "farid",
        "Farid",
        "prefers quiet drama about families, from anywhere but Hollywood",
        {
            ("genre", "drama"): 1.2,
            ("theme", "parents and children"): 1.0,
            ("theme", "poverty"): 0.8,
            ("theme", "rural life"): 0.8,
            ("country", "Iran"): 1.4,
            ("country", "India"): 0.9,
            ("country", "Italy"): 0.5,
            ("country", "United States"): -0.9,
            ("genre", "action"): -0.6,
        },
        habits={"device": "laptop", "daypart": "evening", "company": "partner"},
    ),
    Portrait(
        "nils",
        "Nils",
        "only trusts documentaries, and history with dates in it",
        {
            ("genre", "documentary"): 2.6,
            ("genre", "history"): 0.8,
            ("theme", "memory"): 0.5,
            ("theme", "nature"): 0.5,
            ("genre", "fantasy"): -0.8,
        },
        habits={"device": "laptop", "daypart": "morning", "company": "alone"},
    ),
    Portrait(
        "zoe",
        "Zoe",
        "came a few days ago and has watched almost nothing; likes comedies",
        {
            ("genre", "comedy"): 2.0,
            ("theme", "satire"): 0.8,
            ("theme", "friendship"): 0.6,
            ("genre", "war"): -0.6,
        },
        joined=0.985,
        visits=150,
        habits={"device": "phone", "daypart": "afternoon", "company": "friends"},
    ),
)
