"""One training step of ACM-Net in plain PyTorch (forward, L_ACM without sequence terms, backward, Adam), for timing only.

usage: acm_step.py VIDEOS_PER_STEP STREAMS TIME WIDTH CLASSES THREADS STEPS
Prints one JSON object: seconds of each step and the peak resident memory in MB.
"""
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F

batch, streams, frames, width, classes, threads, steps = (int(v) for v in sys.argv[1:8])
torch.set_num_threads(threads)
torch.manual_seed(0)
KEEP = 0.3
DIVISORS = (8, 3, 3)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Conv1d(width, width, 3, padding=1)
        self.attend = torch.nn.Conv1d(width, 3, 1)
        self.classify = torch.nn.Linear(width, classes + 1)

    def forward(self, x):
        embedded = F.relu(self.embed(x.transpose(1, 2)))
        attention = self.attend(embedded).softmax(1).transpose(1, 2)
        embedded = embedded.transpose(1, 2)
        snippet = F.dropout(torch.ones_like(embedded[:, :, :1]), 1 - KEEP, self.training)
        logits = self.classify(F.dropout(embedded * snippet, 1 - KEEP, self.training))
        scores, features = [], []
        for b, divisor in enumerate(DIVISORS):
            k = max(frames // divisor, 1)
            weighted = logits * attention[:, :, b : b + 1]
            scores.append(weighted.topk(k, dim=1).values.mean(1).softmax(-1))
            chosen = attention[:, :, b].topk(k, dim=1).indices
            features.append(embedded.gather(1, chosen.unsqueeze(-1).expand(-1, -1, width)).mean(1))
        cas = (logits * attention[:, :, :1]).softmax(-1)
        return scores, features, attention, cas


def loss_of(output, labels):
    scores, features, attention, cas = output
    one, none = torch.ones(len(labels), 1), torch.zeros(len(labels), 1)
    targets = [torch.cat([labels, none], 1), torch.cat([labels, one], 1), torch.cat([labels * 0, one], 1)]
    total = sum(-(t / t.sum(1, keepdim=True) * (s + 1e-10).log()).sum(1).mean() for s, t in zip(scores, targets))
    guide = (1 - cas[:, :, -1] - attention[:, :, 0].detach()).abs().sum(1).mean()
    n = [f.norm(dim=1) for f in features]
    feature = ((F.relu(50 - n[0] + n[1]) + F.relu(50 - n[1] + n[2]) + n[2]) ** 2).mean()
    sparse = (attention[:, :, 0].sum(1).mean() + attention[:, :, 1].sum(1).mean()) / 2
    return total + 2e-3 * guide + 5e-5 * feature + 2e-4 * sparse


net = Net()
adam = torch.optim.Adam(net.parameters(), lr=1e-4, weight_decay=5e-5)
videos = [torch.rand(batch, frames, width) for _ in range(streams)]
labels = [F.one_hot(torch.arange(batch) % classes, classes).float() for _ in range(streams)]
seconds = []
for _ in range(steps):
    start = time.perf_counter()
    loss = sum(loss_of(net(x), y) for x, y in zip(videos, labels)) / streams
    adam.zero_grad()
    loss.backward()
    adam.step()
    seconds.append(time.perf_counter() - start)
print(json.dumps({"seconds": seconds, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, "version": torch.__version__}))
