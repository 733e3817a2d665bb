// Graphs: while a thread captures a stream nothing runs, and each launch of the graph does what was asked for, in order.
//
// It is stricter than CUDA: a thread that captures may use no other stream, for what it does there would run once and be
// in no graph.

#include <cuda_runtime_api.h>

#include <vector>

#include "driver.h"

using Work = std::vector<std::function<int()>>;
static thread_local Work *recording = nullptr;
static thread_local void *captured = nullptr;  // the stream

bool is_capturing() { return recording != nullptr; }

int record(void *stream, std::function<int()> work)
{
    if (stream != captured) return fail(cudaErrorStreamCaptureUnsupported, "work on another stream than the one that is captured");
    recording->push_back(std::move(work));
    return 0;
}

extern "C" {
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    if (!stream || recording) return (cudaError_t)fail(cudaErrorStreamCaptureUnsupported, "a capture of the default stream, or a second one");
    recording = new Work;
    captured = stream;
    return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    *status = recording && stream == captured ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    if (!recording || stream != captured) return (cudaError_t)fail(cudaErrorIllegalState, "the end of a capture that has not begun");
    *graph = (cudaGraph_t)recording;
    recording = nullptr;
    captured = nullptr;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long)
{
    *executable = (cudaGraphExec_t)new Work(*(Work *)graph);
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t)
{
    if (is_capturing()) return (cudaError_t)fail(cudaErrorStreamCaptureUnsupported, "a graph within a graph");
    counts.launches += 1;
    note("graph", 0);
    for (auto &work : *(Work *)executable)
        if (int error = work()) return (cudaError_t)error;
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { delete (Work *)graph; return cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) { delete (Work *)executable; return cudaSuccess; }
}
