// Max-pool: 2x2 windows, stride 2; see minunet/layers/pool.py.
//
//     y[n,c,h,w]         = max_{i,j in 0..1}  x[n,c,2h+i,2w+j]
//     winner[n,c,h,w]    = 2 i + j  of the first that is largest, in row-major order
//     dx[n,c,2h+i,2w+j]  = dy[n,c,h,w] * (winner[n,c,h,w] == 2 i + j)
//
// One thread = one window. Think of all images and channels as one tall image, so that n, c and h are one number, `row`.
// A row of windows covers the rows 2 row and 2 row + 1 of x, which are 2 OW wide.

extern "C" __global__ void max_pool_forward(const real *x,          // (N, C, 2 OH, 2 OW)
                                            real *y,                // (N, C, OH, OW)
                                            unsigned char *winner,  // (N, C, OH, OW)
                                            index_t windows,        // N C OH OW
                                            index_t OW)
{
    const index_t window = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (window >= windows) return;
    const index_t row = window / OW, w = window % OW;

    real largest = x[2 * row * 2 * OW + 2 * w];
    unsigned char first = 0;
    for (int k = 1; k < 4; ++k) {
        const int i = k / 2, j = k % 2;
        const real pixel = x[(2 * row + i) * 2 * OW + 2 * w + j];
        if (pixel > largest) {  // strictly greater: in a tie the first one stays
            largest = pixel;
            first = k;
        }
        if (pixel != pixel) largest = pixel;  // NaN spreads, as in numpy.maximum
    }
    y[window] = largest;
    winner[window] = first;
}

extern "C" __global__ void max_pool_backward(const real *dy,               // (N, C, OH, OW)
                                             const unsigned char *winner,  // (N, C, OH, OW)
                                             real *dx,                     // (N, C, 2 OH, 2 OW)
                                             index_t windows,              // N C OH OW
                                             index_t OW)
{
    const index_t window = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (window >= windows) return;
    const index_t row = window / OW, w = window % OW;

    const real gradient = dy[window];
    const int first = winner[window];
    for (int k = 0; k < 4; ++k) {
        const int i = k / 2, j = k % 2;
        dx[(2 * row + i) * 2 * OW + 2 * w + j] = gradient * (real)(first == k);
    }
}
