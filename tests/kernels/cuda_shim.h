// Enough of CUDA C++ to run barrier-free kernels on a CPU: each thread is a loop index.
#pragma once
#include <cmath>
#include <cstddef>
#include <utility>

using std::fabs, std::fmax, std::fmin, std::max, std::min;

#define __global__
#define __device__ static inline
#define __restrict__ __restrict

struct Index3 {
    int x, y, z;
};
static thread_local Index3 threadIdx, blockIdx, blockDim, gridDim;

template <class... Args, std::size_t... I>
static void launch_over(void (*kernel)(Args...), void** arguments, std::index_sequence<I...>)
{
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x)
                for (threadIdx.z = 0; threadIdx.z < blockDim.z; ++threadIdx.z)
                    for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)
                        for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x)
                            kernel(*static_cast<Args*>(arguments[I])...);
}

// As cuLaunchKernel takes them: addresses of the values. Their sizes are checked beside.
// Returns 0, or the place (from 1) of the first argument whose size the kernel doesn't expect.
template <class... Args>
static int launch(void (*kernel)(Args...), const int* grid, const int* block, int count,
                  const int* sizes, void** arguments)
{
    const int expected[] = {sizeof(Args)...};
    const int parameters = sizeof...(Args);
    for (int i = 0; i < max(count, parameters); ++i)
        if (i >= count || i >= parameters || sizes[i] != expected[i]) return i + 1;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    launch_over(kernel, arguments, std::index_sequence_for<Args...>{});
    return 0;
}

#define ENTRY(kernel)                                                                               \
    extern "C" int run_##kernel(const int* grid, const int* block, int count, const int* sizes,     \
                                void** arguments)                                                   \
    {                                                                                               \
        return launch(kernel, grid, block, count, sizes, arguments);                                \
    }
