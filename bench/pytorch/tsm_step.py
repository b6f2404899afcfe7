"""TSM-ResNet50 in plain PyTorch: one inference or training step (forward, cross-entropy, backward, SGD with momentum), for timing only.

usage: tsm_step.py KIND CLIPS SEGMENTS SIZE CLASSES THREADS STEPS   (KIND: infer or train)
Prints one JSON object: seconds and processor seconds of each step, and the peak resident memory in MB.
"""
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

kind = sys.argv[1]
clips, segments, size, classes, threads, steps = (int(v) for v in sys.argv[2:8])
torch.set_num_threads(threads)
torch.manual_seed(0)


def shift(x):
    _, c, h, w = x.shape
    x = x.view(-1, segments, c, h, w)
    fold = c // 8
    y = torch.zeros_like(x)
    y[:, :-1, :fold] = x[:, 1:, :fold]
    y[:, 1:, fold : 2 * fold] = x[:, :-1, fold : 2 * fold]
    y[:, :, 2 * fold :] = x[:, :, 2 * fold :]
    return y.view(-1, c, h, w)


class Block(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(shift(x))))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        inputs, blocks = 64, []
        for stage, count in enumerate((3, 4, 6, 3)):
            for i in range(count):
                blocks.append(Block(inputs, 64 << stage, 2 if stage > 0 and i == 0 else 1))
                inputs = 256 << stage
        self.blocks = nn.Sequential(*blocks)
        self.classify = nn.Linear(2048, classes)

    def forward(self, frames):
        x = self.blocks(self.stem(frames)).mean((2, 3))
        return self.classify(x.view(-1, segments, 2048).mean(1))


net = Net()
frames = torch.rand(clips * segments, 3, size, size)
labels = torch.arange(clips) % classes
sgd = torch.optim.SGD(net.parameters(), lr=1e-5, momentum=0.9, nesterov=True, weight_decay=1e-4)
net.train(kind == "train")
seconds, cpu = [], []
for _ in range(steps):
    start, busy = time.perf_counter(), time.process_time()
    if kind == "train":
        loss = F.cross_entropy(net(frames), labels)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    else:
        with torch.inference_mode():
            net(frames)
    seconds.append(time.perf_counter() - start)
    cpu.append(time.process_time() - busy)
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": megabytes, "version": torch.__version__}))
