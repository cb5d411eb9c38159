"""From cutouts to a network in production, as people do it: upload, label, agree, freeze, train, promote."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from core.outcome import Outcome
from core.settings import Settings, Training
from core.user import Role
from cutouts.decode import decode
from models.bundle import load_network
from models.evaluation import score_images
from storage.decisions import set_production
from storage.record import Record
from storage.refresh import refresh_production
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.api.web.browser import Browser
from tests.api.web.conftest import Enter
from tests.api.web.hand import Hand
from tests.label_project import CLASSES, LabelProject
from tests.record import settings_for
from tests.simulated_cutouts import Simulated, simulated_cutouts
from worker.trainer import JobTrainer
from worker.training_device import TrainingDevice

FEW = Training(validation_cutouts=16, test_cutouts=24, benchmark_cutouts=24)
EACH = 24
"""Cutouts of each class."""


@pytest.fixture
def cutouts() -> list[Simulated]:
    found = simulated_cutouts()
    of_each = ([cutout for cutout in found if cutout.is_real is is_real][:EACH] for is_real in (True, False))
    return [cutout for some in of_each for cutout in some]


@pytest.fixture
def production(api_record: Record, browsers: Mapping[Role, Browser]) -> Iterator[None]:
    """What was in production is again afterwards."""
    yield
    api_record.models.promote(RB, by="test", even_if_worse=True)


def test_cutouts_are_uploaded_labelled_by_two_trained_on_and_scored_by_the_new_network(
    production: None,
    enter: Enter,
    api: ApiServer,
    api_record: Record,
    api_folder: Path,
    mongo_url: str,
    redis_url: str,
    cutouts: list[Simulated],
) -> None:
    admin = enter("web-admin")
    project = LabelProject(api, api_record, made(admin.open("/projects")))
    truth = uploaded(admin.page, project, cutouts)
    for name in ("label-anna", "label-ben"):
        project.add_member(name)
    scored(api_record, RB, project, {cutout.name: cutout.score for cutout in cutouts})

    missed = [item for item, name in truth.items() if name == CLASSES[1]][:2]
    anna, ben = (enter(name).open(project.page) for name in ("label-anna", "label-ben"))
    for page, wanted in ((anna, truth), (ben, truth | dict.fromkeys(missed, CLASSES[0]))):
        hand = Hand(page, wanted, CLASSES)
        hand.label_page_by_keyboard(hand.items())
        expect(page.locator("[data-outbox]")).to_have_text("all sent")
    hand = Hand(anna, truth, CLASSES)
    anna.keyboard.press("Backspace")
    assert len(hand.items()) == 2 * EACH
    anna.keyboard.press("Enter")
    expect(anna.locator("[data-outbox]")).to_have_text("all sent")
    anna.reload()
    expect(anna.locator("[data-done]")).to_be_visible()
    anna.get_by_role("link", name="What you have labelled").click()
    expect(anna.locator("[data-cells] li:visible")).to_have_count(2 * EACH)
    assert project.labels("label-anna") == truth

    page = admin.open(f"/projects/{project.id}/agreement")
    row = page.locator("tr", has_text="label-anna, label-ben")
    expect(row.locator("td")).to_have_text(["label-anna, label-ben", "48", "46", "0.917"])
    for standing in page.locator(".standing").all():
        standing.get_by_role("button", name=CLASSES[1], exact=True).click()
        expect(standing).to_contain_text("stands, by web-admin")
    page.locator("input[name=name]").fill("rb-by-anna-and-ben")
    page.locator("input[name=epochs]").fill("1")
    page.get_by_role("button", name="Freeze and train").click()
    page.wait_for_url("**/jobs/*")
    job = page.url.rpartition("/")[2]
    assert api.ask("GET", "/v1/datasets/rb-by-anna-and-ben").json()["left_out"] == []

    settings = settings_for(mongo_url, redis_url, api_record.database.name, api_folder / "state")
    version = trained(api_record, job, settings.model_copy(update={"training": FEW}), api_folder)
    expect(page.get_by_role("link", name=version)).to_be_visible()
    before = shown_scores(admin.open("/results?size=1000"), project)
    scored(api_record, version, project, scores_by(api_record, version, cutouts))
    admin.open(f"/models/{version}/promote")
    page.get_by_label("even where it is worse").check()
    page.get_by_role("button", name=f"Promote {version}").click()
    page.wait_for_url("**/models")
    assert version in api_record.models.production()
    assert refresh_production(api_record, for_s=30) >= 2 * EACH  # what the sweeper does within seconds
    after = shown_scores(admin.open("/results?size=1000"), project)
    assert before.keys() == after.keys() == set(project.cutouts.values())
    assert before != after


def made(page: Page) -> tuple[str, str]:
    """Make a project and a data set; returns their ids."""
    for within, fields in (
        ("form[action='/projects']", {"name": "Streaks", "classes": " ".join(CLASSES), "classifier": "rb"}),
        ("form[action$='/datasets']", {"name": "A night"}),
    ):
        form = page.locator(within)
        for name, value in fields.items():
            form.locator(f"[name={name}]").fill(value)
        form.get_by_role("button", name="Make it").click()
        page.wait_for_url(re.compile("/[0-9a-f]{24}$"))
        page.wait_for_load_state()
    _, _, _, _, project, _, dataset = page.url.split("/")
    return project, dataset


def uploaded(page: Page, project: LabelProject, cutouts: Sequence[Simulated]) -> dict[str, str]:
    """Choose files for the data set whose page this is; returns the truth by item."""
    files: list[FilePayload] = [
        {"name": cutout.name, "mimeType": "image/jpeg", "buffer": cutout.data} for cutout in cutouts
    ]
    page.locator("[data-upload] [data-files]").set_input_files(files)
    expect(page.locator("[data-upload] [data-told]")).to_contain_text(f"Done. {len(cutouts)} new")
    items = project.ask("GET", f"{project.base}/items")["items"]
    project.cutouts |= {item["name"]: item["cutout"] for item in items}
    classes = {cutout.name: CLASSES[cutout.is_real] for cutout in cutouts}
    return {item["item"]: classes[item["name"]] for item in items}


def trained(record: Record, job: str, settings: Settings, scratch: Path) -> str:
    """Train as the training process does; returns the version that came of it."""
    device = TrainingDevice("-1", shared=False, precision="float32")
    trainer = JobTrainer(
        record, settings, device=device, worker="here:1", scratch=scratch / "training", stopping=lambda: False
    )
    trainer.train(job)
    training = record.trainings.get(job)
    assert training is not None
    assert training.version is not None, training
    return training.version


def scores_by(record: Record, version: str, cutouts: Sequence[Simulated]) -> dict[str, float]:
    """What a network makes of cutouts, by their names."""
    card = record.models.get(version)
    assert card is not None
    network = load_network(card, record.models.weights(card))
    scores = score_images(network, np.stack([decode(cutout.data) for cutout in cutouts]))
    return {cutout.name: float(score) for cutout, score in zip(cutouts, scores, strict=True)}


def scored(record: Record, version: str, project: LabelProject, scores: Mapping[str, float]) -> None:
    """Put scores on record, beside those of sl."""
    both = {project.cutouts[name]: {version: score, SL: 0.5} for name, score in scores.items()}
    outcomes = [Outcome(cutout, v, score) for cutout, found in both.items() for v, score in found.items()]
    record.outcomes.insert(outcomes, provenance={"engine": "test"})
    if version == RB:
        set_production(record, (RB, SL), both)


def shown_scores(page: Page, project: LabelProject) -> dict[str, str]:
    """What Results shows as the score of each cutout of the project."""
    found = "(all) => all.map((each) => [each.dataset.cutout, each.querySelector('.scores b').textContent])"
    shown = dict(page.locator("[data-cutout]").evaluate_all(found))
    return {cutout: score for cutout, score in shown.items() if cutout in project.cutouts.values()}
