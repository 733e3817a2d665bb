// Crop and concatenate; see minunet/layers/crop_concat.py. S channels of the skip connection, C of x:
//
//     y[n,k,h,w]        = skip[n,k,top+h,left+w]  where k < S,  else  x[n,k-S,h,w]
//     dskip[n,k,sh,sw]  = dy[n,k,sh-top,sw-left]  where that is in dy,  else 0
//     dx[n,c,h,w]       = dy[n,S+c,h,w]
//
// One thread = one element of what is written: of y; on the way back of dskip, or else of dx.

extern "C" __global__ void crop_concat_forward(const real *skip,  // (N, S, SH, SW)
                                               const real *x,     // (N, C, H, W)
                                               real *y,           // (N, S + C, H, W)
                                               index_t size,      // N (S + C) H W
                                               index_t S, index_t SH, index_t SW,
                                               index_t C, index_t H, index_t W,
                                               index_t top, index_t left)
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const index_t w = i % W, h = i / W % H, k = i / (W * H) % (S + C), n = i / (W * H) / (S + C);

    y[i] = k < S ? skip[((n * S + k) * SH + top + h) * SW + left + w] : x[((n * C + k - S) * H + h) * W + w];
}

extern "C" __global__ void crop_concat_backward(const real *dy,      // (N, S + C, H, W)
                                                real *dskip,         // (N, S, SH, SW)
                                                real *dx,            // (N, C, H, W)
                                                index_t skip_size,   // N S SH SW
                                                index_t x_size,      // N C H W
                                                index_t S, index_t SH, index_t SW,
                                                index_t C, index_t H, index_t W,
                                                index_t top, index_t left)
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < skip_size) {
        const index_t sw = i % SW, sh = i / SW % SH, k = i / (SW * SH) % S, n = i / (SW * SH) / S;
        const index_t h = sh - top, w = sw - left;
        const bool inside = 0 <= h && h < H && 0 <= w && w < W;
        dskip[i] = inside ? dy[((n * (S + C) + k) * H + h) * W + w] : 0;
    } else if (i - skip_size < x_size) {
        const index_t j = i - skip_size;
        const index_t image = j / (C * H * W), pixel = j % (C * H * W);
        dx[j] = dy[(image * (S + C) + S) * H * W + pixel];
    }
}
