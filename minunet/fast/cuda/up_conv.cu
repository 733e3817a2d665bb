// Up-convolution: what lies around its matrix products; see minunet/layers/up_conv.py and up_conv.py.
//
//     y[n,f,2h+i,2w+j]       = taps[n,(f i j),h,w] + bias[f]
//     dtaps[n,(f i j),h,w]   = dy[n,f,2h+i,2w+j]
//
// One thread = one pixel (h, w) of one output channel, with its four taps. Think of all images and channels as one stack
// of planes, so that n and f are one number, `plane`.

extern "C" __global__ void interleave_taps(const real *taps,  // (N, F 2 2, H, W)
                                           const real *bias,  // (F,)
                                           real *y,           // (N, F, 2 H, 2 W)
                                           index_t size,      // N F H W
                                           index_t F, index_t H, index_t W)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;
    const index_t w = k % W, h = k / W % H, plane = k / W / H;
    const real shift = bias[plane % F];

    for (int tap = 0; tap < 4; ++tap) {
        const int i = tap / 2, j = tap % 2;
        y[((plane * H + h) * 2 + i) * 2 * W + 2 * w + j] = taps[((4 * plane + tap) * H + h) * W + w] + shift;
    }
}

extern "C" __global__ void separate_taps(const real *dy,  // (N, F, 2 H, 2 W)
                                         real *dtaps,     // (N, F 2 2, H, W)
                                         index_t size,    // N F H W
                                         index_t H, index_t W)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;
    const index_t w = k % W, h = k / W % H, plane = k / W / H;

    for (int tap = 0; tap < 4; ++tap) {
        const int i = tap / 2, j = tap % 2;
        dtaps[((4 * plane + tap) * H + h) * W + w] = dy[((plane * H + h) * 2 + i) * 2 * W + 2 * w + j];
    }
}
