/* SPDX-License-Identifier: MIT */
/* pixel_kernels.c - the portable variant, and the choice */

#include <math.h>

#include "../cpu.h"
#include "kernels.h"
#include "pixel_kernels.h"

/* cos(k pi / 16) / 2 for k = 1..7. */
#define C1 0.49039264020161522f
#define C2 0.46193976625564337f
#define C3 0.41573480615127262f
#define C4 0.35355339059327376f
#define C5 0.27778511650980111f
#define C6 0.19134171618254489f
#define C7 0.09754516100806413f

const float dct_basis_f32[8][8] = {
	{ C4, C4, C4, C4, C4, C4, C4, C4 },
	{ C1, C3, C5, C7, -C7, -C5, -C3, -C1 },
	{ C2, C6, -C6, -C2, -C2, -C6, C6, C2 },
	{ C3, -C7, -C1, -C5, C5, C1, C7, -C3 },
	{ C4, -C4, -C4, C4, C4, -C4, -C4, C4 },
	{ C5, -C1, C7, C3, -C3, -C7, C1, -C5 },
	{ C6, -C2, C2, -C6, -C6, C2, -C2, C6 },
	{ C7, -C5, C3, -C1, C1, -C3, C5, -C7 },
};

/* Of AArch64 too: its vectors need no permission, and compilers use them. */
#define KERNEL
#define LANES 4

/* What every 64-bit CPU has; compilers make shuffles of lists of lanes. */
typedef float vec __attribute__((vector_size(16)));
typedef s32 ivec __attribute__((vector_size(16)));
typedef u32 uvec __attribute__((vector_size(16)));
typedef u64 half_u64 __attribute__((vector_size(16)));

#include "vec_memory.h"

static ALWAYS_INLINE vec
vmin(vec a, vec b)
{
	const ivec less = a < b;

	return (vec)(((ivec)a & less) | ((ivec)b & ~less));
}

static ALWAYS_INLINE vec
vmax(vec a, vec b)
{
	const ivec less = a < b;

	return (vec)(((ivec)b & less) | ((ivec)a & ~less));
}

static ALWAYS_INLINE vec
choose(ivec mask, vec a, vec b)
{
	return (vec)(((ivec)a & mask) | ((ivec)b & ~mask));
}

/*
 * Adding and subtracting 1.5 x 2^23 rounds a float below 2^22 to the nearest
 * whole number, ties to even, on every CPU and in every vector.
 */
static ALWAYS_INLINE ivec
nearest(vec x)
{
	return __builtin_convertvector((x + 12582912.0f) - 12582912.0f, ivec);
}

static ALWAYS_INLINE vec
root(vec x)
{
	return (vec){ sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3]) };
}

static ALWAYS_INLINE vec
spread(vec x, u32 half)
{
	return half == 0 ? (vec){ x[0], x[0], x[1], x[1] } :
			   (vec){ x[2], x[2], x[3], x[3] };
}

static ALWAYS_INLINE vec
add_pairs(vec a, vec b)
{
	return (vec){ a[0], a[2], b[0], b[2] } +
	       (vec){ a[1], a[3], b[1], b[3] };
}

static ALWAYS_INLINE vec
move_up(vec a, vec b)
{
	return (vec){ a[3], b[0], b[1], b[2] };
}

static ALWAYS_INLINE vec
move_down(vec a, vec b)
{
	return (vec){ a[1], a[2], a[3], b[0] };
}

static ALWAYS_INLINE void
interleave(vec a, vec b, vec out[2])
{
	out[0] = (vec){ a[0], b[0], a[1], b[1] };
	out[1] = (vec){ a[2], b[2], a[3], b[3] };
}

static ALWAYS_INLINE void
split(half_u64 a, half_u64 b, uvec *hi, uvec *lo)
{
	const half_u64 high_a = a >> 32, high_b = b >> 32;

	*hi = (uvec){ (u32)high_a[0], (u32)high_a[1], (u32)high_b[0],
		      (u32)high_b[1] };
	*lo = (uvec){ (u32)a[0], (u32)a[1], (u32)b[0], (u32)b[1] };
}

static ALWAYS_INLINE vec
look_up(const float *table, ivec i)
{
	return (vec){ table[i[0]], table[i[1]], table[i[2]], table[i[3]] };
}

static ALWAYS_INLINE void
look_up_pairs(const float *table, ivec i, vec *first, vec *second)
{
	*first = look_up(table, i);
	*second = look_up(table + 1, i);
}

static ALWAYS_INLINE void
store_bytes(u8 *p, ivec i)
{
	for (u32 k = 0; k < LANES; k++)
		p[k] = (u8)i[k];
}

static ALWAYS_INLINE vec
load_bytes(const u8 *p)
{
	return (vec){ p[0], p[1], p[2], p[3] };
}

/* One by one is all that there is. */
static KERNEL ALWAYS_INLINE size_t
map_vectors(u8 *levels, const u8 table[256], size_t num)
{
	(void)levels, (void)table, (void)num;
	return 0;
}

/* ---- the DCT ------------------------------------------------------------ */

/* GCC and Clang make of this what the CPU has. */
typedef float v8 __attribute__((vector_size(32)));

static void
inverse(float *rows, size_t stride, u32 num_blocks)
{
	v8 basis[8];

	memcpy(basis, dct_basis_f32, sizeof(basis));
	for (u32 q = 0; q < num_blocks; q++) {
		float *const block = rows + 8 * (size_t)q;
		v8 in[8];

		for (u32 v = 0; v < 8; v++) {
			const float *const freqs = block + v * stride;
			v8 a = basis[0] * freqs[0], b = basis[1] * freqs[1];

			for (u32 u = 2; u < 8; u += 2) {
				a += basis[u] * freqs[u];
				b += basis[u + 1] * freqs[u + 1];
			}
			in[v] = a + b;
		}
		/* Row 7 - k differs from row k by the sign of odd cosines. */
		for (u32 k = 0; k < 4; k++) {
			v8 even = in[0] * dct_basis_f32[0][k];
			v8 odd = in[1] * dct_basis_f32[1][k];
			v8 out;

			for (u32 v = 2; v < 8; v += 2) {
				even += in[v] * dct_basis_f32[v][k];
				odd += in[v + 1] * dct_basis_f32[v + 1][k];
			}
			out = even + odd;
			memcpy(block + k * stride, &out, sizeof(out));
			out = even - odd;
			memcpy(block + (7 - k) * stride, &out, sizeof(out));
		}
	}
}

static void
forward(float *rows, size_t stride, u32 num_blocks)
{
	for (u32 q = 0; q < num_blocks; q++) {
		float *const block = rows + 8 * (size_t)q;
		v8 sum[4], diff[4];

		for (u32 k = 0; k < 4; k++) {
			v8 a, b;

			memcpy(&a, block + k * stride, sizeof(a));
			memcpy(&b, block + (7 - k) * stride, sizeof(b));
			sum[k] = a + b;
			diff[k] = a - b;
		}
		for (u32 v = 0; v < 8; v++) {
			const v8 *const half = v % 2 == 0 ? sum : diff;
			v8 row = half[0] * dct_basis_f32[v][0];
			float samples[8];
			v8 out, basis;

			for (u32 k = 1; k < 4; k++)
				row += half[k] * dct_basis_f32[v][k];
			memcpy(samples, &row, sizeof(row));
			memcpy(&basis, dct_matrix_t_f32[0], sizeof(basis));
			out = basis * samples[0];
			for (u32 x = 1; x < 8; x++) {
				memcpy(&basis, dct_matrix_t_f32[x],
				       sizeof(basis));
				out += basis * samples[x];
			}
			memcpy(block + v * stride, &out, sizeof(out));
		}
	}
}

#include "pixel_template.h"

const struct pixel_kernels *
pixel_kernels(void)
{
	const bool avx2 = cpu_has(CPU_AVX2) && cpu_has(CPU_FMA);

	if (pixel_kernels_avx512 != NULL && avx2 && cpu_has(CPU_AVX512))
		return pixel_kernels_avx512;
	if (pixel_kernels_avx2 != NULL && avx2)
		return pixel_kernels_avx2;
	return &kernels;
}
