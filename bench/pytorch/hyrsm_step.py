"""Training steps of the HyRSM++ 1-shot head on features in PyTorch (forward, loss, backward, Adam), for timing only.

usage: hyrsm_step.py plain|split EPISODES WAY QUERIES_PER_CLASS FRAMES WIDTH CLASSES THREADS STEPS
`plain` fuses every reference with every query's relation feature by one layer over both, episode by episode, as published; `split` applies the layer's two
halves apart. Prints one JSON object: seconds of each step, processor time of the same, and the peak resident memory in MB.
"""
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

form = sys.argv[1]
episodes, way, per_class, frames, width, classes, threads, steps = (int(v) for v in sys.argv[2:10])
torch.set_num_threads(threads)
torch.manual_seed(0)
HEADS = 8


def heads_apart(x):
    return x.view(*x.shape[:-1], HEADS, -1).transpose(-2, -3)


def heads_together(x):
    return x.transpose(-2, -3).flatten(-2)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.mix = nn.Linear(width, width)
        self.mix_norm = nn.LayerNorm(width)
        self.fuse = nn.Conv1d(2 * width, width, 1)
        self.classify = nn.Linear(width, classes)
        self.register_buffer("positions", torch.rand(20, width))
        gap = (torch.arange(frames)[:, None] - torch.arange(frames)).abs().float()
        self.register_buffer("near", (gap <= 3).float())
        self.register_buffer("weight", torch.where(gap <= 3, 1 / (gap**2 + 1), 1 - torch.exp(-((gap - 3) ** 2) / 23)))

    def intra(self, x):
        x = F.dropout(x * (width / 10) ** 0.5 + self.positions[:frames], 0.1)
        q, k, v = (heads_apart(y) for y in self.qkv(self.norm(x)).chunk(3, -1))
        attention = (q @ k.transpose(-1, -2) * (width // HEADS) ** -0.5).softmax(-1)
        return F.relu(x + F.dropout(self.out(heads_together(attention @ v)), 0.2))

    def cross(self, tokens):
        q, k, v = (heads_apart(layer(tokens)) for layer in (self.query, self.key, self.value))
        attention = F.dropout((q * (width // HEADS) ** -0.5 @ k.transpose(-1, -2)).softmax(-1), 0.1)
        return F.relu(self.mix_norm(F.dropout(self.mix(heads_together(attention @ v)), 0.05) + tokens))

    def coherence(self, x):
        distance = 1 - x @ x.transpose(-1, -2)
        return (self.near * self.weight * distance + 10 * (1 - self.near) * F.relu(self.weight - distance)).mean()

    def forward(self, support, query):
        support, query = self.intra(support), self.intra(query)
        logits = self.classify(torch.cat([support, query]).flatten(0, 1))
        r, q = len(support), len(query)
        tokens = torch.cat([support.mean(1)[None].expand(q, -1, -1), query.mean(1)[:, None]], 1)
        related = self.cross(tokens)
        if form == "plain":
            both = torch.cat([support[None].expand(q, -1, -1, -1), related[:, :-1, None].expand(-1, -1, frames, -1)], -1)
            references = self.fuse(both.flatten(0, 1).transpose(1, 2)).transpose(1, 2).view(q, r, frames, width)
            own = torch.cat([query, related[:, -1:].expand(-1, frames, -1)], -1)
            queries = self.fuse(own.transpose(1, 2)).transpose(1, 2)
        else:
            first, second = self.fuse.weight[:, :width, 0], self.fuse.weight[:, width:, 0]
            moved = F.linear(related, second)
            references = F.linear(support, first, self.fuse.bias)[None] + moved[:, :-1, None]
            queries = F.linear(query, first, self.fuse.bias) + moved[:, -1:]
        references, queries = F.normalize(references, dim=-1), F.normalize(queries, dim=-1)
        distance = 1 - references @ queries[:, None].transpose(-1, -2)
        matched = distance.min(-1).values.sum(-1) + distance.min(-2).values.sum(-1)
        return -matched, logits, self.coherence(references) + self.coherence(queries)


head = Head()
adam = torch.optim.Adam(head.parameters(), lr=1e-5, weight_decay=5e-4)
clips = way * (1 + per_class)
data = [(torch.rand(way, frames, width), torch.rand(way * per_class, frames, width)) for _ in range(episodes)]
labels = torch.arange(way * per_class) % way
frame_labels = (torch.arange(clips) % classes).repeat_interleave(frames)
seconds, processor = [], []
for _ in range(steps):
    start, used = time.perf_counter(), time.process_time()
    adam.zero_grad()
    for support, query in data:
        logits, frame_logits, regulariser = head(support, query)
        loss = F.cross_entropy(logits, labels) + 0.1 * F.cross_entropy(frame_logits, frame_labels) + 0.1 * regulariser
        (loss / episodes).backward()
    adam.step()
    seconds.append(time.perf_counter() - start)
    processor.append(time.process_time() - used)
print(json.dumps({"seconds": seconds, "processor": processor, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, "version": torch.__version__}))
