// ReLU; see minunet/layers/relu.py. After a 3x3 convolution the kernels of winograd.cu include it.
//
//     y[i]   = max(x[i], 0)
//     dx[i]  = dy[i] * (y[i] > 0)
//
// One thread = one element.

extern "C" __global__ void relu_forward(const real *x, real *y, index_t size)
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    y[i] = x[i] <= 0 ? 0 : x[i];  // written this way, NaN stays NaN, as in numpy.maximum
}

extern "C" __global__ void relu_backward(const real *dy, const real *y, real *dx, index_t size)
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    dx[i] = dy[i] * (real)(y[i] > 0);
}
