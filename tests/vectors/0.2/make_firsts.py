"""Make the frozen folder of a study of firsts, and the entities of a run: once, from the root of the frozen version.

PYTHONPATH=. python tests/vectors/0.2/make_firsts.py
"""

import shutil
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).parent / "firsts"
START, DAYS = date(2024, 1, 1), 60
PLAN = """name = "vector-firsts"

[data]
path = "rows.csv"
rows = "panel"
merchant = "shop"
entity = "product"
time = "date"
target = { aggregate = "sum", column = "units" }
start = 2024-01-01
end = 2024-02-29
known = [{ column = "promotion" }]
holidays = { country = "MX", near = ["Constitution Day"] }

[model]
step = "day"
horizon_days = 4
likelihood = "negative_binomial"
hidden_size = 3
decoder_size = 4
window_steps = 12
positions = 3
season = false

[privacy]
unit = "product"
training = { num_rounds = 6, learning_rate = 0.05 }

[federation]
training = { num_rounds = 6, learning_rate = 0.05 }

[evaluation]
origins = [2024-02-03, 2024-02-20]
methods = ["anchor", "federated_eps8"]
candidates = ["federated_eps8", "federated_eps8_personalised", "anchor", "weekday_mean"]
alone = { num_steps = 8, batch_size = 4 }
"""
ROWS = [
    (f"shop-{shop}", f"product-{shop}-{product}", START + timedelta(day))
    for shop in range(3)
    for product in range(2 + shop)
    for day in range(13 * product, DAYS)  # later products have fewer months
]


def write_rows(file: Path) -> None:
    """Write sales that follow from nothing but names and days."""
    lines = [
        f"{shop},{product},{day},{(7 * day.toordinal() + len(product) * int(product[-1]) + int(shop[-1])) % 9},"
        f"{int(day.toordinal() % 10 == 0)}"
        for shop, product, day in ROWS
    ]
    file.write_text("\n".join(["shop,product,date,units,promotion", *lines]) + "\n")


def make(out: Path) -> None:
    """Run the two commands, and keep what is read later."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_rows(root / "rows.csv")
        (root / "plan.toml").write_text(PLAN)
        code = "from simulation.cli import main; main()"
        study = ["firsts", "plan.toml", "--out", "study", "--days", "20", "--only", "federated_eps8"]
        for words in (study, ["run", "plan.toml", "--out", "run"]):
            subprocess.run([sys.executable, "-c", code, *words], cwd=root, check=True, stdout=subprocess.DEVNULL)
        for name in ("run.json", "plan.json", "firsts.json"):
            shutil.copy(root / "study" / name, out)
        shutil.copy(root / "run" / "entities.parquet", out)
        for name in ("plan.toml", "rows.csv"):
            shutil.copy(root / name, out)


if __name__ == "__main__":
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    make(HERE)
