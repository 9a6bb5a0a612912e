"""Every public name in use, for ``mypy --strict``; nothing here is run."""

from typing import Any, assert_type

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

from sklearn_alpha import (
    AlphaLoRANetClassifier,
    AlphaLoRANetRegressor,
    AlphaTransferClassifier,
    AlphaTransferRegressor,
    __version__,
)
from sklearn_alpha.datasets import (
    fetch_amazon_review,
    fetch_amazon_text,
    fetch_office_caltech,
    fetch_school,
    fetch_spoken_digits,
    load_digits_transfer,
    load_glue_task,
    make_domain_transfer,
)
from sklearn_alpha.linear_model import register_onnx
from sklearn_alpha.neural_network import (
    add_alpha,
    alpha_param_groups,
    export_dora,
    get_alpha,
    load_alpha,
)
from sklearn_alpha.theory import (
    MarginAsymptotics,
    RegressionAsymptotics,
    isotropic_asymptotics,
    regression_asymptotics,
    ridge_source_asymptotics,
    target_asymptotics,
)

Floats = NDArray[np.float64]


def classifier(X: Floats, y: list[str], source: LogisticRegression) -> Floats:
    model = AlphaTransferClassifier(FrozenEstimator(source), selection="cv", cv=3)
    AlphaTransferClassifier([X[0], (X[1], 0.5)], alpha=[0.5, 1], gamma=1, class_weight="balanced")
    assert_type(model.fit(X, y, sample_weight=np.ones(len(y))), AlphaTransferClassifier)
    assert_type(model.coef_, Floats)
    assert_type(model.alpha_, Floats)
    assert_type(model.gamma_, float)
    assert_type(model.inverse_temperature_, float)
    assert_type(model.best_score_, float)
    assert_type(model.estimators_, list[AlphaTransferClassifier])
    assert_type(model.source_report_, list[Bunch])
    assert_type(model.predict_set(X, [0.5, 0.9]), tuple[NDArray[Any], NDArray[np.bool_]])
    assert_type(model.decision_function(csr_array(X)), Floats)
    assert_type(model.predict(X), NDArray[Any])
    assert_type(model.score(X, y), float)
    path: Bunch = model.alpha_path(X, y, alphas=[0, 1, 2])
    print(path.scores, model.to_sklearn().decision_function(X), model.classes_.tolist())
    both = model.partial_fit(X, y, classes=["no", "yes"]) + model.partial_fit(X, y)
    return both.predict_proba(X) * np.exp(both.predict_log_proba(X))


def regressor(X: pd.DataFrame, y: pd.Series) -> Floats:
    model = AlphaTransferRegressor(source=np.ones(X.shape[1]), intercept_scaling=np.inf)
    assert_type(model.partial_fit(X, y), AlphaTransferRegressor)
    assert_type(model.set_fit_request(sample_weight=True), AlphaTransferRegressor)
    register_onnx()
    assert_type(model.predict_interval(X), tuple[Floats, Floats])
    assert_type(model.predict(X, return_std=True), tuple[Floats, Floats])
    return model.fit(X, y).predict(X)


def theory() -> tuple[MarginAsymptotics, RegressionAsymptotics]:
    margin = isotropic_asymptotics(
        mean_sqnorm=1.0, alignment=0.5, source_gram=1.0, ratio=4.0, gamma=0.5
    )
    assert_type(margin.accuracy([0, 1]), np.float64 | Floats)
    assert_type(margin.optimal_alpha, float | Floats)
    ridge_source_asymptotics(
        n_source=10,
        n_target=5,
        n_features=3,
        source_mean_norm=1.0,
        orthogonal_norm=0.5,
        beta=0.8,
        gamma_source=1.0,
        gamma_target=1.0,
    )
    assert_type(target_asymptotics([1.0, 0.0], [1.0, 1.0], n_samples=5, gamma=1), MarginAsymptotics)
    risk = regression_asymptotics([1.0], [2.0], n_samples=5, gamma=1.0, noise=0.1)
    assert_type(risk.risk(1.0), np.float64 | Floats)
    return margin, risk


def data() -> None:
    X, y = fetch_amazon_review("books", return_X_y=True)
    print(X, y, fetch_amazon_text("elec", titles=False).data, load_digits_transfer(source=(1, 2)))
    assert_type(fetch_school(), Bunch)
    assert_type(fetch_school(return_X_y=True), tuple[Floats, Floats])
    pictures = fetch_office_caltech("dslr", download_if_missing=False, return_X_y=True)
    print(pictures, fetch_spoken_digits(data_home="data").speaker)
    print(load_glue_task("RTE", split="dev"), make_domain_transfer(covariance=0.5, random_state=0))


def net(texts: list[str], y: list[int], module: torch.nn.Module) -> NDArray[np.float64]:
    model = AlphaLoRANetClassifier(module, rank=4, alpha={"0": 0.5}, random_state=0, lr=0.1)
    model = AlphaLoRANetClassifier("folder", early_stopping=True, n_iter_no_change=2, stride=8)
    assert_type(model.fit(texts, y), AlphaLoRANetClassifier)
    assert_type(model.n_trainable_parameters_, int)
    assert_type(model.starts_at_probe_, bool)
    assert_type(model.inverse_temperature_, float)
    print(model.predict_set(texts, confidence_level=[0.8, 0.9]), model.validation_)
    model.save("folder")
    loaded = AlphaLoRANetClassifier.load("folder", model=module)
    peft_model = add_alpha(load_alpha(module, "folder"), 0.5)
    torch.optim.AdamW(alpha_param_groups(peft_model, weight_decay=0.01))
    print(get_alpha(peft_model), loaded.alpha_["0"], loaded.merged_model(), __version__)
    export_dora(peft_model, "folder")
    return loaded.predict_proba(texts)


def network_of_numbers(texts: pd.Series, y: Floats, module: torch.nn.Module) -> Floats:
    model = AlphaLoRANetRegressor(module, rank=2, early_stopping=True, criterion=torch.nn.HuberLoss)
    assert_type(model.fit(texts, y).partial_fit(texts, y), AlphaLoRANetRegressor)
    assert_type(model.target_mean_ / model.target_scale_, Floats)
    assert_type(model.predict_interval(texts, 0.8), tuple[Floats, Floats])
    return AlphaLoRANetRegressor.load("folder", model=module).predict(texts)
