// An optimiser's step for all parameters of a network at once; see minunet/training/optimisers.py.
//
//     velocity = momentum velocity + gradient          weight = weight - learning_rate velocity
//
// and Adam's, with rate = learning_rate / (1 - momentum^step) and correction = 1 - decay^step:
//
//     mean     = mean   + (1 - momentum) (gradient   - mean)
//     square   = square + (1 - decay)    (gradient^2 - square)
//     weight   = weight - rate mean / (sqrt(square / correction) + epsilon)
//
// One thread = one weight. The weights of all layers lie in one array, and so do the gradients and each part of the state.

extern "C" __global__ void sgd_step(real *weight,          // (size,), as the two that follow
                                    real *velocity,
                                    const real *gradient,
                                    index_t size,
                                    real learning_rate, real momentum)
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const real v = momentum * velocity[i] + gradient[i];
    velocity[i] = v;
    weight[i] -= learning_rate * v;
}

extern "C" __global__ void adam_step(real *weight,         // (size,), as the three that follow
                                     real *mean,
                                     real *square,
                                     const real *gradient,
                                     index_t size,
                                     real rate, real one_minus_momentum, real one_minus_decay, real correction,
                                     real epsilon)
{
    const index_t i = (index_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const real g = gradient[i];
    const real m = mean[i] + one_minus_momentum * (g - mean[i]);
    const real s = square[i] + one_minus_decay * (g * g - square[i]);
    mean[i] = m;
    square[i] = s;
    weight[i] -= rate * m / (sqrt(s / correction) + epsilon);
}
