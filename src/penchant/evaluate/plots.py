"""Plots of a report as inline HTML and SVG: they stretch to any width, their text does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from penchant.evaluate.report import Curve
from penchant.measure.intervals import Interval


def figure(value: float, digits: int = 3) -> str:
    """Return a number as it is shown, an en dash where it is not known."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round values that span `low` to `high`, at most `most` + 1 of them."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [0.0, 1.0]
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * n for n in (1, 2, 2.5, 5, 10) if size * n >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, last + 1)]


def signed(value: float) -> str:
    """Return a difference as it is shown, with its sign."""
    if not math.isfinite(value):
        return "–"
    return "0.000" if abs(value) < 0.0005 else f"{value:+.3f}".replace("-", "−")


def ladder(
    rungs: Sequence[tuple[str, str, Interval, Sequence[float], bool]], label: str, style: str = ""
) -> str:
    """Return one line a rung: name, remark, interval, what others reach, and whether it is ours.

    All rungs share an axis that starts at zero.
    """
    known = [value for _, _, one, others, _ in rungs for value in (one.high, one.mean, *others)]
    marks = ticks(0.0, max([v for v in known if math.isfinite(v)], default=1.0))
    top = marks[-1] or 1.0
    grid = "".join(f'<i style="left:{_part(mark, top)}"></i>' for mark in marks)
    rows = []
    for name, remark, one, others, ours in rungs:
        small = f"<small>{escape(remark)}</small>" if remark else ""
        track = grid + "".join(
            f'<s style="left:{_part(value, top)}"></s>' for value in others if math.isfinite(value)
        )
        spread = ""
        if math.isfinite(one.mean):
            wide = _part(one.high - one.low, top)
            track += f'<u style="left:{_part(one.low, top)};width:{wide}"></u>'
            track += f'<b style="left:{_part(one.mean, top)}"></b>'
            spread = f" <small>{figure(one.low)}–{figure(one.high)}</small>"
        rows.append(
            f'<div class="row {"ours" if ours else "rival"}">'
            f'<div class="name">{escape(name)}{small}</div><div class="track">{track}</div>'
            f'<div class="value">{figure(one.mean)}{spread}</div></div>'
        )
    digits = _digits(marks)
    scale = "".join(
        f'<span style="left:{_part(mark, top)}">{mark:.{digits}f}</span>' for mark in marks
    )
    rows.append(
        f'<div class="row" aria-hidden="true"><div></div><div class="axis">{scale}</div></div>'
    )
    inner = "".join(rows)
    return f'<div class="ladder {style}" role="group" aria-label="{escape(label)}">{inner}</div>'


def lines(curves: Sequence[Curve], kinds: Sequence[str], label: str) -> str:
    """Return curves over time with a key; `kinds` names the style class of each."""
    shown = [(c, k) for c, k in zip(curves, kinds, strict=True) if len(c.times) > 1]
    if not shown:
        return ""
    times = np.concatenate([curve.times for curve, _ in shown])
    values = np.concatenate([curve.values for curve, _ in shown])
    begin, end = float(times.min()), float(times.max())
    marks = ticks(0.0, float(np.nanmax(values)) or 1.0, 4)
    top, width = marks[-1], max(end - begin, 1e-9)
    rules = "".join(
        f'<line x1="0" x2="1000" y1="{y:.1f}" y2="{y:.1f}"/>'
        for y in (1000 * (1 - mark / top) for mark in marks)
    )
    paths = "".join(
        f'<path class="{kind}{" main" if n == 0 else ""}" d="{_path(curve, begin, width, top)}"/>'
        for n, (curve, kind) in reversed(list(enumerate(shown)))
    )
    ys = "".join(
        f'<span style="top:{100 * (1 - mark / top):.1f}%">{mark:.{_digits(marks)}f}</span>'
        for mark in marks
    )
    spots = np.linspace(begin, end, 5)
    xs = "".join(
        f'<span style="left:{25 * n}%">{_moment(spot, width)}</span>'
        for n, spot in enumerate(spots)
    )
    key = "".join(
        f'<li><svg width="22" height="3" class="{kind}" aria-hidden="true"><rect width="22" '
        f'height="{3 if n == 0 else 2}" rx="1" fill="currentColor"/></svg>'
        f"{escape(curve.label)}</li>"
        for n, (curve, kind) in enumerate(shown)
    )
    return (
        f'<div class="plot" role="img" aria-label="{escape(label)}"><div class="ys">{ys}</div>'
        f'<div class="field"><svg viewBox="0 0 1000 1000" preserveAspectRatio="none">{rules}{paths}'
        f'</svg></div><div class="xs">{xs}</div></div><ul class="key">{key}</ul>'
    )


def _path(curve: Curve, begin: float, width: float, top: float) -> str:
    points = (
        f"{1000 * (time - begin) / width:.1f} {1000 * (1 - value / top):.1f}"
        for time, value in zip(curve.times, curve.values, strict=True)
        if math.isfinite(value)
    )
    return "M" + "L".join(points)


def _part(value: float, whole: float) -> str:
    return f"{100 * max(0.0, min(1.0, value / whole)):.2f}%"


def _digits(marks: Sequence[float]) -> int:
    step = marks[1] - marks[0]
    return next(n for n in range(1, 10) if abs(step * 10**n - round(step * 10**n)) < 1e-6)


def _moment(seconds: float, span: float) -> str:
    when = np.datetime64(round(seconds), "s").astype(object)
    if span < 3 * 86400:
        return f"{when.day} {when:%b, %H:%M}"
    return f"{when.day} {when:%b %Y}"
