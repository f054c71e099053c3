"""How a training is declared, and what is told of a wrong declaration; no Spark."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from penstock.errors import PenstockError, UnknownNameError
from penstock.trainers import declaration
from penstock.trainers.declaration import SearchDeclared, Training, parse_training
from penstock.trainers.declared import _asked, _task
from penstock.trainers.search import Range

LEAST: dict[str, Any] = {"rows": "seen", "label": "y", "time": "at", "trainer": "hist_gradient_boosting"}
SPACE = {"learning_rate": {"low": 0.01, "high": 0.3, "log": True}, "max_depth": [3, None]}


def parsed(**more: Any) -> Training:
    return parse_training(LEAST | more, model="delay", where="models/delay.yml")


def test_a_whole_declaration() -> None:
    training = parsed(
        leave_out=["id"], baseline="carrier", params={"max_iter": 50}, seed=7, task="classifier",
        split={"held_out": 0.3, "folds": 2, "gap": "2 days"},
        search={"space": SPACE, "trials": 9, "metric": "auc", "seed": 1},
    )  # fmt: skip
    assert training == Training(
        "delay", "seen", "y", "at", "hist_gradient_boosting", "classifier", leave_out=("id",), baseline="carrier",
        params={"max_iter": 50}, seed=7, held_out=0.3, folds=2, gap=timedelta(days=2),
        search=SearchDeclared({"learning_rate": Range(0.01, 0.3, True), "max_depth": (3, None)}, 9, "auc", 1),
    )  # fmt: skip
    texts = [
        parsed(**each).as_text()
        for each in ({}, {"seed": 1}, {"search": {"space": SPACE}}, {"params": {"max_iter": 9}})
    ]
    assert len(set(texts)) == 4, "each part of it tells one version from another"


def test_what_a_model_predicts_is_told_by_its_trainer_or_the_type_of_its_label() -> None:
    assert _task(parsed(), "int") == _task(parsed(), "boolean") == "classifier"
    assert _task(parsed(), "double") == _task(parsed(), "decimal(9,2)") == "regressor"
    assert _task(parsed(task="regressor"), "int") == "regressor"
    assert _task(parsed(trainer="logistic_regression"), "double") == "classifier"


def test_a_metric_is_one_of_the_task() -> None:
    searched = parsed(search={"space": SPACE})
    assert [_asked(searched, task, "m").metric for task in ("classifier", "regressor")] == ["log_loss", "rmse"]  # type: ignore[union-attr]
    by_auc = _asked(parsed(search={"space": SPACE, "metric": "auc"}), "classifier", "m")
    assert by_auc is not None and by_auc.maximize
    with pytest.raises(UnknownNameError, match=r"unknown metric 'auc'\n(.|\n)*it is a regressor"):
        _asked(parsed(search={"space": SPACE, "metric": "auc"}), "regressor", "m")
    assert _asked(parsed(), "classifier", "m") is None


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ([], r"it is \[\], not a mapping\n  where: models/delay.yml, train\n  fix: train:"),
        ({"rows": "seen"}, "label is missing"),
        (LEAST | {"trianer": "x"}, r"unknown key 'trianer'\n.*\n  did you mean: trainer"),
        (LEAST | {"trainer": "lightgmb"}, r"unknown trainer 'lightgmb'\n.*\n  did you mean: lightgbm"),
        (LEAST | {"trainer": 3}, "trainer is 3"),
        (LEAST | {"task": "ranker"}, "unknown task 'ranker'"),
        (LEAST | {"trainer": "ridge", "task": "classifier"}, "ridge is no classifier"),
        (LEAST | {"features": "x"}, "features is 'x'"),
        (LEAST | {"features": ["x", "x"]}, "a list of columns, each once"),
        (LEAST | {"features": ["x", "y"]}, "'y' is a feature too"),
        (LEAST | {"features": ["x"], "leave_out": ["z"]}, "features and leave_out"),
        (LEAST | {"baseline": "y"}, "'y' is the baseline too"),
        (LEAST | {"model": "a b"}, "'a b' cannot be a model's name"),
        (LEAST | {"params": ["max_depth"]}, "params is"),
        (LEAST | {"params": {"max_dept": 3}}, r"unknown parameter 'max_dept'\n.*\n  did you mean: max_depth"),
        (LEAST | {"seed": -1}, "seed is -1"),
        (LEAST | {"seed": True}, "seed is True"),
        (LEAST | {"split": {"held_out": 1}}, "held_out is 1"),
        (LEAST | {"split": {"held_out": float("nan")}}, "held_out is nan"),
        (LEAST | {"split": {"fold": 3}}, r"unknown key 'fold'\n  where: models/delay.yml, train, split"),
        (LEAST | {"split": {"folds": 0}}, "folds is 0"),
        (LEAST | {"split": {"gap": "1 month"}}, "a month has no fixed length"),
        (LEAST | {"split": []}, r"it is \[\], not a mapping"),
        (LEAST | {"search": {"trials": 3}}, "space is None"),
        (LEAST | {"search": {"space": SPACE, "trials": 0}}, "trials is 0"),
        (LEAST | {"search": {"space": SPACE, "trials": 1001}}, "trials is 1001"),
        (LEAST | {"search": {"space": SPACE, "metric": "acu"}}, r"unknown metric 'acu'\n.*\n  did you mean: auc"),
        (LEAST | {"search": {"space": {"max_dept": [1]}}}, r"unknown parameter 'max_dept'"),
        (LEAST | {"search": {"space": {"max_depth": []}}}, r"max_depth is \[\]"),
        (LEAST | {"search": {"space": {"max_depth": [3, 3]}}}, "each value once"),
        (LEAST | {"search": {"space": {"max_depth": [[3]]}}}, "a list of texts, numbers"),
        (LEAST | {"search": {"space": {"max_depth": {"low": 3}}}}, "low < high"),
        (LEAST | {"search": {"space": {"max_depth": {"low": 3, "high": 3}}}}, "low < high"),
        (LEAST | {"search": {"space": {"max_depth": {"low": 0, "high": 3, "log": True}}}}, "above 0 where log"),
        (LEAST | {"search": {"space": {"max_depth": {"low": "a", "high": 3}}}}, "low < high"),
        (LEAST | {"params": {"max_depth": 3}, "search": {"space": SPACE}}, "'max_depth' is given and looked for"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_where_and_how(declared: Any, said: str) -> None:
    with pytest.raises(PenstockError, match=said) as error:
        parse_training(declared, model="delay", where="models/delay.yml")
    assert error.value.where.startswith("models/delay.yml, train")


def test_without_its_library_a_trainers_parameters_are_left_to_whoever_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration, "parameters", lambda *_: None)
    assert parsed(params={"anything": 1}).params == {"anything": 1}
