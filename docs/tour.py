# %% [markdown]
"""A night from Python, from its first cutout to a label: a notebook as a script, in cells (`# %%`).

Jupyter and editors open it cell by cell; as a script it is `python docs/tour.py URL NIGHT`, where NIGHT is a
folder such as `sample/night`, with the account in DA_USER and DA_PASSWORD. The client is to be installed.
"""

# %% The service, by its address and an account; nothing is sent before the first call.
import csv
import sys
from collections import Counter
from pathlib import Path

from deep_asteroids_client import NotFound, Service

url, night = sys.argv[1], Path(sys.argv[2])
service = Service(url)
print("the service answers:", service.ping())
for card in service.models():
    if card["stage"] == "production":
        print(f"{card['version']}: {card['architecture']}, {card['classes'][1]} from {card['threshold']} on")

# %% The cutouts of the night, scored. A submission is one job, however often it had to be tried.
job = service.submit(night / "stamps").wait()
table = job.table()
print(table.columns)
print(len(table), "cutouts,", sum(reason is not None for reason in table["rejection"]), "rejected")

# %% What the simulator says that they are, against what the networks make of them, at one half.
with (night / "truth.csv").open(encoding="utf-8") as file:
    truth = {row["id"]: int(row["rb"]) for row in csv.DictReader(file)}
matrix = Counter((truth[row["id"]], int(row["rb"] >= 0.5)) for row in table if row["rb"] is not None)
print("          bogus  real   <- called")
for real, name in enumerate(("bogus", "real")):
    print(f"truly {name:5} {matrix[real, 0]:4}  {matrix[real, 1]:4}")

# %% Everything on record, by the service's filters: few candidates for a person, or many that lack nothing.
pure, complete = service.batch_tables(["rb >= 0.95 and sl >= 0.95", "rb >= 0.1"])
print(len(pure), "in the pure sample,", len(complete), "in the complete one")
best = max(pure, key=lambda row: max(value for name, value in row.items() if name.startswith("rb@")))
known = service.cutout(best["id"])
print(best["id"], "of the night", known.get("night", "(none)"), "has", len(known["outcomes"]), "outcomes")
print("its picture has", len(service.image(best["id"])), "bytes")

# %% What the networks are unsure of is put before people, in a labelling project.
project = service.create_project("tour", ["no_streak", "streak"], classifier="rb")
dataset = project.create_dataset("unsure", description="rb between 0.02 and 0.98")
print(dataset.add(filter="rb > 0.02 and rb < 0.98")["refused"], "refused")
names = [item["name"] for item in dataset.items()]
labelled = dataset.label(dict.fromkeys(names[:2], "streak"))
print(labelled, "labelled, of", len(names), "to label:", dataset.labels()["classes"])

# %% What is wrong is told by an error of its kind, with what came and what was expected.
try:
    service.job("no-such-job")
except NotFound as error:
    print("NotFound:", error)
project.remove()
service.close()
