"""A cheap model of labels: logistic regression over TF-IDF words, where it is surest, and what it knows there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDClassifier

NUM_FOLDS = 5

MIN_AGREEMENT = 0.6
"""Cohen's kappa of model and labels where the model is surest. Of one that knows less, a contradiction says nothing:
labels that stand in the relation of two texts, or in no single word, look wrong to it by the half."""

_LEVEL = 0.5  # of the contradicted share that must be left among the surer half
_DOUBT = 0.1  # one-sided: how often chance may show a level that is not there

_NUM_FEATURES = 20_000
_REGULARISATION = 1e-4


def fold_probabilities(texts: list[str], labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The labels there are, and each text's probabilities of them by a model of the other folds [texts, labels]."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    classes, numbers = np.unique(labels, return_inverse=True)
    features = _vectorizer().fit_transform(texts)
    probabilities = np.zeros((len(texts), len(classes)))
    folds = StratifiedKFold(NUM_FOLDS, shuffle=True, random_state=seed)
    for others, held in folds.split(features, numbers):
        model = _classifier(seed).fit(features[others], numbers[others])
        probabilities[held] = model.predict_proba(features[held])
    return classes, probabilities


def answers(texts: list[str], labels: np.ndarray, asked: list[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest label of each text that is asked about, by a model of the others, and its probability."""
    vectors, model = _vectorizer(), _classifier(seed)
    model.fit(vectors.fit_transform(texts), labels)
    probabilities = model.predict_proba(vectors.transform(asked))
    return model.classes_[probabilities.argmax(axis=1)], probabilities.max(axis=1)


def surest_rows(likeliest: np.ndarray, confidence: np.ndarray, share: float) -> np.ndarray:
    """The share of the rows of every label that it is likeliest to be, the surest ones first.

    For each label apart: rows of a label that others are mistaken for would else never be among the surest.
    """
    import numpy as np

    chosen = []
    for label in np.unique(likeliest):
        own = np.flatnonzero(likeliest == label)
        chosen.append(own[np.argsort(-confidence[own], kind="stable")[: int(share * len(own))]])
    found = np.concatenate(chosen)
    return np.asarray(found[np.argsort(-confidence[found], kind="stable")])


def is_floor(likeliest: np.ndarray, labels: np.ndarray, confidence: np.ndarray, share: float) -> bool:
    """Whether what the surest rows contradict is a floor, and may be called a rate of wrong labels.

    Wrong labels contradict the surest row as often as any other; a model that does not know contradicts ever less as it
    becomes surer. So the surer half of the rows must show, with 90 % confidence (Clopper and Pearson 1934), at least
    half of the share that all of them show; and the model must agree with the other labels.
    """
    from scipy.stats import beta

    sure, surer = (surest_rows(likeliest, confidence, part) for part in (share, share / 2))
    num_wrong = int((likeliest[surer] != labels[surer]).sum())
    if num_wrong == 0 or agreement(likeliest[sure], labels[sure]) < MIN_AGREEMENT:
        return False
    least = float(beta.ppf(_DOUBT, num_wrong, len(surer) - num_wrong + 1))
    return least >= _LEVEL * float((likeliest[sure] != labels[sure]).mean())


def agreement(answers: np.ndarray, labels: np.ndarray) -> float:
    """Cohen's kappa: 1 where all agree, 0 by chance; 0 too where both say one thing only."""
    import numpy as np

    agreed = float(np.mean(answers == labels)) if len(labels) else 0.0
    by_chance = sum(float(np.mean(answers == label) * np.mean(labels == label)) for label in np.unique(labels))
    return (agreed - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def _vectorizer() -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        tokenizer=str.split, token_pattern=None, lowercase=False, sublinear_tf=True, max_features=_NUM_FEATURES
    )


def _classifier(seed: int) -> SGDClassifier:
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss", alpha=_REGULARISATION, max_iter=10, tol=None, average=True, random_state=seed)
