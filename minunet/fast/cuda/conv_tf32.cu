// The 3x3 convolution in TF32 on tensor cores, and its gradients.
//
//     y[f, p] = bias[f] + the sum over c and the 9 taps (i, j) of weight[f, c, i, j] x[c, p + (i, j)]      p: a pixel
//
// For one tap and 8 channels that is a product of matrices, (F, 8) @ (8, pixels), whose second factor is x, moved by
// (i, j). So a convolution is the sum of 9 C / 8 such products. Written to memory, all the moved x would take nine
// times its space. Here they are never written, which is called an implicit GEMM: a block copies a patch of x, 8
// channels of it, to its shared memory, and takes the second factors of all nine taps from there.
//
// Tensor cores multiply small matrices. One instruction, executed by a warp of 32 threads together, does D += A B with
// A (16, 8), B (8, 8) and D (16, 8). Each thread holds a few numbers of each matrix, its fragment. Let `lane` be the
// thread's number in the warp, g = lane / 4 and t = lane % 4. Then it holds
//
//     a[0..3] = A[g, t], A[g + 8, t], A[g, t + 4], A[g + 8, t + 4]
//     b[0..1] = B[t, g], B[t + 4, g]
//     d[0..3] = D[g, 2 t], D[g, 2 t + 1], D[g + 8, 2 t], D[g + 8, 2 t + 1]
//
// (PTX ISA, "Matrix Fragments for mma.m16n8k8"). A and B are rounded to TF32, which has 10 bits after the point where
// float32 has 23. D is float32.
//
//     pack_weight        the weights, rounded, in the order in which `convolve` reads them
//     convolve           y from x; and dx from dy, by the weights turned by 180 degrees
//     weight_gradient    dweight from x and dy
//
// The distances between rows and channels in shared memory (PITCH, PLANE) are chosen so that the 32 threads of a warp
// read from its 32 banks, all at once. While one block waits for the memory, another on the same multiprocessor
// multiplies; __launch_bounds__ sees to it that the registers suffice for both.

#define F_TILE 64   // channels of y, or dy, of a block
#define C_TILE 32   // channels of x of a block of `weight_gradient`
#define CHUNK 8     // channels of x that `convolve` adds up at a time
#define COLUMNS 16  // a block's tile of y, or dy, has 16 columns and, in `convolve`, 8 rows,
#define ROWS 8
#define FEW_ROWS 4  // in `weight_gradient` 4
// Blocks of `weight_gradient` on a multiprocessor, and half of those of `convolve`: 64-bit indices take more registers.
#define BLOCKS (sizeof(index_t) == 4 ? 2 : 1)

#ifdef __CUDACC__  // tests/gpu_on_cpu/tensor_core.h has both functions for a CPU

static __device__ __forceinline__ float to_tf32(float x)
{
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return __uint_as_float(bits);
}

// D += A B
static __device__ __forceinline__ void multiply_add(float d[4], const float a[4], const float b[2])
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
                   "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}

#endif

struct alignas(16) Fragment { float a[4]; };  // what a thread holds of A, read at once

// Copy HEIGHT x WIDTH pixels of a channel, from (h, w) on, to shared memory, with PITCH numbers from row to row, and
// round them. Beyond the channel's edge they are 0. A warp does this together.
template <int HEIGHT, int WIDTH, int PITCH>
static __device__ __forceinline__ void copy_pixels(
    const float *channel, int h, int w, int H, int W, float *shared)
{
    for (int pixel = threadIdx.x % 32; pixel < HEIGHT * WIDTH; pixel += 32) {
        const int row = pixel / WIDTH, column = pixel % WIDTH;
        const bool inside = 0 <= h + row && h + row < H && 0 <= w + column && w + column < W;
        shared[row * PITCH + column] = inside ? to_tf32(channel[(index_t)(h + row) * W + w + column]) : 0;
    }
}

// The weights as fragments of A: a row for each channel of y, a column for each of x, filled up with zeros. For dx, x
// and y change places, and the taps are turned. One thread = one number.
extern "C" __global__ void pack_weight(
    const float *weight,  // (F, C, 3, 3), turned: (C, F, 3, 3)
    float *packed,        // (F / F_TILE, C / CHUNK, taps, F_TILE / 16, lanes, 4), the first two rounded up
    index_t size,         // of packed
    index_t F, index_t C, index_t turned)
{
    const index_t k = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size) return;
    const int i = k % 4, lane = k / 4 % 32, tile = k / 128 % (F_TILE / 16), tap = k / (8 * F_TILE) % 9;
    const index_t block = k / (8 * F_TILE * 9), chunks = (C + CHUNK - 1) / CHUNK;
    const index_t f = block / chunks * F_TILE + tile * 16 + lane / 4 + i % 2 * 8;
    const index_t c = block % chunks * CHUNK + lane % 4 + i / 2 * 4;
    const index_t from = turned ? (c * F + f) * 9 + 8 - tap : (f * C + c) * 9 + tap;
    packed[k] = f < F && c < C ? to_tf32(weight[from]) : 0;
}

// y, or dx. One block of 4 warps = F_TILE channels of ROWS x COLUMNS pixels; a warp = 32 channels of half of the rows.
extern "C" __global__ void __launch_bounds__(128, 2 * BLOCKS) convolve(
    const float *x,          // (N, C, H, W)
    const Fragment *packed,  // by pack_weight
    const float *bias,       // (F,) or null
    float *y,                // (N, F, OH, OW)
    index_t with_relu,       // 0 or 1
    index_t frame,           // of zeros around x: 0, or 2 pixels for dx
    index_t N, index_t C, index_t H, index_t W, index_t F, index_t OH, index_t OW)
{
    constexpr int PITCH = COLUMNS + 4, PLANE = (ROWS + 2) * PITCH;  // 200: 8 more than a multiple of 32
    __shared__ float patch[CHUNK * PLANE];
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const int warp = threadIdx.x / 32, first_tile = warp % 2 * 2, first_row = warp / 2 * (ROWS / 2);
    const int columns = (OW + COLUMNS - 1) / COLUMNS, rows = (OH + ROWS - 1) / ROWS;  // of tiles
    const int w = blockIdx.x % columns * COLUMNS, h = blockIdx.x / columns % rows * ROWS;
    const int n = blockIdx.x / columns / rows % N, f_block = blockIdx.x / columns / rows / N;
    const int chunks = (C + CHUNK - 1) / CHUNK;

    float sums[2][ROWS][4] = {};  // of 16 channels each, at 8 pixels each: two such strips in each of ROWS / 2 rows
    for (int chunk = 0; chunk < chunks; ++chunk) {
        __syncthreads();  // every warp is done with the patch of the chunk before
#pragma unroll 1
        for (int k = warp; k < CHUNK; k += 4) {
            const int c = chunk * CHUNK + k;
            copy_pixels<ROWS + 2, COLUMNS + 2, PITCH>(
                x + (n * C + c) * H * W, h - frame, w - frame, c < C ? H : 0, W, patch + k * PLANE);
        }
        __syncthreads();
        const Fragment *a = packed + ((index_t)(f_block * chunks + chunk) * 9 * (F_TILE / 16) + first_tile) * 32 + lane;
#pragma unroll 1  // three times as many instructions would need more registers than there are
        for (int j = 0; j < 3; ++j) {
            Fragment above[3], below[3];  // of the taps (0, j), (1, j) and (2, j)
#pragma unroll
            for (int i = 0; i < 3; ++i) {
                above[i] = a[(3 * i + j) * (F_TILE / 16) * 32];
                below[i] = a[(3 * i + j) * (F_TILE / 16) * 32 + 32];
            }
#pragma unroll
            for (int strip = 0; strip < ROWS + 4; ++strip) {  // of the patch: it is read once for three rows of y
                const float *pixel = patch + t * PLANE + (first_row + strip / 2) * PITCH + strip % 2 * 8 + j + g;
                const float b[2] = {pixel[0], pixel[4 * PLANE]};
#pragma unroll
                for (int i = 0; i < 3; ++i) {
                    const int target = strip - 2 * i;  // i rows above
                    if (target < 0 || target >= ROWS) continue;
                    multiply_add(sums[0][target], above[i].a, b);
                    multiply_add(sums[1][target], below[i].a, b);
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < 2 * ROWS * 4; ++i) {
        const int tile = i / (ROWS * 4), strip = i / 4 % ROWS, k = i % 4;
        const int f = f_block * F_TILE + (first_tile + tile) * 16 + g + k / 2 * 8;
        const int row = h + first_row + strip / 2, column = w + strip % 2 * 8 + 2 * t + k % 2;
        if (f >= F || row >= OH || column >= OW) continue;
        const float pixel = sums[tile][strip][k] + (bias ? bias[f] : 0);
        y[((n * F + f) * OH + row) * OW + column] = with_relu && pixel <= 0 ? 0 : pixel;
    }
}

// dweight, or the part of it that some tiles of dy make. One block of 8 warps = F_TILE channels of dy, C_TILE of x, all
// taps, and every slabs-th tile of dy; a warp = 32 channels of dy and 8 of x. Here the sum is over pixels: A is dy, a
// row for each channel, and B is x, a column for each channel.
extern "C" __global__ void __launch_bounds__(256, BLOCKS) weight_gradient(
    const float *x,   // (N, C, H, W)
    const float *dy,  // (N, F, OH, OW)
    float *dweight,   // (slabs, F, C, 3, 3)
    index_t slabs, index_t N, index_t C, index_t H, index_t W, index_t F)
{
    constexpr int PITCH = COLUMNS + 2, PLANE = (FEW_ROWS + 2) * PITCH;  // 108: 12 more than a multiple of 32
    constexpr int DY_PLANE = FEW_ROWS * COLUMNS + 4;                    // 68: 4 more
    __shared__ float patch[C_TILE * PLANE], dy_tile[F_TILE * DY_PLANE];
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const int warp = threadIdx.x / 32, first_f = warp % 2 * 32, first_c = warp / 2 * 8;
    const index_t OH = H - 2, OW = W - 2, columns = (OW + COLUMNS - 1) / COLUMNS, rows = (OH + FEW_ROWS - 1) / FEW_ROWS;
    const index_t c_blocks = (C + C_TILE - 1) / C_TILE, slab = blockIdx.x / c_blocks % slabs;
    const index_t c_from = blockIdx.x % c_blocks * C_TILE, f_from = blockIdx.x / c_blocks / slabs * F_TILE;

    float sums[2][9][4] = {};  // of 16 channels of dy each, at each tap
    for (index_t tile = slab; tile < N * rows * columns; tile += slabs) {
        const int w = tile % columns * COLUMNS, h = tile / columns % rows * FEW_ROWS;
        const index_t n = tile / columns / rows;
        __syncthreads();
        for (int k = warp; k < C_TILE; k += 8) {
            const index_t c = c_from + k;
            copy_pixels<FEW_ROWS + 2, COLUMNS + 2, PITCH>(
                x + (n * C + c) * H * W, h, w, c < C ? H : 0, W, patch + k * PLANE);
        }
        for (int k = warp; k < F_TILE; k += 8) {
            const index_t f = f_from + k;
            copy_pixels<FEW_ROWS, COLUMNS, COLUMNS>(
                dy + (n * F + f) * OH * OW, h, w, f < F ? OH : 0, OW, dy_tile + k * DY_PLANE);
        }
        __syncthreads();
#pragma unroll 1
        for (int left = 0; left < COLUMNS; left += 8) {
            float a[FEW_ROWS][2][4];
#pragma unroll
            for (int row = 0; row < FEW_ROWS + 2; ++row) {  // of the patch; each is read once for three rows of dy
                for (int i = 0; row < FEW_ROWS && i < 8; ++i) {
                    const float *numbers = dy_tile + (first_f + g) * DY_PLANE + row * COLUMNS + left + t;
                    a[row][i / 4][i % 4] = numbers[(i / 4 * 16 + i % 2 * 8) * DY_PLANE + i / 2 % 2 * 4];
                }
#pragma unroll
                for (int j = 0; j < 3; ++j) {
                    const float *pixel = patch + (first_c + g) * PLANE + row * PITCH + left + j + t;
                    const float b[2] = {pixel[0], pixel[4]};
#pragma unroll
                    for (int i = 0; i < 3; ++i) {
                        if (row < i || row - i >= FEW_ROWS) continue;
                        multiply_add(sums[0][3 * i + j], a[row - i][0], b);
                        multiply_add(sums[1][3 * i + j], a[row - i][1], b);
                    }
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < 2 * 4 * 9; ++i) {
        const int half = i / 36, k = i / 9 % 4, tap = i % 9;
        const index_t f = f_from + first_f + half * 16 + g + k / 2 * 8, c = c_from + first_c + 2 * t + k % 2;
        if (f < F && c < C) dweight[((slab * F + f) * C + c) * 9 + tap] = sums[half][tap][k];
    }
}
