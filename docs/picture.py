"""Draws the README's picture from a real run of the demo: docs/img/demo.svg.

python docs/picture.py [DIRECTORY]     # a demo shelf that `penchant demo` made, else a new one
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from penchant.engine import open_engine
from penchant.evaluate.simulate import NOTICE, simulate
from penchant.serve.commands.answering import reasons
from penchant.serve.commands.demonstration import EVENTS, GENRE, VIEWER, VIEWERS
from penchant.serve.demo import scene, story

ROOT = Path(__file__).resolve().parent
WIDTH = 104
PAPER = TerminalTheme(
    (252, 252, 250),
    (40, 44, 52),
    [(40, 44, 52), (196, 52, 44), (28, 128, 68), (160, 108, 0), (36, 92, 184), (136, 60, 148),
     (0, 120, 136), (120, 124, 132)],
)  # fmt: skip
# Fonts are the reader's own: a picture must not fetch anything.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.S).replace(
    "Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono"
)


def draw(directory: Path) -> None:
    """Tell the story in `directory`, and write down what it looked like."""
    world = simulate(0, n_users=VIEWERS, n_events=EVENTS)
    kept = story.unled(world)
    known = story.films(world)
    person = next(one for one in world.portraits if one.user_id == VIEWER)
    screen = Console(
        record=True, width=WIDTH, file=io.StringIO(), markup=False, emoji=False, highlight=False,
        force_terminal=True, color_system="truecolor",
    )  # fmt: skip
    categories = {item: film.genres[0] for item, film in known.items()}
    ready = story.prepare(directory, 0, "fast")
    with open_engine(directory, effort="fast") as engine:
        if not ready:
            story.fill(engine, kept)
            engine.train()
        story.take_back(engine)
        screen.print(Text(NOTICE, style="yellow"))
        turns = world.turn(person.user_id, GENRE, 1)
        for one in story.tell(
            engine, turns, known, lambda slate: reasons(engine, slate, categories, 1), now=world.end
        ):
            if one.event is None:
                screen.print(scene.first(one, known, person))
            else:
                screen.print(scene.after(one, known, person, GENRE))
        story.take_back(engine)
    svg = screen.export_svg(
        title="penchant demo", theme=PAPER, code_format=FORMAT, unique_id="penchant"
    )
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.S)
    (ROOT / "img").mkdir(exist_ok=True)
    (ROOT / "img" / "demo.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        draw(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            draw(Path(folder) / "demo-shelf")
