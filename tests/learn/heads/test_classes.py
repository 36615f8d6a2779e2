from __future__ import annotations

import numpy as np
import pytest

from clouds import cloud
from penchant.learn.heads.classes import learn_classes
from penchant.learn.heads.config import HeadConfig
from penchant.measure.calibration import calibration_error, separation
from penchant.types import InvalidInput

QUICK = HeadConfig(strengths=(1.0, 10.0), folds=3)


def accuracy(head, rows: np.ndarray, labels: np.ndarray) -> float:
    names = np.array(head.names)[head.predict(rows).values.argmax(axis=1)]
    return float((names == labels).mean())


def test_it_learns_and_says_how_well() -> None:
    head = learn_classes(*cloud(), "e", QUICK)
    rows, labels = cloud(seed=1)
    got = accuracy(head, rows, labels)
    assert got > 0.95
    assert abs(head.learned["accuracy"] - got) < 0.05
    assert head.names == tuple(sorted(set(labels)))


def test_the_same_seed_learns_the_same() -> None:
    a, b = (learn_classes(*cloud(), "e", QUICK) for _ in range(2))
    np.testing.assert_array_equal(a.linear.weights, b.linear.weights)
    assert a.familiarity.least == b.familiarity.least


def test_probabilities_mean_what_they_say() -> None:
    rows, labels = cloud(1200, noise=0.5)
    head = learn_classes(rows, labels, "e", HeadConfig(strengths=(0.1,)))
    asked, truth = cloud(1200, noise=0.5, seed=1)
    said = head.predict(asked).values
    right = np.array(head.names)[said.argmax(axis=1)] == truth
    assert calibration_error(said.max(axis=1), right) < 0.06
    assert head.learned["calibration_error"] < head.learned["calibration_error_before"]
    # One so strongly held back is far less sure than it may be.
    assert head.learned["temperature"] < 1.0


def test_labels_that_were_left_out_are_unknown() -> None:
    rows, labels = cloud(600, labels=6, noise=0.15)
    seen = np.isin(labels, ["label 0", "label 1", "label 2", "label 3"])
    head = learn_classes(rows[seen], labels[seen], "e", QUICK)
    asked, truth = cloud(600, labels=6, noise=0.15, seed=1)
    new = np.isin(truth, ["label 4", "label 5"])
    said = head.predict(asked)
    assert separation(~new, said.familiar) > 0.98
    assert said.known[~new].mean() > 0.85
    assert said.known[new].mean() < 0.1


def test_the_share_that_is_kept_can_be_chosen() -> None:
    asked = cloud(600, seed=1)[0]
    kept = [
        learn_classes(*cloud(600), "e", HeadConfig(strengths=(10.0,), kept=share))
        .predict(asked)
        .known.mean()
        for share in (0.5, 0.8, 0.99)
    ]
    assert np.allclose(kept, (0.5, 0.8, 0.99), atol=0.07)


def test_unlabelled_texts_are_learned_from_where_it_pays() -> None:
    rows, labels = cloud(1200, noise=0.5)
    few = np.concatenate([np.flatnonzero(labels == name)[:3] for name in sorted(set(labels))])
    rest = np.setdiff1d(np.arange(len(rows)), few)
    plain = learn_classes(rows[few], labels[few], "e", QUICK)
    taught = learn_classes(rows[few], labels[few], "e", QUICK, unlabelled=rows[rest])
    asked, truth = cloud(1200, noise=0.5, seed=1)
    assert taught.learned["unlabelled"] > 0
    assert accuracy(taught, asked, truth) > accuracy(plain, asked, truth) + 0.01


def test_unlabelled_texts_that_do_not_pay_are_left_alone() -> None:
    rows, labels = cloud(200, noise=0.05)
    other = np.random.default_rng(0).normal(size=(300, rows.shape[1])).astype(np.float32)
    head = learn_classes(rows, labels, "e", QUICK, unlabelled=other)
    assert head.learned["unlabelled"] == 0
    assert accuracy(head, rows, labels) == 1.0


def test_noise_is_not_learned_from_and_calibration_is_not_made_up() -> None:
    rows, labels = cloud(24, noise=0.2)
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(size=(40, rows.shape[1])).astype(np.float32)
        head = learn_classes(rows, labels, "e", QUICK, unlabelled=noise)
        assert head.learned["unlabelled"] == 0
        # Two dozen texts that all came out right do not show what is sure to a billionth.
        assert head.learned["calibration_error"] > 1e-3


def test_two_labels_one_text_each_are_enough() -> None:
    rows = np.eye(4, dtype=np.float32)[:2]
    head = learn_classes(rows, ["a", "b"], "e", QUICK)
    assert head.predict(rows).values.argmax(axis=1).tolist() == [0, 1]


def test_rows_that_a_tuned_encoder_has_seen_do_not_calibrate() -> None:
    rows, labels = cloud(400, noise=0.5)
    folds = np.full(400, -1)
    folds[:100] = 0
    # Those it was tuned on look far easier than they are.
    rows[100:] = cloud(400, noise=0.01)[0][100:]
    head = learn_classes(rows, labels, "e", QUICK, folds=folds)
    assert head.learned["accuracy"] < 0.95
    asked, truth = cloud(400, noise=0.5, seed=2)
    assert abs(head.learned["accuracy"] - accuracy(head, asked, truth)) < 0.1


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["a"] * 8, "at least two labels"),
        (["a"] * 7, "one each"),
        (["a", "unknown"] * 4, "other than 'unknown'"),
        (["a", None] * 4, "labels that are words"),
        (["a", ""] * 4, "labels that are words"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(labels: list, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        learn_classes(cloud(8)[0], labels, "e")


def test_a_wrong_configuration_is_refused() -> None:
    for wrong in ({"strengths": ()}, {"folds": 1}, {"kept": 1.0}, {"remembered": 0}):
        with pytest.raises(InvalidInput):
            HeadConfig(**wrong)  # type: ignore[arg-type]
