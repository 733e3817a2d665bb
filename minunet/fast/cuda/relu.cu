// ReLU, alone or with the bias of the convolution before it; see minunet/layers/relu.py.
//
//     y[i]   = max(x[i], 0)                     or   max(x[n,f,h,w] + bias[f], 0)
//     dx[i]  = dy[i] * (y[i] > 0)
//
// One thread = one element. The gradient of the bias is the sum of dx over n, h and w.

extern "C" __global__ void relu_forward(const real *x, real *y, index_t size)
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    y[i] = x[i] <= 0 ? 0 : x[i];  // this way round, what is not a number stays so, as in numpy.maximum
}

extern "C" __global__ void bias_relu_forward(const real *x,     // (N, F, H, W)
                                             const real *bias,  // (F,)
                                             real *y,           // (N, F, H, W)
                                             index_t size,      // N F H W
                                             index_t F,
                                             index_t pixels)    // H W
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const real sum = x[i] + bias[i / pixels % F];
    y[i] = sum <= 0 ? 0 : sum;
}

extern "C" __global__ void relu_backward(const real *dy, const real *y, real *dx, index_t size)
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    dx[i] = dy[i] * (real)(y[i] > 0);
}
