// Enough of CUDA to run a kernel on a CPU, one thread after the other: for kernels whose threads do not talk to each
// other. A kernel's arguments come as CUDA's own launch takes them: an array of pointers, one to each argument.

#include <cmath>
#include <cstddef>
#include <utility>

#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__

struct dim3 { unsigned x, y, z; };
static thread_local dim3 gridDim, blockDim, blockIdx, threadIdx;
using std::exp;
using std::log;
using std::nan;
using std::sqrt;

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
    for (unsigned block = blocks; block-- > 0;)  // from the last to the first: no order is promised
        for (unsigned thread = threads; thread-- > 0;) {
            blockIdx = {block, 0, 0};
            threadIdx = {thread, 0, 0};
            kernel(*(Args *)args[k]...);
        }
    return 0;
}

template <class... Args>
int launch(void (*kernel)(Args...), unsigned blocks, unsigned threads, void **args, const int *sizes, int count)
{
    return run(kernel, blocks, threads, args, sizes, count, std::index_sequence_for<Args...>());
}
