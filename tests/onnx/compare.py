"""Whether onnxruntime says of an exported model what `predict` says of the model.

  compare.py rows MODEL.json COUNT      writes CSV: rows over and beyond the training ranges, at thresholds, with nulls and texts never seen
  compare.py check MODEL.onnx ANSWERS   reads what `predict` made of them; exits 1 where an answer differs by more than 1e-6 relative
"""
import csv
import json
import random
import sys

import numpy
import onnx
import onnxruntime

TOLERANCE = 1e-6


def thresholds(algorithm):
    """Every number that a tree of the model holds, leaves included: values at a split show which way equals go."""
    trees = list(algorithm.get("trees", []))
    for part in algorithm.get("sums", []):
        trees += part["trees"]
    return [number for tree in trees for number in tree["number"]]


def rows(path, count):
    body = json.load(open(path, encoding="utf-8"))["body"]
    draw = random.Random(7)
    edges = thresholds(body["algorithm"])

    def cell(feature):
        if feature.get("nulls") and draw.random() < 0.15:
            return ""
        if feature.get("categories"):
            return draw.choice(feature["categories"] + ["never seen", "Ünseen, with a comma"])
        if edges and draw.random() < 0.3:
            return repr(draw.choice(edges))
        width = feature["max"] - feature["min"] or 1.0
        return repr(draw.uniform(feature["min"] - 0.3 * width, feature["max"] + 0.3 * width))

    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow([feature["name"] for feature in body["features"]])
    out.writerows([cell(feature) for feature in body["features"]] for _ in range(count))


def check(path, answers):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    table = list(csv.DictReader(open(answers, encoding="utf-8", newline="")))
    inputs = {}
    for value in session.get_inputs():
        cells = [row[value.name] for row in table]
        if value.type == "tensor(string)":
            inputs[value.name] = numpy.array(cells, dtype=object).reshape(-1, 1)
        else:
            inputs[value.name] = numpy.array([float(cell or "nan") for cell in cells]).reshape(-1, 1)
    names = [value.name for value in session.get_outputs()]
    got = dict(zip(names, session.run(names, inputs)))

    def column(name):
        return numpy.array([float(row[name]) for row in table])

    compared = 0

    def agree(name, found, wanted):
        nonlocal compared
        compared += found.size
        differs = ~(numpy.abs(found - wanted) <= TOLERANCE * numpy.abs(wanted))  # a NaN does
        if differs.any():
            at = numpy.argwhere(differs)[0]
            sys.exit(f"{path}: {name} differs at {at}: {found[tuple(at)]!r}, not {wanted[tuple(at)]!r}")

    predicted = next(name for name in names if name.startswith("predicted_"))
    if "probabilities" in got:
        classes = next(v.doc_string for v in model.graph.output if v.name == "probabilities").split(", ")
        wanted = numpy.stack([column(f"probability_{name}") for name in classes], axis=1)
        agree("probabilities", got["probabilities"], wanted)
        # Where two classes are equally probable but for rounding, either name is right.
        ordered = numpy.sort(wanted, axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > TOLERANCE
        said = numpy.array([row[predicted] for row in table])
        if (got[predicted][:, 0] != said)[clear].any():
            sys.exit(f"{path}: {predicted} names other classes")
    else:
        agree(predicted, got[predicted][:, 0], column(predicted))
        for end in ("low", "high"):
            if (end in got) != (end in table[0]):
                sys.exit(f"{path}: {end} is in one of the two only")
            if end in got:
                agree(end, got[end][:, 0], column(end))
    properties = {entry.key: entry.value for entry in model.metadata_props}
    print(f"{properties['model_id']} {properties['algorithm']}: {len(table)} rows, {compared} numbers agree")


if __name__ == "__main__":
    if sys.argv[1] == "rows":
        rows(sys.argv[2], int(sys.argv[3]))
    else:
        check(sys.argv[2], sys.argv[3])
