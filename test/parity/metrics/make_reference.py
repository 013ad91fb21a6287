"""Writes reference.json: what scikit-learn and SciPy say of random and degenerate input.

Run: python test/parity/metrics/make_reference.py   (needs numpy, scipy and scikit-learn)
"""

import json
import math
import pathlib
import warnings

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn import metrics

warnings.filterwarnings("ignore")


def plain(value):
    """JSON has no NaN or infinity: they become the strings 'NaN' and 'Infinity'."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def delong(labels, scores, level=0.95):
    """The definition, pair by pair, without midranks."""
    positives, negatives = scores[labels == 1], scores[labels == 0]
    if len(positives) == 0 or len(negatives) == 0:
        return {"auc": math.nan, "standardError": math.nan, "interval": None}
    pairs = (positives[:, None] > negatives[None, :]) + 0.5 * (positives[:, None] == negatives[None, :])
    auc = pairs.mean()
    if len(positives) < 2 or len(negatives) < 2:
        return {"auc": auc, "standardError": math.nan, "interval": None}
    variance = pairs.mean(1).var(ddof=1) / len(positives) + pairs.mean(0).var(ddof=1) / len(negatives)
    if variance < 1e-24:
        return {"auc": auc, "standardError": 0.0, "interval": None}
    half = stats.norm.ppf(0.5 + level / 2) * math.sqrt(variance)
    return {"auc": auc, "standardError": math.sqrt(variance), "interval": [max(0, auc - half), min(1, auc + half)]}


def binary_case(name, labels, scores):
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    calls = (scores >= 0.5).astype(int)
    probabilities = np.stack([1 - scores, scores], 1)
    curves = {}
    for drop in (True, False):
        fpr, tpr, thresholds = metrics.roc_curve(labels, scores, drop_intermediate=drop)
        curves["dropped" if drop else "full"] = {
            "falsePositiveRate": fpr,
            "truePositiveRate": tpr,
            "thresholds": thresholds,
        }
    precision, recall, thresholds = metrics.precision_recall_curve(labels, scores)
    matrix = metrics.confusion_matrix(labels, calls, labels=[0, 1])
    nan = np.nan
    return {
        "name": name,
        "labels": labels,
        "scores": scores,
        "roc": curves,
        "auc": metrics.roc_auc_score(labels, scores),
        "pr": {"precision": precision, "recall": recall, "thresholds": thresholds},
        "averagePrecision": metrics.average_precision_score(labels, scores),
        "confusionMatrix": matrix,
        "accuracy": metrics.accuracy_score(labels, calls),
        "balancedAccuracy": metrics.balanced_accuracy_score(labels, calls),
        "mcc": metrics.matthews_corrcoef(labels, calls) if len(set(labels)) > 1 and len(set(calls)) > 1 else np.nan,
        "sensitivity": metrics.recall_score(labels, calls, zero_division=nan),
        "specificity": metrics.recall_score(labels, calls, pos_label=0, zero_division=nan),
        "precision": metrics.precision_score(labels, calls, zero_division=nan),
        "f1": metrics.f1_score(labels, calls, zero_division=nan),
        "logLoss": metrics.log_loss(labels, probabilities, labels=[0, 1]),
        "delong": delong(labels, scores),
    }


def report(labels, predictions, classes):
    table = metrics.classification_report(
        labels, predictions, labels=list(range(classes)), output_dict=True, zero_division=np.nan
    )
    row = lambda figures: {
        "precision": figures["precision"],
        "recall": figures["recall"],
        "f1": figures["f1-score"],
        "support": figures["support"],
    }
    return {
        "perClass": [row(table[str(index)]) for index in range(classes)],
        "accuracy": metrics.accuracy_score(labels, predictions),
        "macro": row(table["macro avg"]),
        "weighted": row(table["weighted avg"]),
    }


def multiclass_case(name, labels, probabilities):
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    classes = probabilities.shape[1]
    calls = probabilities.argmax(1)
    every = list(range(classes))
    one_vs_rest = [metrics.recall_score(labels != k, calls != k, zero_division=np.nan) for k in every]
    complete = set(labels.tolist()) == set(every)
    onehot = (labels[:, None] == np.arange(classes)).astype(int)
    return {
        "name": name,
        "labels": labels,
        "probabilities": probabilities,
        "confusionMatrix": metrics.confusion_matrix(labels, calls, labels=every),
        "report": report(labels, calls, classes),
        "balancedAccuracy": metrics.balanced_accuracy_score(labels, calls),
        "mcc": metrics.matthews_corrcoef(labels, calls) if len(set(labels)) > 1 and len(set(calls)) > 1 else np.nan,
        "sensitivity": metrics.recall_score(labels, calls, labels=every, average="macro", zero_division=np.nan),
        "specificity": float(np.nanmean(one_vs_rest)),
        "precision": metrics.precision_score(labels, calls, labels=every, average="macro", zero_division=np.nan),
        "f1": metrics.f1_score(labels, calls, labels=every, average="macro", zero_division=np.nan),
        "auc": (
            metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro", labels=every)
            if complete
            else math.nan
        ),
        "averagePrecision": (
            metrics.average_precision_score(onehot, probabilities, average="macro") if complete else math.nan
        ),
        "logLoss": metrics.log_loss(labels, probabilities, labels=every),
    }


def main():
    random = np.random.default_rng(20200401)
    binary = []
    for n, decimals in ((203, 6), (40, 6), (60, 1), (25, 0), (2, 6)):
        labels = random.integers(0, 2, n)
        labels[:2] = [0, 1]
        scores = np.round(np.clip(random.normal(0.45 + 0.2 * labels, 0.25), 0, 1), decimals)
        binary.append(binary_case(f"random, {n} samples, {decimals} decimals", labels, scores))
    binary += [
        binary_case("positives only", [1, 1, 1, 1], [0.2, 0.6, 0.6, 0.9]),
        binary_case("negatives only", [0, 0, 0], [0.2, 0.6, 0.9]),
        binary_case("one positive", [1], [0.7]),
        binary_case("one negative", [0], [0.7]),
        binary_case("all scores equal", [0, 1, 1, 0, 1], [0.5] * 5),
        binary_case("separable", [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),
        binary_case("inverted", [1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]),
        binary_case("never called positive", [0, 1, 1, 0, 1], [0.1, 0.2, 0.3, 0.25, 0.1]),
        binary_case("sure and wrong", [0, 1, 1], [1.0, 0.0, 1.0]),
        binary_case("one positive among many", [0, 0, 1, 0, 0], [0.1, 0.4, 0.4, 0.7, 0.2]),
    ]
    multiclass = []
    for name, n, classes in (("random, 3 classes", 90, 3), ("random, 5 classes", 60, 5)):
        labels = random.integers(0, classes, n)
        labels[:classes] = range(classes)
        logits = random.normal(0, 1, (n, classes)) + 1.2 * np.eye(classes)[labels]
        probabilities = np.round(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), 6)
        probabilities[:, -1] = 1 - probabilities[:, :-1].sum(1)
        multiclass.append(multiclass_case(name, labels, probabilities))
    multiclass.append(
        multiclass_case("a class without samples", [0, 0, 1], [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1]])
    )
    wilson = []
    for successes, n, level in (
        (168, 203, 0.95),
        (0, 10, 0.95),
        (10, 10, 0.95),
        (1, 1, 0.9),
        (0, 1, 0.99),
        (61, 118, 0.5),
        (1, 100000, 0.999),
    ):
        interval = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
        wilson.append({"successes": successes, "n": n, "level": level, "interval": [interval.low, interval.high]})
    probabilities = [1e-300, 1e-20, 1e-9, 1e-3, 0.02425, 0.075, 0.2, 0.5, 0.7, 0.925, 0.975, 0.9999, 1 - 1e-12]
    reference = {
        "versions": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__},
        "binary": binary,
        "multiclass": multiclass,
        "wilson": wilson,
        "normalQuantile": [{"probability": p, "quantile": stats.norm.ppf(p)} for p in probabilities],
    }
    target = pathlib.Path(__file__).with_name("reference.json")
    target.write_text(json.dumps(plain(reference), separators=(",", ":")) + "\n")
    print(target, target.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
