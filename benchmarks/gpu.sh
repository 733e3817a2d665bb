#!/usr/bin/env bash
# Everything that needs an NVIDIA GPU, in one command and within eight minutes: bash benchmarks/gpu.sh
# It needs CuPy (python -m pip install -e ".[gpu,test]") and takes PyTorch and compute-sanitizer where they are installed.
# Each part goes on when another fails; the exit code is 1 if any did. It writes benchmarks/results/gpu-DATE.txt, and the
# rooflines beside it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

results="benchmarks/results/gpu-$(date +%F)"
failed=()

part() { # SECONDS TITLE COMMAND...
    local seconds=$1 title=$2 code
    shift 2
    printf '\n== %s\n' "$title"
    timeout --kill-after=5 "$seconds" "$@"
    code=$?
    if ((code == 124)); then
        failed+=("$title: not done after $seconds s")
    elif ((code)); then
        failed+=("$title: exit code $code")
    fi
}

main() {
    local against=() run
    nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
    git log -1 --format='commit %h, %cs'
    python -c 'import torch' 2>/dev/null && against=(--against torch)
    run=$(mktemp -d)

    part 120 "tests on the GPU" python -m pytest -n 0 -m gpu --durations=5
    if command -v compute-sanitizer >/dev/null; then
        MINUNET_GPU_POOL=off part 90 "memcheck of the kernels" compute-sanitizer --tool memcheck --report-api-errors no \
            --error-exitcode 9 python -m pytest -n 0 -m gpu tests/fast/test_gpu_kernels.py -k "equals or stream"
    else
        printf '\n== memcheck of the kernels\nleft out: compute-sanitizer, which comes with the CUDA toolkit, is not there\n'
    fi
    part 70 "bench, float32 in full" env CUPY_TF32=0 python -m minunet bench --device gpu "${against[@]}" \
        --rounds 3 --out "$results.png"
    part 70 "bench, TF32 allowed" env CUPY_TF32=1 python -m minunet bench --device gpu "${against[@]}" \
        --rounds 3 --out "$results-tf32.png"
    part 30 "latency" python benchmarks/latency.py --device gpu
    part 90 "a training run of half a minute" python -m minunet train --device gpu --minutes 0.5 --out "$run/run"
    rm -rf "$run"

    printf '\n== in all\n'
    if ((${#failed[@]})); then
        printf 'FAILED  %s\n' "${failed[@]}"
        return 1
    fi
    echo "every part passed"
}

if ! python -c 'import sys; from minunet.backend import gpu_is_there; sys.exit(not gpu_is_there())'; then
    echo "CuPy is not installed, or finds no GPU: there is nothing to run here" >&2
    exit 2
fi
mkdir -p benchmarks/results
main 2>&1 | tee "$results.txt"
exit "${PIPESTATUS[0]}"
