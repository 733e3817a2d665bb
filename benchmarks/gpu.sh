#!/usr/bin/env bash
# Everything that needs a GPU, in one command and within ten minutes: bash benchmarks/gpu.sh
# It needs CuPy (python -m pip install -e ".[gpu,test]", or what these install; minunet itself need not be installed), and
# takes PyTorch and compute-sanitizer where they are there. What matters most comes first. Each part goes on when another
# fails; the exit code is 1 if any did. It writes benchmarks/results/gpu-DATE.txt, and the rooflines beside it; where OUT is
# set, they are copied to that folder after each part.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"

results="benchmarks/results/gpu-$(date +%F)"
failed=()

part() { # SECONDS TITLE COMMAND...
    local seconds=$1 title=$2 code
    shift 2
    printf '\n== %s\n' "$title"
    timeout -s INT --kill-after=10 "$seconds" "$@"  # SIGINT, on which pytest prints its summary
    code=$?
    if ((code == 124)); then
        failed+=("$title: not done after $seconds s")
    elif ((code)); then
        failed+=("$title: exit code $code")
    fi
    clocks
    if [[ -n ${OUT:-} ]]; then
        cp "$results"* "$OUT"/
    fi
}

clocks() {
    printf 'clocks, power, temperature: '
    nvidia-smi --query-gpu=clocks.sm,clocks.mem,power.draw,temperature.gpu --format=csv,noheader
}

main() {
    local against=() run
    nvidia-smi --query-gpu=name,memory.total,driver_version,power.limit,clocks.max.sm --format=csv,noheader
    git log -1 --format='commit %h, %cs'
    python -c 'import torch' 2>/dev/null && against=(--against torch)
    run=$(mktemp -d)

    part 30 "versions" python benchmarks/gpu_versions.py
    part 40 "latency" python benchmarks/latency.py --device gpu
    part 80 "bench, float32 in full" env CUPY_TF32=0 python -m minunet bench --device gpu "${against[@]}" \
        --rounds 3 --out "$results.png"
    part 80 "bench, TF32 allowed: 3x3 convolutions on tensor cores" env CUPY_TF32=1 \
        python -m minunet bench --device gpu "${against[@]}" --rounds 3 --out "$results-tf32.png"
    part 40 "bench, TF32 allowed: 3x3 convolutions by Winograd" env CUPY_TF32=1 MINUNET_CONVOLUTION=winograd \
        python -m minunet bench --device gpu --rounds 3 --out "$results-tf32-winograd.png"
    part 40 "CUDA graphs, which are off elsewhere" python benchmarks/graphs.py
    part 140 "tests on the GPU" python -m pytest -n 0 -m gpu --durations=5
    part 65 "a training run of half a minute" python -m minunet train --device gpu --minutes 0.5 --out "$run/run"
    rm -rf "$run"
    sanitize

    printf '\n== in all\n'
    if ((${#failed[@]})); then
        printf 'FAILED  %s\n' "${failed[@]}"
        return 1
    fi
    echo "every part passed"
}

sanitize() { # the last part, which may fail: some machines do not let programs be watched
    if ! command -v compute-sanitizer >/dev/null; then
        printf '\n== memcheck of the kernels\nleft out: compute-sanitizer, which comes with the CUDA toolkit, is not there\n'
        return
    fi
    local before=${#failed[@]}
    MINUNET_GPU_POOL=off part 85 "memcheck of the kernels" compute-sanitizer --tool memcheck --report-api-errors no \
        --error-exitcode 9 python -m pytest -n 0 -m gpu \
        tests/fast/test_{cuda_kernels,cuda_batch_norm,conv_tf32,cuda_conv,gpu_kernels}.py \
        -k "(int-double or long_long-float or readable_convolution or stream) and not one_by_one"
    if ((${#failed[@]} > before)); then
        printf 'allowed to fail: %s\n' "${failed[-1]}"
        unset 'failed[-1]'
    fi
}

if ! python -c 'import sys; from minunet.backend import gpu_is_there; sys.exit(not gpu_is_there())'; then
    echo "CuPy is not installed, or finds no GPU: there is nothing to run here" >&2
    exit 2
fi
mkdir -p benchmarks/results
main 2>&1 | tee "$results.txt"
code=${PIPESTATUS[0]}
if [[ -n ${OUT:-} ]]; then
    cp "$results"* "$OUT"/
fi
exit "$code"
