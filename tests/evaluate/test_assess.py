"""A whole evaluation on a small world: the table is ordered, paired, and repeatable."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from penchant.evaluate.assess import FRESHNESS, contest, facts, freshness
from penchant.evaluate.baselines.ease import Ease
from penchant.evaluate.baselines.popular import Popular
from penchant.evaluate.entrants import Entrant, baselines
from penchant.evaluate.plan import plan
from penchant.evaluate.replay import walk


@pytest.fixture(scope="module")
def made():
    # Sixty people of two tastes, each taking ten of the twenty items of theirs, one an hour.
    rng = np.random.default_rng(1)
    rows = [
        (f"u{u}", f"{'ab'[u % 2]}{i}", 3600.0 * (n * 60 + u) + 1e9)
        for u in range(60)
        for n, i in enumerate(rng.permutation(20)[:10])
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return plan(frame.sort("timestamp"), quantile=0.8)


@pytest.fixture(scope="module")
def table(made):
    rivals = list(baselines(made, tuned=False))
    ours = Entrant("ours", lambda: nullcontext(Popular().fit(made.train)), {"a": 1})
    return contest(made, [ours, *rivals], "ours", k=5)


def test_every_baseline_takes_part_and_the_subject_is_first(table):
    names = [row.system for row in table.rows]
    assert names[0] == "ours"
    assert set(names[1:]) == {"popular", "popular, 7 days", "ItemKNN", "iALS", "EASE"}
    means = [row.metrics["NDCG@5"].mean for row in table.rows[1:]]
    assert means == sorted(means, reverse=True)
    assert table.requests == 121
    assert [curve.label for curve in table.curves] == names


def test_leads_are_the_subjects(table):
    assert table.rows[0].lead is None
    assert table.row("popular").lead.mean == 0.0
    ease = table.row("EASE")
    assert ease.lead.mean == pytest.approx(
        table.rows[0].metrics["NDCG@5"].mean - ease.metrics["NDCG@5"].mean
    )
    assert ease.lead.high < 0
    assert table.rows[0].settings == {"a": 1}


def test_lists_that_came_up_beside_take_part(made):
    ours = Entrant("ours", lambda: nullcontext(Popular().fit(made.train)))
    side = walk(Popular().fit(made.train), made, 5)
    seen = []
    made_table = contest(
        made,
        [ours],
        "ours",
        k=5,
        parts=lambda: {"beside": side, "silent": replace(side, ranked=0 * side.ranked - 1)},
        progress=lambda *one: seen.append(one),
    )
    assert made_table.row("beside").lead.mean == 0.0
    assert [row.system for row in made_table.parts] == ["beside"]
    assert made_table.rivals == ()
    assert seen[-1] == ("ours", 121, 121)


def test_freshness_goes_from_live_to_frozen(made):
    table = freshness(made, lambda arm: nullcontext(Ease(10.0).fit(made.train)), k=5)
    assert [row.system for row in table.rows] == list(reversed(FRESHNESS.values()))
    assert table.kind == "freshness"
    assert table.rows[0].lead is None
    assert table.rows[-1].lead is not None


def test_facts_name_the_size_and_the_cut(made):
    said = facts(made)
    assert said["users"] == 60
    assert said["training events"] + said["events after the cut"] == 600
    assert said["cut"].startswith("2001-09-")


def test_settings_are_tuned_before_the_cut(made):
    tuned = {one.name: one.settings for one in baselines(made, tuned=True, budget=0.0)}
    assert tuned["EASE"] == {"penalty": 200.0}
    assert tuned["popular"] == {}


def test_the_closed_form_is_left_out_where_it_does_not_fit(made, monkeypatch):
    monkeypatch.setattr("penchant.evaluate.entrants.EASE_LIMIT", 5)
    assert "EASE" not in {one.name for one in baselines(made, tuned=False)}
