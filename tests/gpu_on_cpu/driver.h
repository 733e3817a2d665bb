// What driver.cpp, graphs.cpp and blas.cpp share: the memory that plays the GPU's, and the counts of what was done on it.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

struct Counts {
    long launches;  // of kernels
    long products;  // calls of cuBLAS
    long fills;     // cudaMemset
    long to_device, to_host, on_device;  // copies
    long waits;     // of the host for the GPU
    long bytes;     // of the arrays that kernels and products were given, and of copies and fills on the device
};
extern Counts counts;

// Add to the counts of this name, such as that of a kernel.
void note(const char *name, long bytes);
// Whether work is done, or only counted.
bool is_dry();
// Return `error`, which CuPy raises with this message.
int fail(int error, std::string message);
// Whether this address is in memory that was asked for and not given back.
bool is_on_device(const void *pointer);
// Whether this thread captures a stream, and keeps work for a graph in place of doing it.
bool is_capturing();
int record(void *stream, std::function<int()> work);
// 0, or CUDA's number of the error, once an array's margin has been written to.
int check_margins(const void *pointer, const char *name);
