// The two instructions of minunet/fast/cuda/conv_tf32.cu, on a CPU.
#pragma once

#include <cstdint>
#include <cstring>

inline uint32_t bits_of(float x) { uint32_t bits; memcpy(&bits, &x, sizeof bits); return bits; }
inline float float_of(uint32_t bits) { float x; memcpy(&x, &bits, sizeof x); return x; }

// cvt.rna.tf32.f32: to 10 bits after the point, to the nearest; a tie goes away from zero.
inline float to_tf32(float x) { return x != x ? x : float_of((bits_of(x) + 0x1000) & 0xffffe000); }

// What a tensor core reads of a number: it drops the last 13 bits.
inline float as_read(float x) { return float_of(bits_of(x) & 0xffffe000); }

// mma.m16n8k8: D += A B. Each thread puts what it holds of A and B in its place, and fetches its part of D when all of its
// warp have. The places are those of the PTX ISA: tests/fast/test_conv_tf32.py compares them with its tables.
inline void multiply_add(float d[4], const float a[4], const float b[2])
{
    static float A[32][16][8], B[32][8][8];  // of each warp of a block
    const unsigned warp = fibers::current / 32, g = fibers::current % 32 / 4, t = fibers::current % 4;
    A[warp][g][t] = as_read(a[0]);
    A[warp][g + 8][t] = as_read(a[1]);
    A[warp][g][t + 4] = as_read(a[2]);
    A[warp][g + 8][t + 4] = as_read(a[3]);
    B[warp][t][g] = as_read(b[0]);
    B[warp][t + 4][g] = as_read(b[1]);
    __syncwarp();
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned row = g + i / 2 * 8, column = 2 * t + i % 2;
        for (unsigned k = 0; k < 8; ++k) d[i] += A[warp][row][k] * B[warp][k][column];
    }
    __syncwarp();
}
