// Enough of CUDA to run a kernel on a CPU. Its source, ours or CuPy's, is compiled by g++ with this file in front of it;
// hooks.py adds a line ENTRY(name) for each kernel, by which driver.cpp calls it.
//
// Blocks run one after the other, and so do the threads of a block. No order is promised: at every other launch of a kernel
// they run from the last to the first, so that a missing barrier shows at one of two. Where threads talk to each other
// (WITH_FIBERS), each is a fiber, which goes on when all have come to the barrier.
#pragma once

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "call.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __shared__ static  // blocks run one after the other
#define __forceinline__ inline
#define __noinline__
#define __restrict__
#define __launch_bounds__(...)
#define __CUDA_ARCH__ 900

struct dim3 { unsigned x, y, z; };
static dim3 gridDim, blockDim, blockIdx, threadIdx;
static const int warpSize = 32;

using std::abs; using std::acos; using std::acosh; using std::asin; using std::asinh; using std::atan; using std::atan2;
using std::atanh; using std::cbrt; using std::ceil; using std::copysign; using std::cos; using std::cosh; using std::erf;
using std::erfc; using std::exp; using std::exp2; using std::expm1; using std::fabs; using std::floor; using std::fma;
using std::fmax; using std::fmin; using std::fmod; using std::frexp; using std::hypot; using std::isfinite; using std::isinf;
using std::isnan; using std::ldexp; using std::lgamma; using std::log; using std::log10; using std::log1p; using std::log2;
using std::modf; using std::nan; using std::nextafter; using std::pow; using std::remainder; using std::rint; using std::round;
using std::signbit; using std::sin; using std::sinh; using std::sqrt; using std::tan; using std::tanh; using std::tgamma;
using std::trunc;

static bool from_the_last = false;  // is the order of this launch
static unsigned in_order(unsigned k, unsigned count) { return from_the_last ? count - 1 - k : k; }

template <class A, class B> inline std::common_type_t<A, B> min(A a, B b) { return b < a ? b : a; }
template <class A, class B> inline std::common_type_t<A, B> max(A a, B b) { return a < b ? b : a; }
inline float rsqrt(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
template <class T> inline T __ldg(const T *p) { return *p; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
template <class To, class From> inline To bits_as(From x) { To y; memcpy(&y, &x, sizeof y); return y; }
inline int __float_as_int(float x) { return bits_as<int>(x); }
inline float __int_as_float(int x) { return bits_as<float>(x); }
inline long long __double_as_longlong(double x) { return bits_as<long long>(x); }
inline double __longlong_as_double(long long x) { return bits_as<double>(x); }
inline void __threadfence() {}
inline void __trap() { assert(false); }

template <class T, class U> inline T atomicAdd(T *p, U x) { T old = *p; *p = old + (T)x; return old; }
template <class T, class U> inline T atomicMax(T *p, U x) { T old = *p; if (old < (T)x) *p = (T)x; return old; }
template <class T, class U> inline T atomicMin(T *p, U x) { T old = *p; if ((T)x < old) *p = (T)x; return old; }
template <class T, class U> inline T atomicExch(T *p, U x) { T old = *p; *p = (T)x; return old; }
template <class T, class U, class V> inline T atomicCAS(T *p, U seen, V x) { T old = *p; if (old == (T)seen) *p = (T)x; return old; }

inline unsigned short __float2half_rn(float x) { return bits_as<unsigned short>((_Float16)x); }
inline float __half2float(unsigned short x) { return bits_as<_Float16>(x); }
#define __ushort_as_half(x) half(__half_raw{x})  // `half` is CuPy's
#define __half_as_ushort(x) bits_as<unsigned short>(x)

#ifdef WITH_FIBERS
#include "fibers.h"
#endif

#include <cupy/complex.cuh>
#include <cupy/carray.cuh>
#include <cupy/atomics.cuh>

template <class T> Seen seen(T *p) { return {(const void *)p, 0}; }
template <class T, int n, bool c, bool i> Seen seen(const CArray<T, n, c, i> &a) { return {*(void *const *)&a, a.size() * sizeof(T)}; }
template <class T> std::enable_if_t<!std::is_pointer<T>::value, Seen> seen(const T &) { return {nullptr, 0}; }

static bool is_misaligned;
// By -fsanitize=alignment, called before a number, or a pair of numbers, is read or written at an address that is no
// multiple of its size, as GPUs need it.
extern "C" void __ubsan_handle_type_mismatch_v1(void *, void *) { is_misaligned = true; }

template <class... Args, size_t... k>
void enter(void (*kernel)(Args...), Call *call, std::index_sequence<k...>)
{
    call->count = sizeof...(Args);
    const Seen all[] = {seen(*(Args *)call->arguments[k])..., Seen{}};
    std::copy(all, all + call->count, call->seen);
    const size_t size[] = {sizeof(Args)..., 0};
    std::copy(size, size + call->count, call->size);
    if (call->is_dry) return;
    is_misaligned = false;
    from_the_last = !from_the_last;
    gridDim = {call->grid[0], call->grid[1], call->grid[2]};
    blockDim = {call->block[0], call->block[1], call->block[2]};
    const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    auto body = [&] { kernel(*(Args *)call->arguments[k]...); };
    for (unsigned z = 0; z < gridDim.z; ++z)
        for (unsigned y = 0; y < gridDim.y; ++y)
            for (unsigned x = 0; x < gridDim.x; ++x) {
                blockIdx = {in_order(x, gridDim.x), in_order(y, gridDim.y), in_order(z, gridDim.z)};
#ifdef WITH_FIBERS
                fibers::run_block(threads, [](void *f) { (*(decltype(body) *)f)(); }, &body);
#else
                for (unsigned turn = 0; turn < threads; ++turn) {
                    const unsigned t = in_order(turn, threads);
                    threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
                    body();
                }
#endif
            }
    call->is_misaligned = is_misaligned;
}

template <class... Args> void enter(void (*kernel)(Args...), Call *call) { enter(kernel, call, std::index_sequence_for<Args...>()); }
#define ENTRY(name) \
    extern "C" void enter_##name(Call *call) { enter(name, call); }
