"""Writes the checkpoints that tests/data/torchCheckpoint.test.ts reads, and what is in them.

    python bench/pytorch/checkpoint_fixtures.py tests/data/torch

Files are named after the major version of PyTorch that wrote them (NAME.torch1.pth, NAME.torch2.pth); what they hold, as PyTorch
itself reads it, stands in expected.torch1.json and expected.torch2.json. Run it once with each version.
"""

import argparse
import collections
import io
import json
import math
import pathlib
import pickle
import sys
import zipfile

import numpy as np
import torch

MAJOR = torch.__version__.split(".")[0]
OUT = pathlib.Path(sys.argv[1])
EXPECTED = {}


def number(value):
    """A number as JSON can hold it exactly: other than finite floats and safe integers as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else f"{value}n"
    return value if math.isfinite(value) else str(value)


def plain(value):
    """What the reader should make of a value."""
    if isinstance(value, torch.Tensor):
        name = str(value.dtype).replace("torch.", "")
        shown = {"tensor": name, "shape": list(value.shape)}
        if value.is_sparse or value.is_quantized or value.is_complex() or value.is_meta:
            return shown
        small = value.dtype.is_floating_point and value.dtype != torch.float64
        values = value.detach().cpu().float() if small else value.detach().cpu()
        return {**shown, "values": [number(x) for x in values.contiguous().reshape(-1).tolist()]}
    if isinstance(value, np.ndarray):
        return {"tensor": value.dtype.name, "shape": list(value.shape), "values": [number(x) for x in value.reshape(-1).tolist()]}
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": list(value)}
    if isinstance(value, argparse.Namespace):
        return plain(vars(value))
    if isinstance(value, dict):
        return {"map": [[plain(k), plain(v)] for k, v in value.items()]}
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(plain(v) for v in value)}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, complex):
        return {"map": [["real", value.real], ["imag", value.imag]]}
    if isinstance(value, (torch.dtype, torch.device, pathlib.PurePath)):
        return str(value)
    return number(value) if isinstance(value, (int, float)) else value


def save(name, value, **options):
    file = f"{name}.torch{MAJOR}.pth"
    torch.save(value, OUT / file, **options)
    EXPECTED[file] = plain(value)


def both(name, value):
    save(f"{name}-zip", value)
    save(f"{name}-legacy", value, _use_new_zipfile_serialization=False)


def dtypes():
    steps = torch.tensor([0.0, 1.0, -2.5, 0.375, 60.0, -0.0078125])
    tensors = {name: steps.to(getattr(torch, name)) for name in ("float64", "float32", "float16", "bfloat16")}
    tensors["special"] = torch.tensor([math.nan, math.inf, -math.inf, -0.0, 1e-45])
    tensors["special16"] = tensors["special"].half()
    for name in ("int8", "int16", "int32", "int64"):
        info = torch.iinfo(getattr(torch, name))
        tensors[name] = torch.tensor([info.min, -1, 0, 1, info.max], dtype=getattr(torch, name))
    tensors["uint8"] = torch.tensor([0, 1, 255], dtype=torch.uint8)
    tensors["bool"] = torch.tensor([[True, False], [False, True]])
    tensors["complex64"] = torch.tensor([1 + 2j, -3j], dtype=torch.complex64)
    tensors["quantised"] = torch.quantize_per_tensor(steps, 0.5, 3, torch.quint8)
    return tensors


def new_dtypes():
    """Types that version 1 does not have: every pattern of the small ones."""
    patterns = torch.arange(256).to(torch.uint8)
    tensors = {}
    for name in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"):
        tensors[name] = patterns.view(getattr(torch, name))
    tensors["uint16"] = torch.tensor([0, 65535], dtype=torch.uint16)
    tensors["uint32"] = torch.tensor([0, 2**31 - 1], dtype=torch.uint32)
    tensors["uint32large"] = torch.tensor([0, 2**32 - 1], dtype=torch.uint32)
    tensors["uint64"] = torch.tensor([0, 2**63 - 1], dtype=torch.uint64)
    return tensors


def views():
    base = torch.arange(24, dtype=torch.float32)
    grid = base.reshape(2, 3, 4)
    return collections.OrderedDict(
        base=base,
        offset=base[5:9],
        transposed=grid.permute(2, 0, 1),
        strided=grid[:, ::2, 1::2],
        expanded=base[3:4].expand(5, 2, 1)[:, :, 0],
        windows=base[:6].unfold(0, 3, 1),
        channels_last=torch.arange(36.0).reshape(1, 4, 3, 3).contiguous(memory_format=torch.channels_last),
        half=torch.arange(6).half().reshape(2, 3).t(),
        int64=torch.arange(6).reshape(2, 3).t(),
        scalar=torch.tensor(7.5),
        empty=torch.zeros(0, 3),
        tied=base,
    )


def training():
    """Like what training scripts write: weights, averages, the state of the optimiser and the scheduler, arguments."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 3), torch.nn.BatchNorm1d(3))
    wrapped = torch.nn.Sequential(collections.OrderedDict(module=model))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 5])
    model(torch.randn(2, 2, 5)).sum().backward()
    optimizer.step()
    scheduler.step()
    return {
        "epoch": 3,
        "state_dict": wrapped.state_dict(),
        "state_dict_ema": collections.OrderedDict((k, v.clone() * 0.5) for k, v in wrapped.state_dict().items()),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "parameter": model[0].weight,
        "best": np.float32(0.25),
        "count": np.int64(-(2**60)),
        "right": np.bool_(True),
        "name": np.str_("größe"),
        "history": np.arange(6, dtype=np.float64).reshape(2, 3),
        "order": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
        "big": np.array([1, 2, 3], dtype=">i4"),
        "args": argparse.Namespace(lr=1e-3, data=pathlib.PosixPath("/data/clips"), none=None),
        "integers": [0, 255, 65535, 2**31, -(2**31) - 1, 2**53 - 1, 2**53, -(2**63), 2**64, 3**200, -(3**200)],
        "floats": [0.1, -0.0, math.inf, -math.inf, math.nan],
        "texts": ["", "größe 動作 \U0001f3ac", "line\nbreak 'quoted' \\ \x00"],
        "bytes": [b"", b"\x00\xff", bytearray(b"\x01\x80")],
        "flags": (True, False, None, ()),
        "sets": [{3, 1, 2}, frozenset([5, 4])],
        "default": collections.defaultdict(list, {"a": [1]}),
        "complex": 1.5 - 2j,
        "shape": torch.Size([2, 3]),
        "device": torch.device("cuda", 1),
        "dtype": torch.bfloat16,
        "keys": {0: "zero", "__proto__": "harmless", (1, 2): "tuple", None: "none", 2**70: "long"},
    }


def on_gpu():
    """As saved on a GPU: only the tag of the storages differs."""
    tag = torch.serialization.location_tag
    torch.serialization.location_tag = lambda storage: "cuda:0"
    both("gpu", {"model_state": {"weight": torch.arange(4.0)}})
    torch.serialization.location_tag = tag


def big_endian():
    """As a big-endian machine writes it: every element's bytes reversed, and an entry that says so."""
    value = {"f8": torch.tensor([1.5, -2.0], dtype=torch.float64), "f4": torch.arange(4.0).reshape(2, 2).t(), "f2": torch.tensor([0.5]).half(), "i8": torch.tensor([2**40])}
    widths = [8, 4, 2, 8]
    buffer = io.BytesIO()
    torch.save(value, buffer)
    file = f"big-endian.torch{MAJOR}.pth"
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(OUT / file, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if "/data/" in name:
                width = widths[int(name.rsplit("/", 1)[1])]
                data = np.frombuffer(data, dtype=f"u{width}").byteswap().tobytes()
            if not name.endswith("/byteorder"):
                target.writestr(name, data)
        target.writestr(source.namelist()[0].split("/")[0] + "/byteorder", "big")
    EXPECTED[file] = plain(value)


def plain_pickles():
    value = {
        "ints": [0, -1, 255, 256, 65536, 2**31 - 1, -(2**31), 2**40, 2**63, -(2**63) - 1, 7**150],
        "floats": [0.5, -1e300, math.inf, -math.inf, math.nan],
        "texts": ["a", "größe", "\U0001f3ac", "x" * 300, "tab\t'\"\\ line\n"],
        "bytes": [b"", b"\x00\x80\xff", b"y" * 300],
        "array": np.arange(4, dtype=np.float32).reshape(2, 2),
        "scalar": np.float64(2.5),
        "sets": [{1, 2}, frozenset([3])],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "args": argparse.Namespace(depth=2),
        "ordered": collections.OrderedDict(b=1, a=2),
        "nothing": None,
        "flags": [True, False],
    }
    value["again"] = value["ints"]
    for protocol in range(6):
        file = f"plain-{protocol}.torch{MAJOR}.pkl"
        (OUT / file).write_bytes(pickle.dumps(value, protocol=protocol))
        EXPECTED[file] = plain(value)
    # Tensors that were pickled without torch.save: their storages are whole files inside.
    value = {"weight": torch.arange(6.0).reshape(2, 3)}
    for protocol in (2, 4):
        file = f"tensor-{protocol}.torch{MAJOR}.pkl"
        (OUT / file).write_bytes(pickle.dumps(value, protocol=protocol))
        EXPECTED[file] = plain(value)


def refused():
    """Files that must not be read; the tests say why."""

    class Call:
        def __init__(self, function, *args):
            self.parts = (function, args)

        def __reduce__(self):
            return self.parts

    import os
    import subprocess

    os.system.__module__ = "os"
    attack = {"state_dict": {"w": torch.zeros(2)}, "a": Call(os.system, "touch executed"), "b": Call(subprocess.Popen, ["touch", "executed"]), "c": Call(eval, "1")}
    torch.save(attack, OUT / f"attack-zip.torch{MAJOR}.pth")
    torch.save(attack, OUT / f"attack-legacy.torch{MAJOR}.pth", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(2, 2), OUT / f"module.torch{MAJOR}.pth")
    torch.jit.script(torch.nn.Identity()).save(str(OUT / f"script.torch{MAJOR}.pt"))
    torch.save({"sparse": torch.eye(3).to_sparse(), "meta": torch.zeros(2, 3, device="meta"), "negated": torch.tensor([1 + 2j]).conj().imag}, OUT / f"shapes.torch{MAJOR}.pth")
    if MAJOR != "1":
        torch.export.save(torch.export.export(torch.nn.Identity(), (torch.zeros(1),)), OUT / f"export.torch{MAJOR}.pt2")


OUT.mkdir(parents=True, exist_ok=True)
both("dtypes", dtypes())
if MAJOR != "1":
    both("new-dtypes", new_dtypes())
both("views", views())
both("training", training())
both("tensor", torch.arange(3))
on_gpu()
big_endian()
plain_pickles()
refused()
(OUT / f"expected.torch{MAJOR}.json").write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in EXPECTED.items()) + "\n}\n")
