"""Opening the feedback of a shelf: where it reads what was shown, and what a person wanted then."""

from __future__ import annotations

from penchant.ingest.kinds import Kinds
from penchant.interests.history import read
from penchant.rank.feedback.config import FeedbackConfig
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.following import Following
from penchant.rank.feedback.stage import DAYS_HALF
from penchant.rank.scorers.affinity import read_interest
from penchant.store.columns import ItemColumns
from penchant.store.open import Store
from penchant.store.vectors import Vectors
from penchant.types import Floats


def open_feedback(
    store: Store,
    kinds: Kinds,
    columns: ItemColumns,
    vectors: Vectors,
    days_half: float = DAYS_HALF,
) -> Feedback:
    """Return the feedback of a shelf that has read nothing yet; `reading.catch_up` reads it all.

    `vectors` are those of the snapshot that answers: taste is learned in their space, from where
    the snapshot stands, so that another snapshot needs another one.
    """
    config: FeedbackConfig = store.settings.section("feedback", FeedbackConfig)

    def interest(user: int, now: float) -> Floats | None:
        return read_interest(read(store.log, kinds, user, now), vectors, days_half)

    following = Following(
        config.rate,
        config.taste,
        store.impressions.features,
        interest,
        vectors.rows,
        vectors.dimension,
    )
    feedback = Feedback(config, kinds, following)
    feedback.rates.categorise(columns.category[: columns.n])
    return feedback
