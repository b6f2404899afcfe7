"""Checks that TensorBoard reads from a run's event files exactly what its metrics.jsonl says.

    python bench/tensorboard_check.py RUN [--http]

Needs `pip install tensorboard`. With --http a TensorBoard is started on the folder and asked for its curves too.
"""

import argparse
import json
import struct
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def expected(run):
    """{tag: [(step, value)]} of the epochs; null is a number that is not finite."""
    curves = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        values = {f"train/{k}": v for k, v in record["train"].items()}
        values |= {f"test/{k}": v for k, v in record.get("test", {}).items()}
        values["learningRate"] = record["learningRate"]
        for name in ("samples", "steps"):
            values[f"throughput/{name}-per-second"] = record[name] / record["seconds"]
        for tag, value in values.items():
            curves.setdefault(tag, []).append((record["step"], value))
    return curves


def same(found, wanted):
    return len(found) == len(wanted) and all(
        a[0] == b[0] and (b[1] is None or a[1] == float32(b[1])) for a, b in zip(found, wanted)
    )


def report(source, found, wanted):
    wrong = [tag for tag in wanted if not same(found.get(tag, []), wanted[tag])]
    extra = sorted(set(found) - set(wanted) - {"step/total"})
    points = sum(map(len, wanted.values()))
    for tag in wrong:
        print(f"  {tag}: expected {wanted[tag][-3:]}, found {found.get(tag, [])[-3:]} at the end")
    print(f"{source}: {len(wanted)} curves, {points} points, {len(wrong)} wrong, not expected: {extra or 'none'}")
    return not wrong and not extra


def from_accumulator(run):
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    scalars = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    times = [event.wall_time for tag in scalars for event in scalars[tag]]
    for tag, curve in scalars.items():
        assert [e.wall_time for e in curve] == sorted(e.wall_time for e in curve), f"{tag}: wall time goes backwards"
    assert "config" in events.Tags()["tensors"], "the configuration is missing"
    print(f"step/total: {len(scalars.get('step/total', []))} points; {max(times) - min(times):.1f} s from first to last event")
    return {tag: [(e.step, e.value) for e in curve] for tag, curve in scalars.items()}


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def from_server(run, tags):
    port = 16006
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(run), "--port", str(port), "--samples_per_plugin", "scalars=1000000"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}/data/plugin/scalars"
    try:
        for _ in range(120):
            try:
                found = get(f"{base}/tags")
                if found and set(tags) <= set(next(iter(found.values()))):
                    break
            except OSError:
                pass
            time.sleep(0.5)
        name = next(iter(found))
        query = lambda tag: urllib.parse.urlencode({"run": name, "tag": tag})
        return {tag: [(step, value) for _, step, value in get(f"{base}/scalars?{query(tag)}")] for tag in found[name]}
    finally:
        server.terminate()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--http", action="store_true")
    args = parser.parse_args()
    wanted = expected(args.run)
    ok = report("EventAccumulator", from_accumulator(args.run), wanted)
    if args.http:
        ok = report("tensorboard --logdir", from_server(args.run, wanted), wanted) and ok
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
