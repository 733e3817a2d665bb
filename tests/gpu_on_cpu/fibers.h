// Threads that talk to each other, on a CPU: those of a block are fibers, which take turns. One goes on until it comes to a
// barrier, and from there when all of its block, or its warp, have come to theirs. kernel.h includes this where a kernel has
// barriers; blockDim, threadIdx and warpSize are its.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include <setjmp.h>
#include <ucontext.h>

namespace fibers {
// A fiber is made by makecontext, and then reached by longjmp, which makes no call of the system.
const size_t STACK = 64 * 1024;
static ucontext_t start;
static jmp_buf scheduler;
static std::vector<char> stacks;
static std::vector<jmp_buf *> places;
static std::vector<char> state;  // of each thread
enum { NEW, READY, AT_WARP, AT_BLOCK, DONE };  // the third and the fourth wait at a barrier of their warp, or block
static unsigned current;
static char slots[1024][16];  // what a thread hands to the others of its warp
static void (*body)(void *);
static void *argument;

static void wait_at(char barrier)
{
    state[current] = barrier;
    if (!_setjmp(*places[current])) _longjmp(scheduler, 1);
}
static void begin() { body(argument); state[current] = DONE; _longjmp(scheduler, 1); }

static void go_on(unsigned thread)
{
    current = thread;
    threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / blockDim.x / blockDim.y};
    if (_setjmp(scheduler)) return;  // here a fiber comes back
    if (state[thread] == READY) _longjmp(*places[thread], 1);
    getcontext(&start);
    start.uc_stack.ss_sp = &stacks[thread * STACK];
    start.uc_stack.ss_size = STACK;
    makecontext(&start, begin, 0);
    setcontext(&start);
}

// Let the threads `first` to `last` go on if all that still run have come to this barrier; return whether they have.
static bool open_barrier(char barrier, unsigned first, unsigned last)
{
    bool someone = false;
    for (unsigned t = first; t < last; ++t) {
        if (state[t] != barrier && state[t] != DONE) return false;
        someone = someone || state[t] == barrier;
    }
    for (unsigned t = first; t < last; ++t)
        if (state[t] == barrier) state[t] = READY;
    return someone;
}

static void run_block(unsigned threads, void (*f)(void *), void *x)
{
    body = f;
    argument = x;
    if (stacks.size() < threads * STACK) stacks.resize(threads * STACK);
    while (places.size() < threads) places.push_back(new jmp_buf[1]);
    state.assign(threads, NEW);
    do
        for (unsigned warps = (threads + warpSize - 1) / warpSize, w = 0; w < warps; ++w) {  // one is as far ahead as it can be
            const unsigned first = in_order(w, warps) * warpSize, last = std::min(first + warpSize, threads);
            do
                for (unsigned k = 0; k < last - first; ++k) {
                    const unsigned thread = first + in_order(k, last - first);
                    if (state[thread] == NEW || state[thread] == READY) go_on(thread);
                }
            while (open_barrier(AT_WARP, first, last));
        }
    while (open_barrier(AT_BLOCK, 0, threads));
}
}  // namespace fibers

inline void __syncthreads() { fibers::wait_at(fibers::AT_BLOCK); }
inline void __syncwarp(unsigned = ~0u) { fibers::wait_at(fibers::AT_WARP); }
template <class T> inline T __shfl_from(T x, unsigned thread)
{
    memcpy(fibers::slots[fibers::current], &x, sizeof(T));
    __syncwarp();
    T other;
    memcpy(&other, fibers::slots[thread], sizeof(T));
    __syncwarp();
    return other;
}
template <class T> inline T __shfl_down_sync(unsigned, T x, unsigned by, int width = 32)
{
    const unsigned lane = fibers::current % width;
    return __shfl_from(x, lane + by < (unsigned)width ? fibers::current + by : fibers::current);
}
template <class T> inline T __shfl_up_sync(unsigned, T x, unsigned by, int width = 32)
{
    return __shfl_from(x, fibers::current % width >= by ? fibers::current - by : fibers::current);
}
template <class T> inline T __shfl_xor_sync(unsigned, T x, int mask, int = 32) { return __shfl_from(x, fibers::current ^ mask); }
template <class T> inline T __shfl_sync(unsigned, T x, int lane, int width = 32)
{
    return __shfl_from(x, fibers::current / width * width + lane % width);
}

#include "tensor_core.h"
