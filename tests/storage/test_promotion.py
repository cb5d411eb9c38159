"""Stages: what is in production, who decides it, and what is refused."""

import threading
from contextlib import suppress
from typing import Any

import pytest
from pydantic import ValidationError

from core.errors import Conflict, InvalidRequest, NotFound
from core.model_card import ModelCard, Stage
from storage.record import Record
from tests.record import card


def measured(auc: float, *, tpr: float = 0.9, tnr: float = 0.9, fingerprint: str = "f") -> dict[str, Any]:
    return {"dataset": "d", "auc": auc, "tpr": tpr, "tnr": tnr, "fingerprint": fingerprint}


def add(record: Record, version: str, stage: Stage = "candidate", **figures: dict[str, Any]) -> None:
    weights = version.encode()
    wanted = card(version, weights).model_copy(update={"metrics": figures})
    record.models.register(wanted, weights, stage=stage)


def stages(record: Record) -> dict[str, Stage]:
    return {found.version: stage for found, stage in record.models.all()}


def test_a_better_candidate_replaces_what_is_in_production(record: Record) -> None:
    add(record, "rb@1", "production", d=measured(0.90))
    add(record, "rb@2", d=measured(0.95))
    add(record, "sl@1", "production")
    assert record.models.promote("rb@2", by="me") == ["rb@1"]
    assert stages(record) == {"rb@1": "archived", "rb@2": "production", "sl@1": "production"}
    assert record.models.resolve([]) == ("rb@2", "sl@1")
    entries = list(
        record.database["audit"].find({}, {"_id": False, "version": True, "who": True, "stage": True})
    )
    assert {"version": "rb@2", "who": "me", "stage": "production"} in entries


def test_rolling_back_is_a_promotion(record: Record) -> None:
    add(record, "rb@1", "production", d=measured(0.90))
    add(record, "rb@2", d=measured(0.95))
    record.models.promote("rb@2", by="me")
    with pytest.raises(Conflict, match="worse"):
        record.models.promote("rb@1", by="me")
    assert record.models.promote("rb@1", by="me", even_if_worse=True) == ["rb@2"]
    assert stages(record) == {"rb@1": "production", "rb@2": "archived"}


@pytest.mark.parametrize("figures", [measured(0.89), measured(0.95, tpr=0.8, tnr=0.95)])
def test_a_worse_candidate_is_refused_with_both_figures(record: Record, figures: dict[str, Any]) -> None:
    add(record, "rb@1", "production", d=measured(0.90))
    add(record, "rb@2", d=figures)
    with pytest.raises(Conflict, match=rf"AUC {figures['auc']} .* against AUC 0.9 "):
        record.models.promote("rb@2", by="me")
    assert stages(record)["rb@1"] == "production"


def test_figures_of_another_test_set_compare_nothing(record: Record) -> None:
    add(record, "rb@1", "production", d=measured(0.90))
    add(record, "rb@2", d=measured(0.95, fingerprint="other"))
    with pytest.raises(Conflict, match="not measured on one test set"):
        record.models.promote("rb@2", by="me")


def test_a_version_in_production_is_not_archived(record: Record) -> None:
    add(record, "rb@1", "production")
    add(record, "rb@2")
    with pytest.raises(Conflict, match="in production"):
        record.models.archive("rb@1", by="me")
    record.models.archive("rb@2", by="me")
    with pytest.raises(InvalidRequest, match="archived"):
        record.models.resolve(["rb@2"])
    with pytest.raises(NotFound, match="rb@3"):
        record.models.archive("rb@3", by="me")


def test_a_job_never_sees_half_of_a_promotion(record: Record) -> None:
    add(record, "rb@1", "production")
    add(record, "rb@2")
    seen: set[tuple[str, ...]] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.add(tuple(record.models.production()))

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(20):
        record.models.promote(f"rb@{2 - n % 2}", by="me", even_if_worse=True)
    stop.set()
    for reader in readers:
        reader.join()
    assert seen <= {("rb@1",), ("rb@2",)}
    assert len(seen) == 2


def test_the_number_of_a_promotion_is_not_seen_before_what_it_put_into_production(record: Record) -> None:
    add(record, "rb@1", "production")
    add(record, "rb@2")
    seen: set[tuple[int, str]] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            turn, (production,) = record.models.turn(), record.models.production()
            if record.models.turn() == turn:
                seen.add((turn, production))

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(20):
        record.models.promote(f"rb@{2 - n % 2}", by="me", even_if_worse=True)
    stop.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 1
    assert seen <= {(turn, f"rb@{1 + turn % 2}") for turn in range(21)}


def test_promotions_at_once_leave_one_in_production(record: Record) -> None:
    versions = [f"rb@{n}" for n in range(1, 6)]
    for version in versions:
        add(record, version)
    threads = [
        threading.Thread(target=record.models.promote, args=[v], kwargs={"by": "me", "even_if_worse": True})
        for v in versions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(record.models.production()) == 1


def test_a_member_beside_replaces_none_and_may_be_worse(record: Record) -> None:
    add(record, "rb@1", "production", d=measured(0.90))
    add(record, "sl@1", "production")
    add(record, "rb@2", d=measured(0.80))
    assert record.models.promote("rb@2", by="me", beside=True) == []
    assert record.models.production() == ["rb@1", "rb@2", "sl@1"]
    assert record.models.resolve(["rb"]) == ("rb@1", "rb@2")
    assert record.models.were_production(["rb@2", "rb@1", "sl@1"])
    assert record.models.were_production(["rb@1", "sl@1"])


def test_one_member_is_archived_and_the_last_is_not(record: Record) -> None:
    for version in ("rb@1", "sl@1"):
        add(record, version, "production")
    add(record, "rb@2")
    record.models.promote("rb@2", by="me", beside=True)
    record.models.archive("rb@1", by="me")
    assert record.models.production() == ["rb@2", "sl@1"]
    assert record.models.were_production(["rb@1", "rb@2", "sl@1"])
    with pytest.raises(Conflict, match="promote another version first"):
        record.models.archive("rb@2", by="me")


def test_a_promotion_replaces_every_member(record: Record) -> None:
    add(record, "rb@1", "production")
    add(record, "rb@2")
    add(record, "rb@3")
    record.models.promote("rb@2", by="me", beside=True)
    assert record.models.promote("rb@3", by="me", even_if_worse=True) == ["rb@1", "rb@2"]
    assert record.models.production() == ["rb@3"]


def test_two_that_were_never_together_are_no_members(record: Record) -> None:
    add(record, "rb@1", "production")
    add(record, "rb@2")
    record.models.promote("rb@2", by="me", even_if_worse=True)
    assert not record.models.were_production(["rb@1", "rb@2"])


def test_both_of_two_members_are_not_archived_at_once(record: Record) -> None:
    add(record, "rb@1", "production")
    add(record, "rb@2")
    record.models.promote("rb@2", by="me", beside=True)

    def archive(version: str) -> None:
        with suppress(Conflict):
            record.models.archive(version, by="me")

    threads = [threading.Thread(target=archive, args=[version]) for version in ("rb@1", "rb@2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(record.models.production()) == 1


def test_a_recipe_that_nobody_knows_is_refused(record: Record) -> None:
    weights = b"rb@1"
    unknown = card("rb@1", weights).model_copy(update={"recipe": "deepstreaks-9"})
    with pytest.raises(
        InvalidRequest, match="wants the recipe 'deepstreaks-9'; expected one of deepstreaks-1"
    ):
        record.models.register(unknown, weights)
    add(record, "rb@2")
    record.database["models"].update_one({"_id": "rb@2"}, {"$set": {"recipe": "of an older release"}})
    with pytest.raises(InvalidRequest, match="recipe"):
        record.models.promote("rb@2", by="me")
    assert record.models.production() == []


def test_figures_at_another_threshold_compare_by_the_curve_alone(record: Record) -> None:
    at_half = {"threshold": 0.5}
    add(record, "rb@1", "production", d=measured(0.90, tpr=0.95) | at_half)
    add(record, "rb@2", d=measured(0.91, tpr=0.90) | at_half)
    with pytest.raises(Conflict, match="expected none to be worse"):
        record.models.promote("rb@2", by="me")
    record.models.set_threshold("rb@2", 0.4, by="me")
    assert record.models.promote("rb@2", by="me") == ["rb@1"]


@pytest.mark.parametrize("name", ["night", "versions", "plausible", "file", "sha256"])
def test_a_family_has_no_name_of_a_field(name: str) -> None:
    with pytest.raises(ValidationError, match="no name that a cutout's fields have"):
        card(f"{name}@1", b"w")


def test_the_next_version_is_above_all(record: Record) -> None:
    assert record.models.next_version("rb") == "rb@1"
    add(record, "rb@1", "archived")
    add(record, "rb@4")
    add(record, "sl@9")
    assert record.models.next_version("rb") == "rb@5"


def test_a_new_release_brings_its_networks_unless_somebody_decided(record: Record) -> None:
    shipped = record.models.register_shipped()
    newest = {v.partition("@")[0]: v for v in shipped}
    add(record, "kd@1")
    record.database["models"].update_many({"stage": "production"}, {"$set": {"stage": "archived"}})
    add(record, "rb@900", "production")
    record.models.register_shipped()
    assert record.models.production() == ["rb@900", newest["sl"]]
    record.models.promote(newest["rb"], by="me", even_if_worse=True)
    record.models.register_shipped()
    assert record.models.production() == [newest["rb"], newest["sl"]]


def test_a_service_may_take_the_light_networks_only_and_all_later(record: Record) -> None:
    light = record.models.register_shipped("light")
    assert record.models.production() == sorted(light)
    assert {card.architecture for card, _ in record.models.all()} == {"vgg6"}
    best = record.models.register_shipped("best")
    assert set(light) < set(best)
    cards = [record.models.get(version) for version in record.models.production()]
    assert [card and card.architecture for card in cards] == ["resnet50", "resnet50"]


def test_a_person_who_rolled_back_is_not_overruled_by_a_restart(record: Record) -> None:
    shipped = record.models.register_shipped()
    newest = max(int(v.partition("@")[2]) for v in shipped if v.startswith("rb@"))
    rb, own = f"rb@{newest}", f"rb@{newest + 1}"
    add(record, own)
    record.models.promote(own, by="me", even_if_worse=True)
    record.models.register_shipped()
    assert own in record.models.production()
    assert stages(record)[rb] == "archived"


def test_a_taken_number_keeps_a_shipped_version_out_and_stops_nothing(record: Record) -> None:
    rb = next(v for v in record.models.register_shipped() if v.startswith("rb@"))
    record.database["models"].delete_one({"_id": rb})
    add(record, rb, "production")
    assert rb not in record.models.register_shipped()
    assert rb in record.models.production()


@pytest.mark.parametrize("figures", [{"fingerprint": "f"}, measured(float("nan")), 0.99])
def test_figures_that_are_none_compare_nothing(record: Record, figures: Any) -> None:
    add(record, "rb@1", "production", d=measured(0.90), e=figures)
    add(record, "rb@2", d=figures)
    with pytest.raises(Conflict, match="not measured on one test set"):
        record.models.promote("rb@2", by="me")


def test_a_card_of_another_classifier_than_its_version_is_none() -> None:
    told = card("rb@7", b"w").model_dump() | {"classifier": "kd"}
    with pytest.raises(ValidationError, match="expected that of the version"):
        ModelCard.model_validate(told)


def test_what_was_replaced_is_told_from_candidates(record: Record) -> None:
    for version in ("rb@1", "sl@1"):
        add(record, version, "production")
    add(record, "rb@2")
    add(record, "rb@3")
    record.models.promote("rb@2", by="me", even_if_worse=True)
    assert record.models.were_production(["rb@1", "sl@1"])
    assert record.models.were_production(["rb@2", "sl@1"])
    assert not record.models.were_production(["rb@3", "sl@1"])
    assert not record.models.were_production(["rb@1"])
