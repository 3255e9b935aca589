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
 *	inverse(), forward()     as struct pixel_kernels has them
 *
 *	load(p), store(p, x)     unaligned
 *	vmin(a, b), vmax(a, b)
 *	choose(mask, a, b)       'a' where 'mask' is all ones, else 'b'
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
 *	load_bytes(p)            as floats
 *	map_vectors()            as map_levels(); how many it has done
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

/* ---- amplitudes --------------------------------------------------------- */

static KERNEL void
requantize(float *row, const float *steps, size_t num)
{
	for (size_t x = 0; x < num; x += LANES) {
		const vec step = load(steps + x % 8);

		store(row + x, to_float(nearest(load(row + x) / step)) * step);
	}
}

static KERNEL void
map_levels(u8 *levels, const u8 table[256], size_t num)
{
	for (size_t i = map_vectors(levels, table, num); i < num; i++)
		levels[i] = table[levels[i]];
}

#include "warp_template.h"
#include "warp_tile_template.h"
#include "noise_template.h"
#include "rgb_template.h"
#include "sharpen_tile_template.h"

static const struct pixel_kernels kernels = {
	.lanes = LANES,
	.inverse = inverse,
	.forward = forward,
	.requantize = requantize,
	.rgb_change = rgb_change,
	.rgb_look = rgb_look,
	.map_levels = map_levels,
	.sharpen = sharpen,
	.sharpen_tiles = sharpen_tiles,
	.normals = normals,
	.warp_nearest = warp_nearest,
	.warp_bilinear = warp_bilinear,
	.warp_tile = warp_tile,
	.shift_rows = shift_rows,
	.shift_columns = shift_columns,
};
