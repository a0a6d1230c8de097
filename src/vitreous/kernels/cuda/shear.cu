// Back-projection, projection and resampling by shear: the twins of kernels/cpu, name for name.
//
// Every thread is a loop index: no barriers, no shared memory, no textures, so the same source runs
// on a CPU behind a shim of a few lines and is tested there. Neighbouring threads take neighbouring
// columns. A thread makes DEPTH planes (or tilts) of a column, which re-read nearly the same samples
// from L1; what is looked up for a plane and a tilt is the same for a whole block. launches.py makes
// the grids and the tables; DEPTH and COLUMNS are defined there.

constexpr int PHASES = 16;  // sub-pixel positions of backproject_cubic
constexpr int BORDER = 2;   // rows and columns of coefficients beyond the image's edge
constexpr double HAIR = 1e-8;  // px by which a point may miss the edge that by construction lies on it
constexpr int TAIL = 10;    // taps to either side: what is cut off is 1.4e-6 of the sum
constexpr double POLE = -0.26794919243112270647;  // sqrt(3) - 2, of the cubic B-spline's inverse filter

struct Cubic {
    float a, b, c, d;
};

// Cubic B-spline weights at w in [0, 1) between the second and the third of four nodes.
__device__ Cubic cubic_weights(float w)
{
    const float sixth = 1.0f / 6.0f, r = 1.0f - w;
    const float a = r * r * r * sixth;
    const float b = (4.0f + w * w * (3.0f * w - 6.0f)) * sixth;
    const float d = w * w * w * sixth;
    return {a, b, 1.0f - a - b - d, d};
}

// The spline whose coefficients lie about `row`.
__device__ float spline(const float* row, Cubic k)
{
    return k.a * row[-1] + k.b * row[0] + k.c * row[1] + k.d * row[2];
}

struct Six {
    float a, b, c, d, e, f;
};

// Lagrange weights at w in [0, 1) between the third and the fourth of six nodes.
__device__ Six six_point_weights(float w)
{
    const float p = (w + 1) * w * (w - 1) * (w - 2), q = (w + 2) * (w - 3);
    return {-p * (w - 3) / 120,
            q * w * (w - 1) * (w - 2) / 24,
            -q * (w + 1) * (w - 1) * (w - 2) / 12,
            q * (w + 1) * w * (w - 2) / 12,
            -q * (w + 1) * w * (w - 1) / 24,
            p * (w + 2) / 120};
}

// volume (nz, rows, nx) += planes (n, lines, width) of spline coefficients; see the CPU's.
extern "C" __global__ void backproject_cubic(
    const float* __restrict__ planes, const int* __restrict__ sixteenths, const int* __restrict__ first_line,
    float* __restrict__ volume, int n, int lines, int width, int nz, int rows, int nx)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int r = blockIdx.y;
    const int z0 = blockIdx.z * DEPTH;
    if (x >= nx) return;

    float sum[DEPTH] = {};
    for (int t = 0; t < n; ++t) {
        const float* tilt = planes + (size_t)t * lines * width + x;
#pragma unroll
        for (int j = 0; j < DEPTH; ++j) {
            const int z = min(z0 + j, nz - 1);
            const int at = sixteenths[z * n + t];
            const float* row = tilt + (size_t)(first_line[z] + r) * width + at / PHASES;
            sum[j] += spline(row, cubic_weights((float)(at % PHASES) / PHASES));
        }
    }
#pragma unroll
    for (int j = 0; j < DEPTH; ++j)
        if (z0 + j < nz) volume[((size_t)(z0 + j) * rows + r) * nx + x] += sum[j];
}

// Weights on the line between the spline's values at half pixel `half` (0 or 1) and the next.
__device__ Cubic half_pixel_weights(int half, float w)
{
    const Cubic at_pixel = cubic_weights(0.0f), between = cubic_weights(0.5f);
    const Cubic at_next = {0.0f, at_pixel.a, at_pixel.b, at_pixel.c};
    const Cubic p = half ? between : at_pixel, q = half ? at_next : between;
    const float v = 1.0f - w;
    return {v * p.a + w * q.a, v * p.b + w * q.b, v * p.c + w * q.c, v * p.d + w * q.d};
}

// As backproject_cubic, but tilt t is read at column (halves[z, t] + rest[z, t]) / 2, linear between
// half pixels, and eighths[z, t] / steps lines higher; steps is a power of 2.
extern "C" __global__ void backproject_uneven(
    const float* __restrict__ planes, const int* __restrict__ halves, const float* __restrict__ rest,
    const int* __restrict__ eighths, const int* __restrict__ first_line, float* __restrict__ volume,
    int n, int lines, int width, int nz, int rows, int nx, int steps)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int r = blockIdx.y;
    const int z0 = blockIdx.z * DEPTH;
    if (x >= nx) return;

    const size_t pitch = width;
    float sum[DEPTH] = {};
    for (int t = 0; t < n; ++t) {
        const float* tilt = planes + (size_t)t * lines * width + x;
#pragma unroll
        for (int j = 0; j < DEPTH; ++j) {
            const int z = min(z0 + j, nz - 1), at = z * n + t;
            const int up = eighths[at] & (steps - 1);
            const int line = first_line[z] + r + (eighths[at] - up) / steps;
            const float* row = tilt + line * pitch + halves[at] / 2;
            const Cubic k = half_pixel_weights(halves[at] % 2, rest[at]);
            if (up == 0) {
                sum[j] += spline(row, k);
                continue;
            }
            const Six s = six_point_weights((float)up / steps);
            sum[j] += s.a * spline(row - 2 * pitch, k) + s.b * spline(row - pitch, k)
                    + s.c * spline(row, k) + s.d * spline(row + pitch, k)
                    + s.e * spline(row + 2 * pitch, k) + s.f * spline(row + 3 * pitch, k);
        }
    }
#pragma unroll
    for (int j = 0; j < DEPTH; ++j)
        if (z0 + j < nz) volume[((size_t)(z0 + j) * rows + r) * nx + x] += sum[j];
}

// volume (nz, lines, nx) += planes (n, lines, width), linear along x: voxel x of plane z reads tilt t
// at column x + whole[z, t] + rest[z, t].
extern "C" __global__ void backproject_linear(
    const float* __restrict__ planes, const int* __restrict__ whole, const float* __restrict__ rest,
    float* __restrict__ volume, int n, int lines, int width, int nz, int nx)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y;
    const int z0 = blockIdx.z * DEPTH;
    if (x >= nx) return;

    float sum[DEPTH] = {};
    for (int t = 0; t < n; ++t) {
        const float* row = planes + ((size_t)t * lines + y) * width + x;
#pragma unroll
        for (int j = 0; j < DEPTH; ++j) {
            const int at = min(z0 + j, nz - 1) * n + t;
            const int k = whole[at];
            const float w = rest[at];
            sum[j] += (1.0f - w) * row[k] + w * row[k + 1];
        }
    }
#pragma unroll
    for (int j = 0; j < DEPTH; ++j)
        if (z0 + j < nz) volume[((size_t)(z0 + j) * lines + y) * nx + x] += sum[j];
}

// volume = max(lowest, volume + weight * back-projection): a step of SIRT in one pass.
extern "C" __global__ void correct_linear(
    const float* __restrict__ planes, const int* __restrict__ whole, const float* __restrict__ rest,
    const float* __restrict__ weight, float lowest,
    float* __restrict__ volume, int n, int lines, int width, int nz, int nx)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y;
    const int z0 = blockIdx.z * DEPTH;
    if (x >= nx) return;

    float sum[DEPTH] = {};
    for (int t = 0; t < n; ++t) {
        const float* row = planes + ((size_t)t * lines + y) * width + x;
#pragma unroll
        for (int j = 0; j < DEPTH; ++j) {
            const int at = min(z0 + j, nz - 1) * n + t;
            const int k = whole[at];
            const float w = rest[at];
            sum[j] += (1.0f - w) * row[k] + w * row[k + 1];
        }
    }
#pragma unroll
    for (int j = 0; j < DEPTH; ++j)
        if (z0 + j < nz) {
            const size_t at = ((size_t)(z0 + j) * lines + y) * nx + x;
            const float value = volume[at] + weight[at] * sum[j];
            volume[at] = value > lowest ? value : lowest;
        }
}

// planes (n, lines, width) += volume (nz, lines, nx): the exact transpose of backproject_linear, as a
// gather. Tilts and planes change roles.
extern "C" __global__ void project_linear(
    const float* __restrict__ volume, const int* __restrict__ whole, const float* __restrict__ rest,
    float* __restrict__ planes, int n, int lines, int width, int nz, int nx)
{
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y;
    const int t0 = blockIdx.z * DEPTH;
    if (column >= width) return;

    float sum[DEPTH] = {};
    for (int z = 0; z < nz; ++z) {
        const float* row = volume + ((size_t)z * lines + y) * nx;
#pragma unroll
        for (int j = 0; j < DEPTH; ++j) {
            const int at = z * n + min(t0 + j, n - 1);
            const int x = column - whole[at];
            const float w = rest[at];
            if (x >= 0 && x < nx) sum[j] += (1.0f - w) * row[x];
            if (x >= 1 && x <= nx) sum[j] += w * row[x - 1];
        }
    }
#pragma unroll
    for (int j = 0; j < DEPTH; ++j)
        if (t0 + j < n) planes[((size_t)(t0 + j) * lines + y) * width + column] += sum[j];
}

// out (nz, rows, nx): row r of plane z = lines_in (nz, lines, nx) at first_line[z] + r + fraction[z].
extern "C" __global__ void level_lines(
    const float* __restrict__ lines_in, const int* __restrict__ first_line,
    const float* __restrict__ fraction, float* __restrict__ out, int lines, int rows, int nx)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int r = blockIdx.y;
    const int z = blockIdx.z;
    if (x >= nx) return;

    const size_t pitch = nx;
    const float* at = lines_in + ((size_t)z * lines + first_line[z] + r - 2) * pitch + x;
    const Six s = six_point_weights(fraction[z]);
    out[((size_t)z * rows + r) * pitch + x] = s.a * at[0] + s.b * at[pitch] + s.c * at[2 * pitch]
                                            + s.d * at[3 * pitch] + s.e * at[4 * pitch] + s.f * at[5 * pitch];
}

struct Interval {
    double low, high;
};

// The part of an interval of x where 0 <= start + x step <= end.
__device__ Interval inside(double start, double step, double end, Interval x)
{
    if (fabs(step) < 1e-12) {
        if (start < -HAIR || start > end + HAIR) x.high = x.low - 1.0;
        return x;
    }
    const double a = -start / step, b = (end - start) / step;
    return {fmax(x.low, fmin(a, b) - HAIR), fmin(x.high, fmax(a, b) + HAIR)};
}

// The cubic B-spline surface at (u, v), counted from the first coefficient of the border.
__device__ float sample(const float* image, int pitch, double u, double v)
{
    const int i = (int)u, j = (int)v;
    const Cubic a = cubic_weights((float)(u - i)), b = cubic_weights((float)(v - j));
    const float* at = image + (size_t)j * pitch + i;
    return b.a * spline(at - pitch, a) + b.b * spline(at, a)
         + b.c * spline(at + pitch, a) + b.d * spline(at + 2 * (size_t)pitch, a);
}

// Bilinear value of one displacement component (gy, gx) with nodes every `step` pixels.
__device__ double moved(const float* field, int gy, int gx, double x, double y, double step)
{
    double a = fmin(fmax(x / step, 0.0), gx - 1.001);
    double b = fmin(fmax(y / step, 0.0), gy - 1.001);
    const int i = (int)a, j = (int)b;
    a -= i;
    b -= j;
    const float* at = field + (size_t)j * gx + i;
    return (1 - b) * ((1 - a) * at[0] + a * at[1]) + b * ((1 - a) * at[gx] + a * at[gx + 1]);
}

// Values of the images (n, rows, columns; spline coefficients) on lines of the grid; see the CPU's.
extern "C" __global__ void sheared_values(
    const float* __restrict__ images, const double* __restrict__ linear, const double* __restrict__ origin,
    double first_column, double first_line, const float* __restrict__ field, double field_step,
    float* __restrict__ out, int rows, int columns, int gy, int gx, int lines, int width)
{
    const int line = blockIdx.y;
    const int t = blockIdx.z;
    const double y = first_line + line;
    const double u_step = linear[4 * t], v_step = linear[4 * t + 2];
    const double u0 = origin[2 * t] + linear[4 * t + 1] * y + u_step * first_column;
    const double v0 = origin[2 * t + 1] + linear[4 * t + 3] * y + v_step * first_column;
    const double u_end = columns - 2 * BORDER - 1.0, v_end = rows - 2 * BORDER - 1.0;
    const float* image = images + (size_t)t * rows * columns;
    const float* shift = field + (size_t)t * 2 * gy * gx;
    Interval seen = {0.0, width - 1.0};
    if (gx == 0) seen = inside(v0, v_step, v_end, inside(u0, u_step, u_end, seen));

    const int begin = blockIdx.x * blockDim.x * COLUMNS + threadIdx.x;
    for (int k = 0; k < COLUMNS; ++k) {
        const int x = begin + k * blockDim.x;
        if (x >= width) return;
        double u = u0 + x * u_step, v = v0 + x * v_step;
        bool shown = x >= seen.low && x <= seen.high;
        if (gx > 0) {
            const double du = moved(shift, gy, gx, u, v, field_step);
            v += moved(shift + (size_t)gy * gx, gy, gx, u, v, field_step);
            u += du;
            shown = u >= -HAIR && v >= -HAIR && u <= u_end + HAIR && v <= v_end + HAIR;
        }
        u = fmin(fmax(u, 0.0), u_end) + BORDER;
        v = fmin(fmax(v, 0.0), v_end) + BORDER;
        out[((size_t)t * lines + line) * width + x] = shown ? sample(image, columns, u, v) : 0.0f;
    }
}

struct Taps {
    float at[TAIL + 1];
};

// The inverse filter of the cubic B-spline, sqrt(3) POLE^|k|, cut at TAIL and normalised to sum 1.
__device__ constexpr Taps inverse_filter()
{
    double power[TAIL + 1] = {1.0}, total = 1.0;
    for (int k = 1; k <= TAIL; ++k) {
        power[k] = power[k - 1] * POLE;
        total += 2 * power[k];
    }
    Taps taps = {};
    for (int k = 0; k <= TAIL; ++k) taps.at[k] = (float)(power[k] / total);
    return taps;
}

// out = the spline coefficients along x of rows `values` (n, lines, width) that are 0 beyond their ends.
extern "C" __global__ void to_coefficients(const float* __restrict__ values, float* __restrict__ out, int lines, int width)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    if (x >= width) return;

    constexpr Taps weight = inverse_filter();
    const size_t place = ((size_t)blockIdx.z * lines + blockIdx.y) * width + x;
    const float* at = values + place;
    float sum = weight.at[0] * at[0];
#pragma unroll
    for (int k = 1; k <= TAIL; ++k)
        sum += weight.at[k] * ((x >= k ? at[-k] : 0.0f) + (x + k < width ? at[k] : 0.0f));
    out[place] = sum;
}

// out (nz, rows, nx) = the summed weights of the n views that show each voxel; see the CPU's.
extern "C" __global__ void coverage(
    const double* __restrict__ linear, const double* __restrict__ slope, const double* __restrict__ origin,
    const double* __restrict__ weight, double first_line, int image_columns, int image_rows,
    float* __restrict__ out, int n, int rows, int nx)
{
    const int r = blockIdx.y;
    const int z = blockIdx.z;
    const double y = first_line + r;
    const int begin = blockIdx.x * blockDim.x * COLUMNS + threadIdx.x;

    double total[COLUMNS] = {};
    for (int t = 0; t < n; ++t) {
        const double u0 = origin[2 * t] + linear[4 * t + 1] * y + slope[2 * t] * z;
        const double v0 = origin[2 * t + 1] + linear[4 * t + 3] * y + slope[2 * t + 1] * z;
        Interval seen = inside(u0, linear[4 * t], image_columns - 1.0, {0.0, nx - 1.0});
        seen = inside(v0, linear[4 * t + 2], image_rows - 1.0, seen);
#pragma unroll
        for (int k = 0; k < COLUMNS; ++k) {
            const int x = begin + k * blockDim.x;
            if (x >= seen.low && x <= seen.high) total[k] += weight[t];
        }
    }
#pragma unroll
    for (int k = 0; k < COLUMNS; ++k) {
        const int x = begin + k * blockDim.x;
        if (x < nx) out[((size_t)z * rows + r) * nx + x] = (float)total[k];
    }
}
