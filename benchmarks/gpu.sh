#!/usr/bin/env bash
# All that is to be measured on a GPU, in under ten minutes on a machine with one, as tables in $OUT.
#
#   OUT=tables bash benchmarks/gpu.sh
#
# PYTHON is an interpreter with torch for CUDA, monai, nibabel, pandas, scipy, pyyaml, jsonschema,
# safetensors and tensorboard (by default `python`). Each part has its own time limit and its own file,
# so that one that fails or is slow does not take the others with it.
set -u
cd "$(dirname "$0")/.."
OUT=${OUT:-benchmarks/gpu-tables}
PYTHON=${PYTHON:-python}
export PYTHONPATH=src
mkdir -p "$OUT"

part() {  # name, limit in seconds, command
    local name=$1 limit=$2
    shift 2
    echo "== $name"
    timeout "$limit" "$@" >"$OUT/$name.md" 2>"$OUT/$name.log" || echo "ended with status $?" >>"$OUT/$name.md"
    cat "$OUT/$name.md"
}

nvidia-smi >"$OUT/gpu.txt" 2>&1
part preflight 60 "$PYTHON" - <<'PYTHON_CODE'
# What training says before its first step: bf16 against fp32 for every layer, memory, time.
from pathlib import Path

import torch
import yaml

from brainlapse.config import complete, train_settings
from brainlapse.models.settings import settings_from
from brainlapse.models.stored import Recipe
from brainlapse.train.preflight import preflight
from brainlapse.train.settings import TrainingSettings

torch.backends.cudnn.benchmark = True
config = complete(yaml.safe_load(Path("config.yaml").read_text()))
for model in ("brainlapse", "med_ddpm"):
    settings = train_settings(config, model)
    training = settings_from(TrainingSettings, settings["training"])
    print(f"{model}: {preflight(Recipe.read(settings), training, torch.device('cuda'), 1)}\n")
PYTHON_CODE
part training_speed 360 "$PYTHON" benchmarks/training_speed.py --device cuda --seconds 1
part loader 120 "$PYTHON" benchmarks/loader.py --device cuda
part model_cost 60 "$PYTHON" benchmarks/model_cost.py --models brainlapse med_ddpm paper
