#!/usr/bin/env bash
# torch 2.13.0: per-sample gradients by `torch.func.vmap(grad(...))` work over nn.LSTM and raise over nn.GRU.
#
# Most would guess that the two recurrent layers behave alike under vmap, or that neither works: both are one fused kernel.
# Seen here, on the CPU: the LSTM gives the gradients of one sample at a time; the GRU raises a RuntimeError about an output
# whose shape does not match the broadcast shape, since its kernel writes into a buffer in place. Whoever takes per-sample
# gradients for differential privacy by vmap gets one of two near twins. Source: torch.func, aten/src/ATen/native/RNN.cpp.
# The way out: run the samples one by one, write the GRU's steps out, or take hooks as Opacus does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.2.6
"$folder/venv/bin/python" - <<'PY'
import torch
from torch.func import functional_call, grad, vmap

torch.manual_seed(0)
inputs = torch.randn(4, 7, 3)


def per_sample(layer):
    parameters = dict(layer.named_parameters())

    def loss(parameters, one):
        return functional_call(layer, parameters, (one[None],))[0].square().sum()

    together = vmap(grad(loss), in_dims=(None, 0))(parameters, inputs)
    alone = [grad(loss)(parameters, one) for one in inputs]
    return max((together[name][row] - alone[row][name]).abs().max().item() for name in parameters for row in range(4))


print("version:", torch.__version__)
difference = per_sample(torch.nn.LSTM(3, 5, batch_first=True))
print("nn.LSTM: largest difference to one sample at a time", difference)
assert difference < 1e-4
try:
    per_sample(torch.nn.GRU(3, 5, batch_first=True))
except RuntimeError as error:
    print("nn.GRU: RuntimeError:", str(error).splitlines()[0])
else:
    raise SystemExit("nn.GRU works now.")
PY
echo "As described."
