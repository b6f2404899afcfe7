"""Loads exported weights into the published architecture, written in PyTorch, strictly by name and shape, and runs it.

usage: load_weights.py WEIGHTS.safetensors CASES.npz
CASES.npz holds `features.<i>` [1, T, F] with the outputs of the trained model: `classScores.<i>`, `attention.<i>` and `cas.<i>`.
Prints one JSON object: names and shapes loaded, and the largest absolute difference of each output. Needs torch and numpy only: the
safetensors header is read by hand.
"""
import json
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    model = json.loads(header.pop("__metadata__")["inkling"])
    tensors = {}
    for name, info in header.items():
        assert info["dtype"] == "F32", (name, info["dtype"])
        start, end = info["data_offsets"]
        values = np.frombuffer(data[8 + length + start : 8 + length + end], "<f4").reshape(info["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors, model


class AcmNet(nn.Module):
    """ACM-Net (and FTCL's network, which is the same) under the published names; the evaluation pass."""

    def __init__(self, width, classes, projection, divisors, input_dropout):
        super().__init__()
        convolution = nn.Conv1d(width, width, 3, padding=1)
        layers = [convolution, nn.ReLU()]
        self.feature_embedding = nn.Sequential(*([nn.Dropout(0.7)] if input_dropout else []), *layers)
        self.att_branch = nn.Conv1d(width, 3, 1)
        self.snippet_cls = nn.Linear(width, classes + 1)
        self.feature_trans = nn.Linear(width, projection)
        self.divisors = divisors

    def forward(self, features):
        embedded = self.feature_embedding(features.transpose(1, 2))
        attention = self.att_branch(embedded).softmax(1).transpose(1, 2)
        weighted = self.snippet_cls(embedded.transpose(1, 2)) * attention[:, :, :1]
        k = max(features.shape[1] // self.divisors["instance"], 1)
        return {
            "classScores": weighted.topk(k, dim=1).values.mean(1).softmax(-1),
            "attention": attention,
            "cas": weighted.softmax(-1),
        }


weights, model = read_safetensors(sys.argv[1])
cases = np.load(sys.argv[2])
options = model["config"]["model"]
net = AcmNet(
    options["featureDim"],
    len(model["classes"]),
    options["projectionDim"],
    options["topKDivisors"],
    options["inputDropout"],
)
net.load_state_dict(weights, strict=True)
net.eval()
differences = {"classScores": 0.0, "attention": 0.0, "cas": 0.0}
lengths = []
with torch.no_grad():
    for key in sorted(name for name in cases.files if name.startswith("features.")):
        features = torch.from_numpy(cases[key])
        lengths.append(features.shape[1])
        for name, value in net(features).items():
            expected = torch.from_numpy(cases[f"{name}.{key.split('.')[1]}"])
            assert value.shape == expected.shape, (name, value.shape, expected.shape)
            differences[name] = max(differences[name], (value - expected).abs().max().item())
shapes = {name: list(value.shape) for name, value in weights.items()}
print(json.dumps({"torch": torch.__version__, "strict": shapes, "lengths": lengths, "differences": differences}))
