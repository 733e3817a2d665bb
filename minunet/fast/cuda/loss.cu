// Weighted softmax cross-entropy; see minunet/layers/loss.py.
//
//     p[n,k,h,w]        = exp(logits[n,k,h,w] - largest) / sum_k' exp(logits[n,k',h,w] - largest)
//     pixel_loss[n,h,w] = weights[n,h,w] * -log p[n,labels[n,h,w],h,w]            the loss is its mean
//     dlogits[n,k,h,w]  = (p[n,k,h,w] - onehot[n,k,h,w]) * dloss / (N H W) * weights[n,h,w]
//
// One thread = one pixel, with all of its K classes. The logits of a pixel are H W elements apart in memory, and
// neighbouring threads read neighbouring pixels. `weights` may be null: then each pixel has weight 1. A pixel of weight 0 may
// have any label. Elsewhere a label outside 0..K-1 makes the loss NaN. No such label is ever used as an index.

extern "C" __global__ void loss_forward(const real *logits,       // (N, K, H, W)
                                        const long long *labels,  // (N, H, W)
                                        const real *weights,      // (N, H, W) or null
                                        real *p,                  // (N, K, H, W)
                                        real *pixel_loss,         // (N, H, W)
                                        index_t size,             // N H W
                                        index_t K,
                                        index_t pixels)           // H W
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const index_t first = i / pixels * K * pixels + i % pixels;  // where the pixel's class 0 is

    real largest = logits[first];
    for (index_t k = 1; k < K; ++k) {
        const real logit = logits[first + k * pixels];
        if (logit > largest) largest = logit;
    }
    real sum = 0;
    for (index_t k = 0; k < K; ++k) sum += exp(logits[first + k * pixels] - largest);
    const real log_sum = log(sum);
    for (index_t k = 0; k < K; ++k) p[first + k * pixels] = exp(logits[first + k * pixels] - largest - log_sum);

    const real weight = weights ? weights[i] : 1;
    const long long label = weight == 0 ? 0 : labels[i];
    const bool is_class = 0 <= label && label < K;
    const real log_p = is_class ? logits[first + (index_t)label * pixels] - largest - log_sum : nan("");
    pixel_loss[i] = -log_p * weight;
}

extern "C" __global__ void loss_backward(const real *dloss,        // one number
                                         const real *p,            // (N, K, H, W)
                                         const long long *labels,  // (N, H, W)
                                         const real *weights,      // (N, H, W) or null
                                         real *dlogits,            // (N, K, H, W)
                                         index_t size,             // N H W
                                         index_t K,
                                         index_t pixels)           // H W
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const index_t first = i / pixels * K * pixels + i % pixels;

    const real weight = weights ? weights[i] : 1, dpixel_loss = *dloss / size;
    const long long label = labels[i];
    for (index_t k = 0; k < K; ++k) {
        const real onehot = label == k;
        dlogits[first + k * pixels] = (p[first + k * pixels] - onehot) * dpixel_loss * weight;
    }
}
