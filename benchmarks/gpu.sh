#!/usr/bin/env bash
# Everything that needs an NVIDIA GPU, in one command: bash benchmarks/gpu.sh
# It needs CuPy (python -m pip install -e ".[gpu,test]") and writes benchmarks/results/gpu-DATE.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p benchmarks/results
{
    nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
    git log -1 --format='commit %h, %cs'
    python -m pytest -m gpu
} 2>&1 | tee "benchmarks/results/gpu-$(date +%F).txt"
