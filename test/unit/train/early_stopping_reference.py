"""Writes fixtures/early-stopping.json: random sequences and what the early stopping rule says after each value.

The rule, in words: running averages give the new value weight 0.2 (the first value is taken as it is). A running
accuracy strictly below the best one counts against accuracy, a running loss strictly above the best one counts against
loss; otherwise the best is replaced and the count goes back to zero. Patience has run out when a count exceeds it.
Codes: 1 both, 2 accuracy only, 3 loss only, 0 neither. A reset clears the two counts and nothing else.

Run: python test/unit/train/early_stopping_reference.py
"""

import json
import pathlib
import random

rng = random.Random(20)
cases = []
for number in range(60):
    patience = rng.choice([0, 1, 2, 3, 5])
    levels = rng.choice([0, 3])  # few levels make ties
    average = best = None
    counts = [0, 0]
    steps = []
    trend = rng.uniform(-0.05, 0.05)
    for index in range(rng.randint(1, 30)):
        loss = max(0.0, 1.0 + trend * index + rng.uniform(-0.3, 0.3))
        accuracy = min(1.0, max(0.0, 0.5 - trend * index * rng.choice([1, 1, -1]) + rng.uniform(-0.2, 0.2)))
        if levels:
            loss, accuracy = round(loss * levels) / levels, round(accuracy * levels) / levels
        value = (loss, accuracy)
        average = value if average is None else tuple(0.2 * new + (1 - 0.2) * old for new, old in zip(value, average))
        if best is None:
            best = list(average)
        for axis, worse in ((0, average[0] > best[0]), (1, average[1] < best[1])):
            if worse:
                counts[axis] += 1
            else:
                best[axis], counts[axis] = average[axis], 0
        out = [count > patience for count in counts]
        code = {(True, True): 1, (False, True): 2, (True, False): 3, (False, False): 0}[tuple(out)]
        reset = code == 3 or rng.random() < 0.03
        steps.append({"loss": loss, "accuracy": accuracy, "code": code, "running": average, "reset": reset})
        if reset:
            counts = [0, 0]
    cases.append({"patience": patience, "steps": steps})

target = pathlib.Path(__file__).parent / "fixtures" / "early-stopping.json"
target.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
codes = [step["code"] for case in cases for step in case["steps"]]
print(len(cases), "cases,", {code: codes.count(code) for code in range(4)})
