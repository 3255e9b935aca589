/* SPDX-License-Identifier: MIT */
/*
 * pixel_template.h - the functions of struct pixel_kernels, for one kind of CPU
 *
 * The file that includes this defines
 *
 *	KERNEL     the target attribute
 *	LANES      floats of a vector, 4, 8 or 16
 *	vec        that vector, as a type with the compiler's operators
 *	ivec, uvec vectors of as many s32 and u32
 *	half_u64   and of half as many u64
 *
 * and these functions:
 *
 *	load(p), store(p, x)     unaligned
 *	vmin(a, b), vmax(a, b)
 *	nearest(x)               the nearest whole numbers, ties to even
 *	root(x)                  the square root
 *	spread(x, half)          each lane of the lower or upper half twice
 *	add_pairs(a, b)          sums of neighbours, those of 'a' first
 *	move_up(a, b)            the last of 'a', then 'b' but for its last
 *	move_down(a, b)          'a' but for its first, then the first of 'b'
 *	interleave(a, b, out)    a[0], b[0], a[1], ... as two vectors
 *	split(a, b, hi, lo)      halves of LANES u64 in two vectors
 *	look_up(table, i)        table[i] of each lane
 *	look_up_pairs(...)       the same, and table[i + 1]
 *	store_bytes(p, i)        lanes of 0 to 255 as bytes
 */

static KERNEL ALWAYS_INLINE vec
splat(float f)
{
	return f - (vec){ 0 };
}

static KERNEL ALWAYS_INLINE vec
to_float(ivec x)
{
	return __builtin_convertvector(x, vec);
}

static KERNEL ALWAYS_INLINE vec
to_float_u(uvec x)
{
	return __builtin_convertvector(x, vec);
}

/* 'x' where 'mask', else 0. */
static KERNEL ALWAYS_INLINE vec
keep(vec x, ivec mask)
{
	return (vec)((ivec)x & mask);
}

/* 'a' where 'mask', else 'b'. */
static KERNEL ALWAYS_INLINE vec
choose(ivec mask, vec a, vec b)
{
	return (vec)(((ivec)a & mask) | ((ivec)b & ~mask));
}

static KERNEL ALWAYS_INLINE ivec
iota(void)
{
	ivec x;

	for (s32 k = 0; k < LANES; k++)
		x[k] = k;
	return x;
}

/* first, first + step, ... in the lower and upper half of the lanes. */
static KERNEL ALWAYS_INLINE void
count_up(half_u64 out[2], u64 first, u64 step)
{
	half_u64 x;

	for (u32 k = 0; k < LANES / 2; k++)
		x[k] = k;
	out[0] = x * step + first;
	out[1] = out[0] + LANES / 2 * step;
}

/* ---- the DCT ------------------------------------------------------------ */

/* GCC and Clang make of this what the CPU has. */
typedef float v8 __attribute__((vector_size(32)));

static KERNEL void
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

static KERNEL void
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

#include "warp_template.h"
#include "rgb_template.h"
#include "noise_template.h"

static const struct pixel_kernels kernels = {
	.lanes = LANES,
	.inverse = inverse,
	.forward = forward,
	.rgb_change = rgb_change,
	.rgb_look = rgb_look,
	.sharpen = sharpen,
	.normals = normals,
	.warp_nearest = warp_nearest,
	.warp_bilinear = warp_bilinear,
};
