"""Saves the weights of a safetensors file as a training script would: nested, with the names of data parallelism and an epoch.

usage: resnet50_checkpoint.py WEIGHTS.safetensors OUT.pth
"""
import json
import struct
import sys
from collections import OrderedDict

import numpy as np
import torch

with open(sys.argv[1], "rb") as file:
    data = file.read()
(length,) = struct.unpack("<Q", data[:8])
header = json.loads(data[8 : 8 + length])
header.pop("__metadata__", None)
weights = OrderedDict()
for name, info in header.items():
    start, end = info["data_offsets"]
    values = np.frombuffer(data[8 + length + start : 8 + length + end], "<f4").reshape(info["shape"])
    weights["module." + name] = torch.from_numpy(values.copy())
torch.save({"epoch": 40, "state_dict": weights}, sys.argv[2])
