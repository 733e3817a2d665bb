#!/usr/bin/env bash
# Everything that needs an NVIDIA GPU, in one command: bash benchmarks/gpu.sh
# It needs CuPy (python -m pip install -e ".[gpu,test]"), takes PyTorch for a comparison where it is installed, and writes
# benchmarks/results/gpu-DATE.txt and gpu-DATE.png.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p benchmarks/results
results="benchmarks/results/gpu-$(date +%F)"
against=$(python -c "import torch" 2>/dev/null && echo "--against torch" || true)
{
    nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
    git log -1 --format='commit %h, %cs'
    python -m pytest -m gpu
    # shellcheck disable=SC2086  # two words, or none
    python -m minunet bench --device gpu $against --out "$results.png"
} 2>&1 | tee "$results.txt"
