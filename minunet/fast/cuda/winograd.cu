// Winograd's convolution F(4x4, 3x3): the steps before and after the 36 matrix products; see minunet/fast/winograd.py,
// whose V, U and M these are.
//
//     V[(i j), c, t]      = B x_tile B'        B (6, 6), a tile of 6x6 pixels of x
//     U[(i j), f, c]      = G weight G'        G (6, 3)
//     M[(i j), f, t]      = U[(i j), f, c] V[(i j), c, t]                          a matrix product, done by cuBLAS
//     y_tile              = A M A' + bias      A (4, 6), a block of 4x4 pixels of y
//
// and on the way back, each step transposed:
//
//     dM = A' dy_tile A       dx_tile = B' dV B       dweight = G' dU G
//
// One thread = one tile of one channel, or one kernel, from beginning to end: its 36 numbers stay in registers.
// Threads of neighbouring tiles are neighbours, so that they read and write one run of memory together, at each of the
// 36 points. `rows` x `columns` tiles cover an image, and t counts the tiles of all images of the batch.

// out = B in: one column of a tile, at the points 0, 1, -1, 2, -2 and infinity. Rows 1 and 2, and 3 and 4, differ in the
// sign of their odd terms.
static __device__ __forceinline__ void evaluate(const real in[6], real out[6])
{
    const real even1 = in[4] - 4 * in[2], odd1 = in[3] - 4 * in[1];
    const real even2 = in[4] - in[2], odd2 = 2 * (in[3] - in[1]);
    out[0] = 4 * in[0] - 5 * in[2] + in[4];
    out[1] = even1 + odd1;
    out[2] = even1 - odd1;
    out[3] = even2 + odd2;
    out[4] = even2 - odd2;
    out[5] = 4 * in[1] - 5 * in[3] + in[5];
}

// out = B' in
static __device__ __forceinline__ void evaluate_transposed(const real in[6], real out[6])
{
    const real sum1 = in[1] + in[2], difference1 = in[1] - in[2];
    const real sum2 = in[3] + in[4], difference2 = in[3] - in[4];
    out[0] = 4 * in[0];
    out[1] = 4 * in[5] - 4 * difference1 - 2 * difference2;
    out[2] = -5 * in[0] - 4 * sum1 - sum2;
    out[3] = difference1 + 2 * difference2 - 5 * in[5];
    out[4] = in[0] + sum1 + sum2;
    out[5] = in[5];
}

// out = A in
static __device__ __forceinline__ void interpolate(const real in[6], real out[4])
{
    const real sum1 = in[1] + in[2], difference1 = in[1] - in[2];
    const real sum2 = in[3] + in[4], difference2 = in[3] - in[4];
    out[0] = in[0] + sum1 + sum2;
    out[1] = difference1 + 2 * difference2;
    out[2] = sum1 + 4 * sum2;
    out[3] = difference1 + 8 * difference2 + in[5];
}

// out = A' in
static __device__ __forceinline__ void interpolate_transposed(const real in[4], real out[6])
{
    const real even1 = in[0] + in[2], odd1 = in[1] + in[3];
    const real even2 = in[0] + 4 * in[2], odd2 = 2 * in[1] + 8 * in[3];
    out[0] = in[0];
    out[1] = even1 + odd1;
    out[2] = even1 - odd1;
    out[3] = even2 + odd2;
    out[4] = even2 - odd2;
    out[5] = in[3];
}

// out = G in
static __device__ __forceinline__ void evaluate_taps(const real in[3], real out[6])
{
    const real even1 = in[0] + in[2], even2 = in[0] + 4 * in[2];
    out[0] = in[0] / 4;
    out[1] = (even1 + in[1]) / -6;
    out[2] = (even1 - in[1]) / -6;
    out[3] = (even2 + 2 * in[1]) / 24;
    out[4] = (even2 - 2 * in[1]) / 24;
    out[5] = in[2];
}

// out = G' in
static __device__ __forceinline__ void evaluate_taps_transposed(const real in[6], real out[3])
{
    const real sum1 = in[1] + in[2], difference1 = in[1] - in[2];
    const real sum2 = in[3] + in[4], difference2 = in[3] - in[4];
    out[0] = in[0] / 4 - sum1 / 6 + sum2 / 24;
    out[1] = difference2 / 12 - difference1 / 6;
    out[2] = sum2 / 6 - sum1 / 6 + in[5];
}

// V = B x_tile B'. A tile that reaches beyond the edge of x reads 0 there.
extern "C" __global__ void evaluate_tiles(
    const real *x,  // (N, C, H, W)
    real *V,        // (36, C, T), T = N rows columns
    index_t size,   // C T
    index_t T, index_t C, index_t H, index_t W, index_t rows, index_t columns)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;  // where the tile is in V[i, j]
    if (k >= size) return;
    const index_t t = k % T, c = k / T;
    const index_t w = 4 * (t % columns), h = 4 * (t / columns % rows), n = t / columns / rows;
    const real *pixels = x + (n * C + c) * H * W;

    real half[6][6];  // B x_tile, one column after the other
    for (int j = 0; j < 6; ++j) {
        real in[6], out[6];
        for (int i = 0; i < 6; ++i) in[i] = h + i < H && w + j < W ? pixels[(h + i) * W + w + j] : 0;
        evaluate(in, out);
        for (int i = 0; i < 6; ++i) half[i][j] = out[i];
    }
    for (int i = 0; i < 6; ++i) {
        real out[6];
        evaluate(half[i], out);
        for (int j = 0; j < 6; ++j) V[(6 * i + j) * size + k] = out[j];
    }
}

// dx, of the dx_tile = B' dV B that overlap there. A block of 4x4 pixels of dx lies in four tiles: in the one that
// begins where it does, and in the last two rows or columns, or both, of those above and to the left of it.
// One thread = one such block, so that no two threads write the same pixel.
extern "C" __global__ void evaluate_tiles_transposed(
    const real *dV,  // (36, C, T)
    real *dx,        // (N, C, H, W)
    index_t size,    // N C (rows + 1) (columns + 1)
    index_t T, index_t C, index_t H, index_t W, index_t rows, index_t columns)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;
    const index_t column = k % (columns + 1), row = k / (columns + 1) % (rows + 1);
    const index_t plane = k / (columns + 1) / (rows + 1), c = plane % C, n = plane / C;

    real block[4][4] = {};
    for (int above = 0; above < 2; ++above)
        for (int left = 0; left < 2; ++left) {
            const index_t r = row - above, s = column - left;
            if (r < 0 || r == rows || s < 0 || s == columns) continue;
            const real *point = dV + c * T + (n * rows + r) * columns + s;
            real half[6][6];  // B' dV, one column after the other
            for (int j = 0; j < 6; ++j) {
                real in[6], out[6];
                for (int i = 0; i < 6; ++i) in[i] = point[(6 * i + j) * C * T];
                evaluate_transposed(in, out);
                for (int i = 0; i < 6; ++i) half[i][j] = out[i];
            }
            for (int i = 4 * above; i < (above ? 6 : 4); ++i) {
                real out[6];
                evaluate_transposed(half[i], out);
                for (int j = 4 * left; j < (left ? 6 : 4); ++j) block[i - 4 * above][j - 4 * left] += out[j];
            }
        }
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j)
            if (4 * row + i < H && 4 * column + j < W)
                dx[(plane * H + 4 * row + i) * W + 4 * column + j] = block[i][j];
}

// U = G weight G'. One thread = one kernel.
extern "C" __global__ void evaluate_kernels(const real *weight,  // (F, C, 3, 3)
                                            real *U,             // (36, F, C)
                                            index_t size)        // F C
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;

    real half[6][3];  // G weight
    for (int j = 0; j < 3; ++j) {
        real in[3], out[6];
        for (int i = 0; i < 3; ++i) in[i] = weight[9 * k + 3 * i + j];
        evaluate_taps(in, out);
        for (int i = 0; i < 6; ++i) half[i][j] = out[i];
    }
    for (int i = 0; i < 6; ++i) {
        real out[6];
        evaluate_taps(half[i], out);
        for (int j = 0; j < 6; ++j) U[(6 * i + j) * size + k] = out[j];
    }
}

// dweight = G' dU G
extern "C" __global__ void evaluate_kernels_transposed(const real *dU,  // (36, F, C)
                                                       real *dweight,   // (F, C, 3, 3)
                                                       index_t size)    // F C
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;

    real half[3][6];  // G' dU
    for (int j = 0; j < 6; ++j) {
        real in[6], out[3];
        for (int i = 0; i < 6; ++i) in[i] = dU[(6 * i + j) * size + k];
        evaluate_taps_transposed(in, out);
        for (int i = 0; i < 3; ++i) half[i][j] = out[i];
    }
    for (int i = 0; i < 3; ++i) {
        real out[3];
        evaluate_taps_transposed(half[i], out);
        for (int j = 0; j < 3; ++j) dweight[9 * k + 3 * i + j] = out[j];
    }
}

// y_tile = A M A' + bias, and its ReLU if that is wanted, less what lies beyond the edge of y.
extern "C" __global__ void interpolate_tiles(
    const real *M,      // (36, F, T)
    const real *bias,   // (F,)
    real *y,            // (N, F, OH, OW)
    index_t with_relu,  // 0 or 1
    index_t size,       // F T
    index_t T, index_t F, index_t OH, index_t OW, index_t rows, index_t columns)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;  // where the tile is in M[i, j]
    if (k >= size) return;
    const index_t t = k % T, f = k / T;
    const index_t w = 4 * (t % columns), h = 4 * (t / columns % rows), n = t / columns / rows;
    real *pixels = y + (n * F + f) * OH * OW;
    const real shift = bias[f];

    real half[4][6];  // A M
    for (int j = 0; j < 6; ++j) {
        real in[6], out[4];
        for (int i = 0; i < 6; ++i) in[i] = M[(6 * i + j) * size + k];
        interpolate(in, out);
        for (int i = 0; i < 4; ++i) half[i][j] = out[i];
    }
    for (int i = 0; i < 4; ++i) {
        real out[4];
        interpolate(half[i], out);
        for (int j = 0; j < 4; ++j) {
            const real pixel = out[j] + shift;
            if (h + i < OH && w + j < OW) pixels[(h + i) * OW + w + j] = with_relu && pixel <= 0 ? 0 : pixel;
        }
    }
}

// dM = A' dy_tile A, of dy gated by the ReLU if there was one: dy * (y > 0). Beyond the edge dy is 0.
extern "C" __global__ void interpolate_tiles_transposed(
    const real *dy,  // (N, F, OH, OW)
    const real *y,   // (N, F, OH, OW) or null
    real *dM,        // (36, F, T)
    index_t size,    // F T
    index_t T, index_t F, index_t OH, index_t OW, index_t rows, index_t columns)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;
    const index_t t = k % T, f = k / T;
    const index_t w = 4 * (t % columns), h = 4 * (t / columns % rows), n = t / columns / rows;
    const index_t plane = (n * F + f) * OH * OW;

    real half[6][4];  // A' dy_tile
    for (int j = 0; j < 4; ++j) {
        real in[4], out[6];
        for (int i = 0; i < 4; ++i) {
            const bool inside = h + i < OH && w + j < OW;
            const index_t pixel = inside ? plane + (h + i) * OW + w + j : plane;
            in[i] = inside ? dy[pixel] * (real)(!y || y[pixel] > 0) : 0;
        }
        interpolate_transposed(in, out);
        for (int i = 0; i < 6; ++i) half[i][j] = out[i];
    }
    for (int i = 0; i < 6; ++i) {
        real out[6];
        interpolate_transposed(half[i], out);
        for (int j = 0; j < 6; ++j) dM[(6 * i + j) * size + k] = out[j];
    }
}
