// Many arrays copied into one, one after the other.
//
//     y[starts[k] + j] = array_k[j]
//
// One thread = one element of y. It finds its array by halving: the last one that starts at or before it.

extern "C" __global__ void gather(real *y,                 // (size,)
                                  const long long *table,  // (2, count): where each array is in memory, and its start in y
                                  index_t size,
                                  index_t count)
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const long long *addresses = table, *starts = table + count;

    index_t first = 0, beyond = count;  // the array is one of first .. beyond - 1
    while (beyond - first > 1) {
        const index_t middle = (first + beyond) / 2;
        if (starts[middle] <= i)
            first = middle;
        else
            beyond = middle;
    }
    y[i] = ((const real *)addresses[first])[i - starts[first]];
}
