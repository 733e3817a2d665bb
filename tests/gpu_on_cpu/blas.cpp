// The products of cuBLAS that CuPy takes for float and double, on the CPU. Matrices lie column after column, as in Fortran.
// In TF32 the factors are rounded to 10 bits after the point, as tensor cores read them.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "driver.h"

enum { OP_N, REAL_32 = 0, REAL_64 = 1, NOT_SUPPORTED = 15, TF32_MATH = 3, COMPUTE_32F = 68, COMPUTE_FAST_TF32 = 77 };
static int math_mode = 0, pointer_mode = 0;
static void *stream = nullptr;

static float rounded(float x, bool tf32)
{
    if (!tf32) return x;
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits = (bits + (1u << 12)) & 0xFFFFE000u;
    memcpy(&x, &bits, 4);
    return x;
}
static double rounded(double x, bool) { return x; }

template <class T>
static void multiply(bool ta, bool tb, int m, int n, int k, T alpha, const T *A, int lda, const T *B, int ldb, T beta, T *C, int ldc, bool tf32)
{
    const int STEP = 256;  // rows at a time: their columns of A stay in cache
    std::vector<T> a((size_t)STEP * k), b((size_t)k * n);
    for (int j = 0; j < n; ++j)
        for (int l = 0; l < k; ++l) b[(size_t)j * k + l] = alpha * rounded(tb ? B[j + (size_t)l * ldb] : B[l + (size_t)j * ldb], tf32);
    for (int i0 = 0; i0 < m; i0 += STEP) {
        const int rows = std::min(STEP, m - i0);
        for (int l = 0; l < k; ++l)
            for (int i = 0; i < rows; ++i) a[(size_t)l * STEP + i] = rounded(ta ? A[l + (size_t)(i0 + i) * lda] : A[i0 + i + (size_t)l * lda], tf32);
        for (int j = 0; j < n; ++j) {
            T sum[STEP] = {};
            for (int l = 0; l < k; ++l) {
                const T factor = b[(size_t)j * k + l], *column = &a[(size_t)l * STEP];
                for (int i = 0; i < STEP; ++i) sum[i] += column[i] * factor;
            }
            T *c = C + i0 + (size_t)j * ldc;
            for (int i = 0; i < rows; ++i) c[i] = beta == 0 ? sum[i] : sum[i] + beta * c[i];
        }
    }
}

template <class T>
static int multiply_all(const char *name, int ta, int tb, int m, int n, int k, T alpha, const void *A, int lda, long long sa,
                        const void *B, int ldb, long long sb, T beta, void *C, int ldc, long long sc, int batch, bool tf32)
{
    note(name, sizeof(T) * batch * ((long)m * k * (sa || batch == 1) + (long)k * n * (sb || batch == 1) + (long)m * n * (beta == 0 ? 1 : 2)));
    if (is_dry()) return 0;
    for (int i = 0; i < batch; ++i)
        multiply<T>(ta != OP_N, tb != OP_N, m, n, k, alpha, (const T *)A + i * sa, lda, (const T *)B + i * sb, ldb, beta, (T *)C + i * sc, ldc, tf32);
    return check_margins(C, name) ? 13 : 0;  // CUBLAS_STATUS_EXECUTION_FAILED
}

template <class T>
static int product(const char *name, int ta, int tb, int m, int n, int k, const void *alpha, const void *A, int lda, long long sa,
                   const void *B, int ldb, long long sb, const void *beta, void *C, int ldc, long long sc, int batch, int compute)
{
    const bool tf32 = compute == COMPUTE_FAST_TF32 || (compute == COMPUTE_32F && math_mode == TF32_MATH);
    auto work = [=, alpha = *(const T *)alpha, beta = *(const T *)beta] {
        return multiply_all<T>(name, ta, tb, m, n, k, alpha, A, lda, sa, B, ldb, sb, beta, C, ldc, sc, batch, tf32);
    };
    if (is_capturing()) return record(stream, work);
    counts.products += 1;
    return work();
}

template <class T>
static int dot(int n, const T *x, int incx, const T *y, int incy, T *result)
{
    counts.products += 1;
    note("dot", 2l * n * sizeof(T));
    T sum = 0;
    for (int i = 0; i < n && !is_dry(); ++i) sum += x[(size_t)i * incx] * y[(size_t)i * incy];
    *result = sum;
    return 0;
}

template <class T>
static int gemv(int trans, int m, int n, const T *alpha, const T *A, int lda, const T *x, int incx, const T *beta, T *y, int incy)
{
    counts.products += 1;
    note("gemv", sizeof(T) * ((long)m * n + m + n));
    const int rows = trans ? n : m, columns = trans ? m : n;
    for (int i = 0; i < rows && !is_dry(); ++i) {
        T sum = 0;
        for (int j = 0; j < columns; ++j) sum += (trans ? A[j + (size_t)i * lda] : A[i + (size_t)j * lda]) * x[(size_t)j * incx];
        y[(size_t)i * incy] = *alpha * sum + (*beta == 0 ? 0 : *beta * y[(size_t)i * incy]);
    }
    return 0;
}

extern "C" {
int cublasCreate_v2(void **handle) { *handle = &math_mode; return 0; }
int cublasDestroy_v2(void *) { return 0; }
int cublasSetStream_v2(void *, void *s) { stream = s; return 0; }
int cublasSetWorkspace_v2(void *, void *p, size_t size) { return is_on_device(p) && size ? 0 : 7; }  // CUBLAS_STATUS_INVALID_VALUE
int cublasGetStream_v2(void *, void **s) { *s = stream; return 0; }
int cublasSetPointerMode_v2(void *, int mode) { pointer_mode = mode; return 0; }
int cublasGetPointerMode_v2(void *, int *mode) { *mode = pointer_mode; return 0; }
int cublasSetMathMode(void *, int mode) { math_mode = mode; return 0; }
int cublasGetMathMode(void *, int *mode) { *mode = math_mode; return 0; }

#define GEMM(letter, T)                                                                                                          \
    int cublas##letter##gemm_v2(void *, int ta, int tb, int m, int n, int k, const T *alpha, const T *A, int lda, const T *B,     \
                                int ldb, const T *beta, T *C, int ldc)                                                           \
    {                                                                                                                            \
        return product<T>("gemm", ta, tb, m, n, k, alpha, A, lda, 0, B, ldb, 0, beta, C, ldc, 0, 1, COMPUTE_32F);                \
    }                                                                                                                            \
    int cublas##letter##gemmStridedBatched(void *, int ta, int tb, int m, int n, int k, const T *alpha, const T *A, int lda,      \
                                           long long sa, const T *B, int ldb, long long sb, const T *beta, T *C, int ldc,        \
                                           long long sc, int batch)                                                              \
    {                                                                                                                            \
        return product<T>("batched gemm", ta, tb, m, n, k, alpha, A, lda, sa, B, ldb, sb, beta, C, ldc, sc, batch, COMPUTE_32F); \
    }                                                                                                                            \
    int cublas##letter##gemmBatched(void *, int ta, int tb, int m, int n, int k, const T *alpha, const T *const *A, int lda,      \
                                    const T *const *B, int ldb, const T *beta, T *const *C, int ldc, int batch)                  \
    {                                                                                                                            \
        for (int i = 0; i < batch; ++i)                                                                                          \
            if (int e = product<T>("batched gemm, by pointers", ta, tb, m, n, k, alpha, A[i], lda, 0, B[i], ldb, 0, beta, C[i],  \
                                   ldc, 0, 1, COMPUTE_32F))                                                                      \
                return e;                                                                                                        \
        counts.products -= batch - 1;                                                                                            \
        return 0;                                                                                                                \
    }                                                                                                                            \
    int cublas##letter##gemv_v2(void *, int trans, int m, int n, const T *alpha, const T *A, int lda, const T *x, int incx,      \
                                const T *beta, T *y, int incy)                                                                   \
    {                                                                                                                            \
        return gemv<T>(trans, m, n, alpha, A, lda, x, incx, beta, y, incy);                                                      \
    }                                                                                                                            \
    int cublas##letter##dot_v2(void *, int n, const T *x, int incx, const T *y, int incy, T *result)                             \
    {                                                                                                                            \
        return dot<T>(n, x, incx, y, incy, result);                                                                              \
    }
GEMM(S, float)
GEMM(D, double)

int cublasGemmStridedBatchedEx(void *, int ta, int tb, int m, int n, int k, const void *alpha, const void *A, int type, int lda,
                               long long sa, const void *B, int, int ldb, long long sb, const void *beta, void *C, int, int ldc,
                               long long sc, int batch, int compute, int)
{
    const char *name = batch == 1 ? "gemm" : "batched gemm";
    if (type == REAL_32) return product<float>(name, ta, tb, m, n, k, alpha, A, lda, sa, B, ldb, sb, beta, C, ldc, sc, batch, compute);
    if (type == REAL_64) return product<double>(name, ta, tb, m, n, k, alpha, A, lda, sa, B, ldb, sb, beta, C, ldc, sc, batch, compute);
    return NOT_SUPPORTED;
}
int cublasGemmEx(void *h, int ta, int tb, int m, int n, int k, const void *alpha, const void *A, int at, int lda, const void *B,
                 int bt, int ldb, const void *beta, void *C, int ct, int ldc, int compute, int algo)
{
    return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, alpha, A, at, lda, 0, B, bt, ldb, 0, beta, C, ct, ldc, 0, 1, compute, algo);
}
}
