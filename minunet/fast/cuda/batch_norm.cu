// Batch normalisation with the ReLU after it; see minunet/layers/batch_norm.py and conv_norm_relu.py.
//
//     find_moments, merge_moments    mean[c], variance[c]
//     normalise                      x_hat = (x - mean) / sqrt(variance + epsilon)       in the place of x
//                                    y     = max(gamma x_hat + beta, 0)
//
// and backward, where g = dy (y > 0) is what the ReLU lets through:
//
//     find_sums, merge_sums          dbeta[c] = sum g            dgamma[c] = sum g x_hat
//     find_dx                        dx = gamma / sqrt(variance + epsilon) (g - dbeta / M - x_hat dgamma / M)
//
// The sums are over all M pixels of a channel. So the planes of H W pixels are cut into slabs of SLAB pixels, and a block
// of threads works on one slab. Each thread adds up some of its pixels; then the threads put together what they have, two
// by two. Another kernel, with one block for each channel, does the same with what the slabs have. The order is always the
// same, and so is the result.
//
// Squares are summed about a pixel or a mean nearby, which loses no digits where the mean of a channel is much larger than
// its deviation. Two parts are put together as Chan, Golub and LeVeque do (1979).

#define THREADS 256  // in a block, as in batch_norm.py
#define SLAB 4096    // pixels of a plane, as there

struct Moments { real count, mean, squares; };  // of the distances from the mean, the squares' sum
struct Sums { real g, products; };              // the second of g x_hat

static __device__ __forceinline__ Moments merged(Moments a, Moments b)
{
    if (b.count == 0) return a;
    const real count = a.count + b.count, distance = b.mean - a.mean;
    const real share = b.count / count;
    return {count, a.mean + distance * share, a.squares + b.squares + distance * distance * a.count * share};
}

static __device__ __forceinline__ Sums merged(Sums a, Sums b) { return {a.g + b.g, a.products + b.products}; }

// What the threads of a block have, put together; thread 0 gets it.
template <class Part>
static __device__ __forceinline__ Part merged_by_block(Part mine)
{
    __shared__ Part parts[THREADS];
    parts[threadIdx.x] = mine;
    for (unsigned half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) parts[threadIdx.x] = merged(parts[threadIdx.x], parts[threadIdx.x + half]);
    }
    return parts[threadIdx.x];
}

// What the slabs of channel blockIdx.x have, put together; thread 0 gets it.
template <class Part>
static __device__ __forceinline__ Part merged_by_channel(const Part *parts, index_t N, index_t C, index_t slabs)
{
    Part mine = {};
    for (index_t k = threadIdx.x; k < N * slabs; k += THREADS)
        mine = merged(mine, parts[(k / slabs * C + blockIdx.x) * slabs + k % slabs]);
    return merged_by_block(mine);
}

// The slab of a block: its channel, and from where to where it reaches in an array (N, C, H W).
struct Slab { index_t c, begin, end; };

static __device__ __forceinline__ Slab slab_of_block(index_t C, index_t pixels, index_t slabs)
{
    const index_t plane = blockIdx.x / slabs, first = blockIdx.x % slabs * SLAB;
    const index_t last = first + SLAB < pixels ? first + SLAB : pixels;
    return {plane % C, plane * pixels + first, plane * pixels + last};
}

extern "C" __global__ void find_moments(const real *x,   // (N, C, H, W)
                                        Moments *parts,  // (N, C, slabs)
                                        index_t C,
                                        index_t pixels,  // H W
                                        index_t slabs)   // of a plane
{
    const Slab slab = slab_of_block(C, pixels, slabs);
    Moments mine = {};
    if (slab.begin + threadIdx.x < slab.end) {
        const real nearby = x[slab.begin + threadIdx.x];
        real sum = 0, squares = 0, count = 0;
        for (index_t i = slab.begin + threadIdx.x; i < slab.end; i += THREADS) {
            const real distance = x[i] - nearby;
            sum += distance;
            squares += distance * distance;
            count += 1;
        }
        mine = {count, nearby + sum / count, squares - sum * (sum / count)};
    }
    const Moments all = merged_by_block(mine);
    if (threadIdx.x == 0) parts[blockIdx.x] = all;
}

extern "C" __global__ void merge_moments(const Moments *parts,  // (N, C, slabs)
                                         real *mean,            // (C,)
                                         real *variance,        // (C,)
                                         index_t N, index_t C, index_t slabs)
{
    const Moments all = merged_by_channel(parts, N, C, slabs);
    if (threadIdx.x > 0) return;
    mean[blockIdx.x] = all.mean;
    variance[blockIdx.x] = all.squares / all.count;
}

extern "C" __global__ void normalise(real *x,               // (N, C, H, W), which becomes x_hat
                                     real *y,               // (N, C, H, W)
                                     const real *mean,      // (C,), and so are the next three
                                     const real *variance,
                                     const real *gamma,
                                     const real *beta,
                                     real epsilon, index_t C, index_t pixels, index_t slabs)
{
    const Slab slab = slab_of_block(C, pixels, slabs);
    const real centre = mean[slab.c], factor = 1 / sqrt(variance[slab.c] + epsilon);
    const real scale = gamma[slab.c], shift = beta[slab.c];
    for (index_t i = slab.begin + threadIdx.x; i < slab.end; i += THREADS) {
        const real x_hat = (x[i] - centre) * factor, out = scale * x_hat + shift;
        x[i] = x_hat;
        y[i] = out <= 0 ? 0 : out;  // written this way, NaN stays NaN
    }
}

extern "C" __global__ void find_sums(const real *dy,     // (N, C, H, W), and so are the next two
                                     const real *y,
                                     const real *x_hat,
                                     Sums *parts,        // (N, C, slabs)
                                     index_t C, index_t pixels, index_t slabs)
{
    const Slab slab = slab_of_block(C, pixels, slabs);
    Sums mine = {};
    for (index_t i = slab.begin + threadIdx.x; i < slab.end; i += THREADS) {
        const real g = dy[i] * (real)(y[i] > 0);
        mine = merged(mine, {g, g * x_hat[i]});
    }
    const Sums all = merged_by_block(mine);
    if (threadIdx.x == 0) parts[blockIdx.x] = all;
}

extern "C" __global__ void merge_sums(const Sums *parts,  // (N, C, slabs)
                                      real *dgamma,       // (C,)
                                      real *dbeta,        // (C,)
                                      index_t N, index_t C, index_t slabs)
{
    const Sums all = merged_by_channel(parts, N, C, slabs);
    if (threadIdx.x > 0) return;
    dgamma[blockIdx.x] = all.products;
    dbeta[blockIdx.x] = all.g;
}

extern "C" __global__ void find_dx(const real *dy,        // (N, C, H, W), and so are the next three
                                   const real *y,
                                   const real *x_hat,
                                   real *dx,
                                   const real *variance,  // (C,), and so are the next three
                                   const real *gamma,
                                   const real *dgamma,
                                   const real *dbeta,
                                   real epsilon, index_t N, index_t C, index_t pixels, index_t slabs)
{
    const Slab slab = slab_of_block(C, pixels, slabs);
    const real factor = gamma[slab.c] / sqrt(variance[slab.c] + epsilon), M = (real)N * pixels;
    const real constant = dbeta[slab.c] / M, slope = dgamma[slab.c] / M;
    for (index_t i = slab.begin + threadIdx.x; i < slab.end; i += THREADS) {
        const real g = dy[i] * (real)(y[i] > 0);
        dx[i] = factor * (g - constant - x_hat[i] * slope);
    }
}
