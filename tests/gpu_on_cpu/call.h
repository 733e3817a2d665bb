// What driver.cpp asks of a kernel, and tells it; kernel.h answers.
#pragma once

#include <cstddef>

struct Seen {
    const void *pointer;
    size_t bytes;  // 0: as many as the array has from there on
};

struct Call {
    unsigned grid[3], block[3];
    void **arguments;
    int count;      // of the kernel's arguments
    Seen seen[64];  // the array behind each argument, if it is one
    bool is_dry;    // do nothing but say which arrays it was given
    size_t size[64];  // of each argument, in bytes
    bool is_misaligned;  // it has read or written where a GPU cannot
};
