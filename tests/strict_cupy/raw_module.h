// Enough of CUDA to run a kernel on a CPU, one thread after the other or, where the threads of a block wait for each other
// (WITH_FIBERS), in turns. A kernel's arguments come as CUDA's own launch takes them: an array of pointers, one to each.

#include <cmath>
#include <cstddef>
#include <utility>

#define __global__
#define __device__
#define __shared__ static  // blocks run one after the other
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)

struct dim3 { unsigned x, y, z; };
static thread_local dim3 gridDim, blockDim, blockIdx, threadIdx;
using std::exp;
using std::log;
using std::nan;
using std::sqrt;

#ifdef WITH_FIBERS
static const int warpSize = 32;
#include "../gpu_on_cpu/fibers.h"
#endif

template <class... Args, std::size_t... k>
int run(void (*kernel)(Args...), unsigned blocks, unsigned threads, void **args, const int *sizes, int count,
        std::index_sequence<k...>)
{
    if (count != sizeof...(Args)) return -1;
    const std::size_t expected[] = {sizeof(Args)...};
    for (int i = 0; i < count; ++i)
        if (sizes[i] != (int)expected[i]) return i + 1;  // the number of the argument that has another size
    gridDim = {blocks, 1, 1};
    blockDim = {threads, 1, 1};
    auto body = [&] { kernel(*(Args *)args[k]...); };
    for (unsigned block = blocks; block-- > 0;) {  // from the last to the first: no order is promised
        blockIdx = {block, 0, 0};
#ifdef WITH_FIBERS
        fibers::run_block(threads, [](void *f) { (*(decltype(body) *)f)(); }, &body);
#else
        for (unsigned thread = threads; thread-- > 0;) {
            threadIdx = {thread, 0, 0};
            body();
        }
#endif
    }
    return 0;
}

template <class... Args>
int launch(void (*kernel)(Args...), unsigned blocks, unsigned threads, void **args, const int *sizes, int count)
{
    return run(kernel, blocks, threads, args, sizes, count, std::index_sequence_for<Args...>());
}
