"""Writes paired.json: what statsmodels says of McNemar's exact test and MLstatkit of DeLong's paired test.

Run: python test/parity/metrics/make_paired_reference.py   (needs numpy, scipy, statsmodels and MLstatkit)

DeLong's covariance is also computed from its definition, pair by pair, and the two must agree.
"""

import json
import math
import pathlib

import numpy as np
import scipy
import statsmodels
from importlib.metadata import version
from MLstatkit import Delong_test
from scipy import special, stats
from statsmodels.stats.contingency_tables import mcnemar


def mcnemar_case(only_first, only_second):
    table = [[7, only_first], [only_second, 3]]
    return {"onlyFirst": only_first, "onlySecond": only_second, "p": float(mcnemar(table, exact=True).pvalue)}


def placements(labels, scores):
    positives, negatives = scores[labels == 1], scores[labels == 0]
    return (positives[:, None] > negatives[None, :]) + 0.5 * (positives[:, None] == negatives[None, :])


def delong_case(name, labels, first, second):
    """The definition: the variance of the difference is that of the differences of the placements."""
    a, b = placements(labels, first), placements(labels, second)
    difference = b.mean() - a.mean()
    delta = b - a
    m, n = delta.shape
    error = math.sqrt(delta.mean(1).var(ddof=1) / m + delta.mean(0).var(ddof=1) / n)
    z, p, _, _, auc_first, auc_second, _ = Delong_test(labels, first, second, verbose=0)
    assert abs(auc_first - a.mean()) < 1e-12 and abs(auc_second - b.mean()) < 1e-12
    assert abs(abs(z) - abs(difference / error)) < 1e-9 * abs(z), (z, difference / error)
    half = stats.norm.ppf(0.975) * error
    return {
        "name": name,
        "labels": labels.tolist(),
        "first": first.tolist(),
        "second": second.tolist(),
        "aucs": [float(auc_first), float(auc_second)],
        "difference": float(difference),
        "standardError": error,
        "interval": [difference - half, difference + half],
        "z": difference / error,
        "p": float(2 * stats.norm.sf(abs(difference / error))),
        "pOfMLstatkit": float(p),
    }


def main():
    random = np.random.default_rng(20200401)
    delong = []
    for n, decimals, gain in ((203, 6, 0.1), (60, 1, 0.3), (118, 6, 0.0), (400, 6, 2.0)):
        labels = random.integers(0, 2, n)
        common = random.normal(0, 0.2, n)
        first = np.round(special.expit(0.5 * labels + common + random.normal(0, 0.5, n)), decimals)
        second = np.round(special.expit((0.5 + gain) * labels + common + random.normal(0, 0.5, n)), decimals)
        delong.append(delong_case(f"{n} samples, {decimals} decimals, gain {gain}", labels, first, second))
    pairs = [(0, 0), (1, 0), (0, 5), (3, 3), (8, 2), (1, 30), (25, 40), (400, 600), (0, 60), (1000, 1003)]
    tails = (0, 1e-9, 0.3, 1, 1.96, 2.8, 5, 12, 37)
    reference = {
        "versions": {
            **{each.__name__: each.__version__ for each in (np, scipy, statsmodels)},
            "MLstatkit": version("MLstatkit"),
        },
        "mcnemar": [mcnemar_case(*pair) for pair in pairs],
        "delong": delong,
        "tails": [{"z": z, "p": float(special.erfc(z / math.sqrt(2)))} for z in tails],
    }
    target = pathlib.Path(__file__).with_name("paired.json")
    target.write_text(json.dumps(reference, separators=(",", ":")) + "\n")
    print(target, target.stat().st_size, "bytes")
    for each in delong:
        print(each["name"], each["aucs"], each["z"], each["p"], each["pOfMLstatkit"])


if __name__ == "__main__":
    main()
