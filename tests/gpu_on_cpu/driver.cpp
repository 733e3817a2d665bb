// A CUDA driver and runtime whose GPU is the CPU: memory is the host's, streams and events do nothing, a launch runs the
// kernel that hooks.py has compiled. build.py makes a library of it, which CuPy finds as libcuda.so.1.
//
// It is stricter than a GPU:
//   - fresh memory is NaN, and each block lies between margins of NaN; after each launch the margins of its arrays must be
//     as they were,
//   - while `fake_forbid_waiting` is on, what would make the host wait for the GPU is an error.
// It counts launches, copies and bytes. What CuPy asks for beyond this file answers "not supported" (see build.py).

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "call.h"
#include "driver.h"

Counts counts;
static std::map<std::string, std::pair<long, long>> by_name;  // how often, and how many bytes
static std::recursive_mutex lock;                             // one thing at a time: threads may share the device
static thread_local bool waiting_is_forbidden = false;
static std::map<const void *, long> sizes;                    // of arrays, for the next launch; see fake_size
static bool dry = false;
static int capability = 90, driver_version = 13000;
static std::string trouble = "an error of the driver of tests/gpu_on_cpu";

// Memory

static const size_t MARGIN = 4096;
static std::map<const char *, size_t> blocks;
static const size_t TOTAL = 80ul << 30;
static size_t taken = 0;

// NaN as a float, and two of it as a double; each margin has its own, so that what is copied from one to another is seen.
static unsigned pattern(const char *p) { return 0xFFFF0000 | (size_t)p * 0x9E3779B97F4A7C15 >> 48; }
static void fill_margin(char *p)
{
    const unsigned own = pattern(p);
    for (size_t i = 0; i < MARGIN; i += 4) memcpy(p + i, &own, 4);
}
static bool margin_is_whole(const char *p)
{
    const unsigned own = pattern(p);
    for (size_t i = 0; i < MARGIN; i += 4)
        if (memcmp(p + i, &own, 4)) return false;
    return true;
}

static std::pair<const char *, size_t> block_of(const void *pointer)
{
    auto after = blocks.upper_bound((const char *)pointer);
    if (after == blocks.begin()) return {nullptr, 0};
    auto block = *--after;
    return (const char *)pointer <= block.first + block.second ? block : std::pair<const char *const, size_t>(nullptr, 0);
}
bool is_on_device(const void *p) { return block_of(p).first != nullptr; }

int check_margins(const void *pointer, const char *name)
{
    if (dry) return 0;
    auto [start, size] = block_of(pointer);
    if (!start || (margin_is_whole(start - MARGIN) && margin_is_whole(start + size))) return 0;
    trouble = std::string(name) + " has written beyond the array that begins at its argument";
    fill_margin((char *)start - MARGIN);
    fill_margin((char *)start + size);
    return cudaErrorLaunchFailure;
}

void note(const char *name, long bytes)
{
    counts.bytes += bytes;
    auto &row = by_name[name];
    row.first += 1;
    row.second += bytes;
}
bool is_dry() { return dry; }

int fail(int error, std::string message)
{
    trouble = std::move(message);
    return error;
}

static int wait(const char *how)
{
    if (is_capturing()) return fail(cudaErrorStreamCaptureUnsupported, std::string(how) + " while a stream is captured");
    counts.waits += 1;
    if (!waiting_is_forbidden) return 0;
    trouble = std::string(how) + " makes the host wait for the GPU";
    return cudaErrorStreamCaptureUnsupported;
}

extern "C" {

// What the tests ask for (device.py)

void fake_forbid_waiting(int on) { waiting_is_forbidden = on; }
void fake_count_only(int on) { dry = on; }
void fake_size(const void *p, long bytes) { sizes[p] = bytes; }  // of an array that is part of a larger one
void fake_set_capability(int major, int minor) { capability = 10 * major + minor; }
void fake_set_driver_version(int version) { driver_version = version; }
void fake_reset_counts() { counts = {}; by_name.clear(); }
Counts fake_counts() { return counts; }
const char *fake_table()  // a line for each name: how often, bytes, name
{
    static std::string text;
    text.clear();
    for (auto &[name, row] : by_name) text += std::to_string(row.first) + " " + std::to_string(row.second) + " " + name + "\n";
    return text.c_str();
}

// Errors

const char *cudaGetErrorName(cudaError_t e) { return e == cudaErrorStreamCaptureUnsupported ? "HIDDEN_TRIP" : e == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "FAKE_DRIVER"; }
const char *cudaGetErrorString(cudaError_t e) { return e == cudaErrorNotSupported ? "not part of tests/gpu_on_cpu/driver.cpp" : trouble.c_str(); }
cudaError_t cudaGetLastError() { return cudaSuccess; }
int cuGetErrorName(int, const char **name) { *name = "FAKE_DRIVER"; return 0; }
int cuGetErrorString(int, const char **text) { *text = trouble.c_str(); return 0; }

// The device

cudaError_t cudaDriverGetVersion(int *v) { *v = driver_version; return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int *v) { *v = CUDART_VERSION; return cudaSuccess; }
cudaError_t cudaGetDevice(int *d) { *d = 0; return cudaSuccess; }
cudaError_t cudaGetDeviceCount(int *n) { *n = 1; return cudaSuccess; }
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() { return (cudaError_t)wait("cudaDeviceSynchronize"); }
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int)
{
    switch (attribute) {
        case cudaDevAttrComputeCapabilityMajor: *value = capability / 10; break;
        case cudaDevAttrComputeCapabilityMinor: *value = capability % 10; break;
        case cudaDevAttrMultiProcessorCount: *value = 132; break;
        case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
        case cudaDevAttrMaxSharedMemoryPerBlock: *value = 48 << 10; break;
        case cudaDevAttrWarpSize: *value = 32; break;
        default: *value = 0;
    }
    return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties_v2(cudaDeviceProp *p, int)
{
    *p = {};
    strcpy(p->name, "a CPU that plays a GPU");
    p->totalGlobalMem = TOTAL;
    p->major = capability / 10;
    p->minor = capability % 10;
    p->warpSize = 32;
    p->maxThreadsPerBlock = 1024;
    p->multiProcessorCount = 132;
    return cudaSuccess;
}
int cuCtxGetCurrent(void **context) { *context = (void *)1; return 0; }
int cuCtxSetCurrent(void *) { return 0; }
int cuCtxGetDevice(int *device) { *device = 0; return 0; }
int cuStreamGetCtx(void *, void **context) { *context = (void *)1; return 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }

// Memory

cudaError_t cudaMalloc(void **p, size_t size)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    char *start = taken + size > TOTAL ? nullptr : (char *)malloc(size + 2 * MARGIN);
    if (!start) return cudaErrorMemoryAllocation;
    start += MARGIN;
    if (!dry) {
        memset(start, 0xFF, size);  // what nobody wrote nobody should read
        fill_margin(start - MARGIN);
        fill_margin(start + size);
    }
    blocks[start] = size;
    taken += size;
    *p = start;
    return cudaSuccess;
}
cudaError_t cudaFree(void *p)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    auto block = blocks.find((char *)p);
    if (block == blocks.end()) return p ? cudaErrorInvalidValue : cudaSuccess;
    taken -= block->second;
    blocks.erase(block);
    free((char *)p - MARGIN);
    return cudaSuccess;
}
cudaError_t cudaHostAlloc(void **p, size_t size, unsigned) { *p = malloc(size); return cudaSuccess; }
cudaError_t cudaFreeHost(void *p) { free(p); return cudaSuccess; }
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total) { *total = TOTAL; *free_bytes = TOTAL - taken; return cudaSuccess; }
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *a, const void *p)
{
    *a = {};
    a->type = is_on_device(p) ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered;
    a->devicePointer = a->type == cudaMemoryTypeDevice ? (void *)p : nullptr;
    return cudaSuccess;
}
static int copy(void *to, const void *from, size_t size)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    const bool reads = is_on_device(from), writes = is_on_device(to);
    if (reads && !writes) {
        counts.to_host += 1;
        if (int error = wait("a copy to the host")) return error;
    } else if (writes && !reads) {
        counts.to_device += 1;
    } else {
        counts.on_device += 1;
        note("copy", 2 * size);
    }
    if (!dry) memcpy(to, from, size);
    return check_margins(to, "a copy");
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, cudaMemcpyKind, cudaStream_t stream)
{
    if (!is_capturing()) return (cudaError_t)copy(to, from, size);
    if (!is_on_device(to) || !is_on_device(from)) return (cudaError_t)wait("a copy between host and GPU");
    return (cudaError_t)record(stream, [=] { return copy(to, from, size); });
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t size, cudaMemcpyKind kind) { return cudaMemcpyAsync(to, from, size, kind, nullptr); }
static int fill(void *p, int value, size_t size)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    counts.fills += 1;
    note("fill", size);
    if (!dry) memset(p, value, size);
    return check_margins(p, "a fill");
}
cudaError_t cudaMemsetAsync(void *p, int value, size_t size, cudaStream_t stream)
{
    if (is_capturing()) return (cudaError_t)record(stream, [=] { return fill(p, value, size); });
    return (cudaError_t)fill(p, value, size);
}
cudaError_t cudaMemset(void *p, int value, size_t size) { return cudaMemsetAsync(p, value, size, nullptr); }

// Streams and events

static size_t next_handle = 16;
cudaError_t cudaStreamCreate(cudaStream_t *s) { *s = (cudaStream_t)(next_handle += 16); return cudaSuccess; }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned) { return cudaStreamCreate(s); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned, int) { return cudaStreamCreate(s); }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return (cudaError_t)wait("cudaStreamSynchronize"); }
cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t *e) { *e = (cudaEvent_t)(next_handle += 16); return cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned) { return cudaEventCreate(e); }
cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return (cudaError_t)wait("cudaEventSynchronize"); }
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t, cudaEvent_t) { *ms = 0; return cudaSuccess; }

// Kernels: a module is a library that hooks.py has compiled, and its image is "FAKE:" with the library's path

struct Function { void (*enter)(Call *); std::string name; };

int cuModuleLoadData(void **module, const char *image)
{
    if (is_capturing()) return fail(cudaErrorStreamCaptureUnsupported, "a kernel is loaded while a stream is captured");
    if (strncmp(image, "FAKE:", 5)) { trouble = "a kernel that hooks.py has not compiled"; return cudaErrorNotSupported; }
    *module = dlopen(image + 5, RTLD_NOW | RTLD_LOCAL);
    if (!*module) trouble = dlerror();
    return *module ? 0 : cudaErrorInvalidKernelImage;
}
int cuModuleUnload(void *) { return 0; }
int cuModuleGetFunction(Function **function, void *module, const char *name)
{
    auto enter = (void (*)(Call *))dlsym(module, (std::string("enter_") + name).c_str());
    if (!enter) { trouble = std::string("no kernel of the name ") + name; return cudaErrorSymbolNotFound; }
    *function = new Function{enter, name};
    return 0;
}
int cuFuncGetAttribute(int *value, int attribute, Function *) { *value = attribute == 0 ? 1024 : 0; return 0; }
int cuFuncSetAttribute(Function *, int, int) { return 0; }
int cuOccupancyMaxPotentialBlockSize(int *grid, int *block, Function *, void *, size_t, int) { *grid = 132; *block = 256; return 0; }
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, Function *, int, size_t) { *n = 4; return 0; }

static int run(Function *f, Call call)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    call.is_dry = dry;
    f->enter(&call);
    long bytes = 0;
    int error = 0;
    if (call.is_misaligned) error = fail(cudaErrorMisalignedAddress, f->name + " has read or written at an address that is no multiple of what it reads or writes there");
    for (int i = 0; i < call.count; ++i) {
        const Seen &seen = call.seen[i];
        auto [start, size] = block_of(seen.pointer);
        if (!start) continue;
        auto known = sizes.find(seen.pointer);
        bytes += seen.bytes ? seen.bytes : known != sizes.end() ? known->second : start + size - (const char *)seen.pointer;
        if (!error) error = check_margins(seen.pointer, f->name.c_str());
    }
    sizes.clear();
    note(f->name.c_str(), bytes);
    return error;
}

static int record_kernel(void *stream, Function *f, Call call)
{
    call.is_dry = true;
    f->enter(&call);  // it says how large its arguments are, which must be copied
    std::vector<std::vector<char>> copies;
    for (int i = 0; i < call.count; ++i) copies.emplace_back((char *)call.arguments[i], (char *)call.arguments[i] + call.size[i]);
    std::vector<const void *> arrays;
    for (int i = 0; i < call.count; ++i)
        if (is_on_device(call.seen[i].pointer)) arrays.push_back(call.seen[i].pointer);
    return record(stream, [=]() mutable {
        for (const void *array : arrays)
            if (!is_on_device(array)) return fail(cudaErrorIllegalAddress, f->name + " in a graph, for an array whose memory was given back");
        std::vector<void *> pointers;
        for (auto &copy : copies) pointers.push_back(copy.data());
        call.arguments = pointers.data();
        return run(f, call);
    });
}

int cuLaunchKernel(Function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned,
                   void *stream, void **arguments, void **)
{
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!gx || !gy || !gz || !bx || bx * by * bz > 1024) return fail(cudaErrorInvalidValue, f->name + ": an empty grid, or a block of more than 1024");
    Call call = {{gx, gy, gz}, {bx, by, bz}, arguments};
    if (is_capturing()) return record_kernel(stream, f, call);
    counts.launches += 1;
    return run(f, call);
}
}
