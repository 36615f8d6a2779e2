"""What the clock says: hour, part of the day, weekday, weekend and season, where the person is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

DAY = 86_400.0
VALUES: Mapping[str, tuple[str, ...]] = {
    "hour": tuple(f"{hour}-{hour + 2}" for hour in range(0, 24, 2)),
    "daypart": ("night", "morning", "afternoon", "evening"),
    "weekday": (
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    ),
    "weekend": ("no", "yes"),
    "season": ("winter", "spring", "summer", "autumn"),
}  # fmt: skip
"""The fields of the clock and the values of each, in the order in which `read` numbers them."""

_EPOCH_WEEKDAY = 3  # the first of January 1970 was a Thursday
_SAID_FROM, _SAID_TO = -6e10, 2.5e11  # seconds that a calendar has: the years 69 to 9892


def read(
    times: npt.NDArray[np.float64], zone: ZoneInfo | None = None, south: bool = False
) -> dict[str, npt.NDArray[np.int32]]:
    """Return the value of each field of the clock at these times, int32[n], by its place in VALUES.

    `times` are seconds in UTC; `zone` says where the clock hangs, None in UTC. A change of summer
    time counts from its midnight on.
    """
    local = np.clip(np.asarray(times, dtype=np.float64), _SAID_FROM, _SAID_TO)
    days = np.floor(local / DAY)
    if zone is not None:
        each, back = np.unique(days, return_inverse=True)
        local = local + np.array([_offset(zone, int(day)) for day in each.tolist()])[back]
        days = np.floor(local / DAY)
    hour = ((local - days * DAY) // 3600).astype(np.int32)
    weekday = ((days.astype(np.int64) + _EPOCH_WEEKDAY) % 7).astype(np.int32)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    season = ((months + 1) // 3 % 4 + (2 if south else 0)) % 4
    return {
        "hour": hour // 2,
        "daypart": hour // 6,
        "weekday": weekday,
        "weekend": (weekday >= 5).astype(np.int32),
        "season": season.astype(np.int32),
    }


@lru_cache(maxsize=20_000)
def _offset(zone: ZoneInfo, day: int) -> float:
    """Return by how many seconds a zone is ahead of UTC on a day (since 1970), at noon."""
    noon = datetime.fromtimestamp((day + 0.5) * DAY, UTC).astimezone(zone)
    found = noon.utcoffset()
    return 0.0 if found is None else found.total_seconds()
