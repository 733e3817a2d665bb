// Winograd's convolution F(4x4, 3x3) or F(2x2, 3x3): the steps before and after the matrix products; see
// minunet/fast/cpu/winograd.py, which explains V, U and M. Along each axis a tile has TILE = 4 or 2 pixels of y. It depends
// on SIDE = 6 or 4 pixels of x, and takes as many points: SIDE * SIDE in all, with one matrix product for each.
//
//     V[(i j), c, t]      = B x_tile B'        B (SIDE, SIDE)
//     U[(i j), f, c]      = G weight G'        G (SIDE, 3)
//     M[(i j), f, t]      = U[(i j), f, c] V[(i j), c, t]                          a matrix product, done by cuBLAS
//     y_tile              = A M A' + bias      A (TILE, SIDE)
//
// and backward, each step transposed:
//
//     dM = A' dy_tile A       dx_tile = B' dV B       dweight = G' dU G
//
// One thread = one tile of one channel, or one kernel, from beginning to end: its numbers stay in registers. Neighbouring
// threads have neighbouring tiles, so that together they read and write one stretch of memory at each point.
// `rows` x `columns` tiles cover an image, and t counts the tiles of all N images of the batch. They are cut into slabs of
// L tiles, so that dU is the sum of many short products, which run at the same time, in place of one long one:
//
//     V[(i j), s, c, l], M[(i j), s, f, l]     with t = s L + l
//     U[(i j), s, f, c]                        the same for each slab
//
// There are `slabs` of them. The last tiles of the last slab may belong to no image: those are 0 in V and dM.

#define SIDE (TILE + 2)

#if TILE == 4  // the points 0, 1, -1, 2, -2 and infinity

// out = B in: one column of a tile. Rows 1 and 2, and 3 and 4, differ in the sign of their odd terms.
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

#define SIXTH ((real)(1. / 6))  // a GPU multiplies several times as fast as it divides
#define TWELFTH ((real)(1. / 12))
#define TWENTY_FOURTH ((real)(1. / 24))

// out = G in
static __device__ __forceinline__ void evaluate_taps(const real in[3], real out[6])
{
    const real even1 = in[0] + in[2], even2 = in[0] + 4 * in[2];
    out[0] = in[0] / 4;
    out[1] = (even1 + in[1]) * -SIXTH;
    out[2] = (even1 - in[1]) * -SIXTH;
    out[3] = (even2 + 2 * in[1]) * TWENTY_FOURTH;
    out[4] = (even2 - 2 * in[1]) * TWENTY_FOURTH;
    out[5] = in[2];
}

// out = G' in
static __device__ __forceinline__ void evaluate_taps_transposed(const real in[6], real out[3])
{
    const real sum1 = in[1] + in[2], difference1 = in[1] - in[2];
    const real sum2 = in[3] + in[4], difference2 = in[3] - in[4];
    out[0] = in[0] / 4 - sum1 * SIXTH + sum2 * TWENTY_FOURTH;
    out[1] = difference2 * TWELFTH - difference1 * SIXTH;
    out[2] = (sum2 - sum1) * SIXTH + in[5];
}

#else  // the points 0, 1, -1 and infinity: no factor is above 1, so that rounding errors stay small

// out = B in
static __device__ __forceinline__ void evaluate(const real in[4], real out[4])
{
    out[0] = in[0] - in[2];
    out[1] = in[2] + in[1];
    out[2] = in[2] - in[1];
    out[3] = in[3] - in[1];
}

// out = B' in
static __device__ __forceinline__ void evaluate_transposed(const real in[4], real out[4])
{
    out[0] = in[0];
    out[1] = in[1] - in[2] - in[3];
    out[2] = in[1] + in[2] - in[0];
    out[3] = in[3];
}

// out = A in
static __device__ __forceinline__ void interpolate(const real in[4], real out[2])
{
    out[0] = in[0] + in[1] + in[2];
    out[1] = in[1] - in[2] + in[3];
}

// out = A' in
static __device__ __forceinline__ void interpolate_transposed(const real in[2], real out[4])
{
    out[0] = in[0];
    out[1] = in[0] + in[1];
    out[2] = in[0] - in[1];
    out[3] = in[1];
}

// out = G in
static __device__ __forceinline__ void evaluate_taps(const real in[3], real out[4])
{
    const real even = in[0] + in[2];
    out[0] = in[0];
    out[1] = (even + in[1]) / 2;
    out[2] = (even - in[1]) / 2;
    out[3] = in[2];
}

// out = G' in
static __device__ __forceinline__ void evaluate_taps_transposed(const real in[4], real out[3])
{
    const real half_sum = (in[1] + in[2]) / 2;
    out[0] = in[0] + half_sum;
    out[1] = (in[1] - in[2]) / 2;
    out[2] = half_sum + in[3];
}

#endif

// Two pixels of a row, which a GPU reads and writes by one instruction where they begin at a multiple of their size.
struct alignas(2 * sizeof(real)) Pair { real first, second; };

// Whether all pairs of columns 0 and 1, 2 and 3, ... of an array with rows of W do.
static __device__ __forceinline__ bool in_pairs(const real *array, index_t W)
{
    return W % 2 == 0 && (unsigned long long)array % sizeof(Pair) == 0;
}

// out = the pixels from w on, w even, of a row of W; 0 beyond its end
template <int COUNT>
static __device__ __forceinline__ void read_row(const real *row, index_t w, index_t W, bool pairs, real (&out)[COUNT])
{
    for (int j = 0; j < COUNT; j += 2) {
        Pair two = {0, 0};
        if (pairs && w + j < W) two = *(const Pair *)(row + w + j);
        if (!pairs && w + j < W) two.first = row[w + j];
        if (!pairs && w + j + 1 < W) two.second = row[w + j + 1];
        out[j] = two.first;
        out[j + 1] = two.second;
    }
}

// The pixels from w on, less those beyond the end of the row = in
static __device__ __forceinline__ void write_row(real *row, index_t w, index_t W, bool pairs, const real in[TILE])
{
    for (int j = 0; j < TILE; j += 2) {
        if (pairs && w + j < W) *(Pair *)(row + w + j) = {in[j], in[j + 1]};
        if (!pairs && w + j < W) row[w + j] = in[j];
        if (!pairs && w + j + 1 < W) row[w + j + 1] = in[j + 1];
    }
}

// V = B x_tile B'. A tile that reaches beyond the edge of x, or lies beyond the last image, reads 0 there.
extern "C" __global__ void evaluate_tiles(
    const real *x,  // (N, C, H, W)
    real *V,        // (points, slabs, C, L)
    index_t size,   // slabs C L
    index_t L, index_t N, index_t C, index_t H, index_t W, index_t rows, index_t columns)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;  // where the tile is in V[i, j]
    if (k >= size) return;
    const index_t t = k / L / C * L + k % L, c = k / L % C;
    const index_t w = TILE * (t % columns), h = TILE * (t / columns % rows), n = t / columns / rows;
    const real *pixels = x + (n * C + c) * H * W;
    const bool pairs = in_pairs(x, W);

    real half[SIDE][SIDE];  // (x_tile B')', one row of x after the other
    for (int i = 0; i < SIDE; ++i) {
        real in[SIDE] = {}, out[SIDE];
        if (n < N && h + i < H) read_row(pixels + (h + i) * W, w, W, pairs, in);
        evaluate(in, out);
        for (int j = 0; j < SIDE; ++j) half[j][i] = out[j];
    }
    for (int j = 0; j < SIDE; ++j) {
        real out[SIDE];
        evaluate(half[j], out);
        for (int i = 0; i < SIDE; ++i) V[(SIDE * i + j) * size + k] = out[i];
    }
}

// dx, of the dx_tile = B' dV B that overlap there. A block of TILE x TILE pixels of dx lies in four tiles: in the one that
// begins where it does, and in the last two rows or columns, or both, of those above and to the left of it.
// One thread = one such block, so that no two threads write the same pixel.
extern "C" __global__ void evaluate_tiles_transposed(
    const real *dV,       // (points, slabs, C, L)
    real *dx,             // (N, C, H, W)
    index_t size,         // N C (rows + 1) (columns + 1)
    index_t size_of_dV,   // of one of its points: slabs C L
    index_t L, index_t C, index_t H, index_t W, index_t rows, index_t columns)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;
    const index_t column = k % (columns + 1), row = k / (columns + 1) % (rows + 1);
    const index_t plane = k / (columns + 1) / (rows + 1), c = plane % C, n = plane / C;

    real block[TILE][TILE] = {};
    for (int above = 0; above < 2; ++above)
        for (int left = 0; left < 2; ++left) {
            const index_t r = row - above, s = column - left;
            if (r < 0 || r == rows || s < 0 || s == columns) continue;
            const index_t t = (n * rows + r) * columns + s;
            const real *point = dV + (t / L * C + c) * L + t % L;
            real half[SIDE][SIDE];  // B' dV, one column after the other
            for (int j = 0; j < SIDE; ++j) {
                real in[SIDE], out[SIDE];
                for (int i = 0; i < SIDE; ++i) in[i] = point[(SIDE * i + j) * size_of_dV];
                evaluate_transposed(in, out);
                for (int i = 0; i < SIDE; ++i) half[i][j] = out[i];
            }
            for (int i = TILE * above; i < (above ? SIDE : TILE); ++i) {
                real out[SIDE];
                evaluate_transposed(half[i], out);
                for (int j = TILE * left; j < (left ? SIDE : TILE); ++j) block[i - TILE * above][j - TILE * left] += out[j];
            }
        }
    const bool pairs = in_pairs(dx, W);
    for (int i = 0; i < TILE; ++i)
        if (TILE * row + i < H) write_row(dx + (plane * H + TILE * row + i) * W, TILE * column, W, pairs, block[i]);
}

// U = G weight G'. One thread = one kernel.
extern "C" __global__ void evaluate_kernels(const real *weight,  // (F, C, 3, 3)
                                            real *U,             // (points, slabs, F, C)
                                            index_t size,        // F C
                                            index_t slabs)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;

    real half[SIDE][3];  // G weight
    for (int j = 0; j < 3; ++j) {
        real in[3], out[SIDE];
        for (int i = 0; i < 3; ++i) in[i] = weight[9 * k + 3 * i + j];
        evaluate_taps(in, out);
        for (int i = 0; i < SIDE; ++i) half[i][j] = out[i];
    }
    for (int i = 0; i < SIDE; ++i) {
        real out[SIDE];
        evaluate_taps(half[i], out);
        for (int j = 0; j < SIDE; ++j)
            for (index_t s = 0; s < slabs; ++s) U[((SIDE * i + j) * slabs + s) * size + k] = out[j];
    }
}

// dweight = G' dU G, of the sum of dU over the slabs
extern "C" __global__ void evaluate_kernels_transposed(const real *dU,  // (points, slabs, F, C)
                                                       real *dweight,   // (F, C, 3, 3)
                                                       index_t size,    // F C
                                                       index_t slabs)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;

    real half[3][SIDE];  // G' dU
    for (int j = 0; j < SIDE; ++j) {
        real in[SIDE] = {}, out[3];
        for (int i = 0; i < SIDE; ++i)
            for (index_t s = 0; s < slabs; ++s) in[i] += dU[((SIDE * i + j) * slabs + s) * size + k];
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
    const real *M,      // (points, slabs, F, L)
    const real *bias,   // (F,)
    real *y,            // (N, F, OH, OW)
    index_t with_relu,  // 0 or 1
    index_t size,       // slabs F L
    index_t L, index_t N, index_t F, index_t OH, index_t OW, index_t rows, index_t columns)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;  // where the tile is in M[i, j]
    if (k >= size) return;
    const index_t t = k / L / F * L + k % L, f = k / L % F;
    const index_t w = TILE * (t % columns), h = TILE * (t / columns % rows), n = t / columns / rows;
    real *pixels = y + (n * F + f) * OH * OW;
    const real shift = bias[f];
    const bool pairs = in_pairs(y, OW);

    real half[TILE][SIDE];  // A M
    for (int j = 0; j < SIDE; ++j) {
        real in[SIDE], out[TILE];
        for (int i = 0; i < SIDE; ++i) in[i] = M[(SIDE * i + j) * size + k];
        interpolate(in, out);
        for (int i = 0; i < TILE; ++i) half[i][j] = out[i];
    }
    for (int i = 0; i < TILE; ++i) {
        real out[TILE];
        interpolate(half[i], out);
        for (int j = 0; j < TILE; ++j) {
            const real pixel = out[j] + shift;
            out[j] = with_relu && pixel <= 0 ? 0 : pixel;
        }
        if (n < N && h + i < OH) write_row(pixels + (h + i) * OW, w, OW, pairs, out);
    }
}

// dM = A' dy_tile A, of dy gated by the ReLU if there was one: dy * (y > 0). Beyond the edge dy is 0.
extern "C" __global__ void interpolate_tiles_transposed(
    const real *dy,  // (N, F, OH, OW)
    const real *y,   // (N, F, OH, OW) or null
    real *dM,        // (points, slabs, F, L)
    index_t size,    // slabs F L
    index_t L, index_t N, index_t F, index_t OH, index_t OW, index_t rows, index_t columns)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;
    const index_t t = k / L / F * L + k % L, f = k / L % F;
    const index_t w = TILE * (t % columns), h = TILE * (t / columns % rows), n = t / columns / rows;
    const index_t plane = (n * F + f) * OH * OW;

    const bool pairs = in_pairs(dy, OW) && in_pairs(y, OW);

    real half[SIDE][TILE];  // (dy_tile A)', one row of dy after the other
    for (int i = 0; i < TILE; ++i) {
        const bool inside = n < N && h + i < OH;
        const index_t row = plane + (h + i) * OW;
        real in[TILE] = {}, out[SIDE];
        if (inside) read_row(dy + row, w, OW, pairs, in);
        if (inside && y) {
            real after[TILE];
            read_row(y + row, w, OW, pairs, after);
            for (int j = 0; j < TILE; ++j) in[j] *= (real)(after[j] > 0);
        }
        interpolate_transposed(in, out);
        for (int j = 0; j < SIDE; ++j) half[j][i] = out[j];
    }
    for (int j = 0; j < SIDE; ++j) {
        real out[SIDE];
        interpolate_transposed(half[j], out);
        for (int i = 0; i < SIDE; ++i) dM[(SIDE * i + j) * size + k] = out[i];
    }
}
