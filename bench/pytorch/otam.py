"""OTAM's matching as eager loops over cells in PyTorch (as published), forward and backward, for timing only.

usage: otam.py QUERIES SUPPORTS FRAMES THREADS STEPS
Prints one JSON object: seconds of each step.
"""
import json
import sys
import time

import torch
import torch.nn.functional as F

queries, supports, frames, threads, steps = (int(v) for v in sys.argv[1:6])
torch.set_num_threads(threads)
torch.manual_seed(0)
LAMBDA = 0.1


def one_way(d):
    d = F.pad(d, (1, 1))
    rows, columns = d.shape[-2:]
    table = [[None] * columns for _ in range(rows)]
    table[0][0] = torch.zeros(d.shape[:-2])
    for m in range(1, columns):
        table[0][m] = d[:, :, 0, m] + table[0][m - 1]
    for l in range(1, rows):
        table[l][0] = torch.zeros(d.shape[:-2])
        for m in range(1, columns):
            terms = [table[l - 1][m - 1], table[l][m - 1]]
            if m in (1, columns - 1):
                terms.append(table[l - 1][m])
            table[l][m] = d[:, :, l, m] - LAMBDA * torch.log(sum(torch.exp(-x / LAMBDA) for x in terms))
    return table[-1][-1]


seconds, forward = [], []
for _ in range(steps):
    d = torch.rand(queries, supports, frames, frames).requires_grad_()
    start = time.perf_counter()
    scores = one_way(d) + one_way(d.transpose(-1, -2))
    middle = time.perf_counter()
    scores.sum().backward()
    end = time.perf_counter()
    seconds.append(end - start)
    forward.append(middle - start)
print(json.dumps({"seconds": seconds, "forward": forward, "version": torch.__version__}))
