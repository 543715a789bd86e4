"""Make the frozen files of what a shop decides by: run once, from the root of the version that is frozen.

PYTHONPATH=.:tests python tests/vectors/0.2/make_decision.py
"""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

from client.decision.recommendation.learned import keep, learn
from client.decision.recommendation.past import make_past
from client.decision.response.experiment import plan_experiment
from taste_world import DAYS, START, draw_rows, make_purchases

HERE = Path(__file__).parent / "decision"


def make(folder: Path) -> None:
    """Learn a small world, and plan an experiment."""
    purchases, day = make_purchases(draw_rows(customers=40)), START + timedelta(DAYS)
    keep(folder, learn(purchases, make_past(purchases, day), 28, lambda what, share: None), purchases, day, 28)
    plan = plan_experiment({"tea": 4.2, "coffee": 9.0}, change=0.1, after=date(2025, 3, 2), weeks=8, seed=7)
    (folder / "experiment.json").write_text(json.dumps(plan.describe(), indent=1) + "\n")


if __name__ == "__main__":
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    make(HERE)
