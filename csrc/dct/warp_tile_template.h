/* SPDX-License-Identifier: MIT */
/*
 * warp_tile_template.h - samples of tiles looked up at any positions
 *
 * Included by pixel_template.h.  A vector of a tile goes down: its lanes are rows.
 * Sample (x, y) is at y / LANES * (LANES * width) + LANES * x + y % LANES.  Shears and
 * moves shift whole columns or rows, which takes loads where the rest gathers.
 */

/* Of a position, rounded down. */
static KERNEL ALWAYS_INLINE s32
whole(s64 at)
{
	return (s32)(at >> 32);
}

/* LANES rows of column 'x' from row 'y' on, some of which may be outside. */
static KERNEL ALWAYS_INLINE vec
load_rows(const float *data, const struct tiled_input *in, float outside, s32 x,
	  s32 y)
{
	const s32 width = (s32)in->width, height = (s32)in->height;
	const s32 k = y & (LANES - 1), above = y - k, below = above + LANES;
	const float *const a = data + (s64)above * width + x * LANES + k;
	const float *const b = data + (s64)below * width + x * LANES;
	float lanes[LANES] = { 0 };

	if (k == 0)
		return load(a);
	if (above >= 0 && below < height)
		return choose(iota() < LANES - k, load(a), load(b + k - LANES));
	if (above >= 0)
		memcpy(lanes, a, (size_t)(LANES - k) * sizeof(*a));
	else
		memcpy(lanes + LANES - k, b, (size_t)k * sizeof(*b));
	return choose((iota() + y >= 0) & (iota() + y < height), load(lanes),
		      splat(outside));
}

static KERNEL void
shift_columns(float *const out[2], const struct tiled_input *in,
	      const struct tile_places *at)
{
	const struct tiled_input from = *in;
	s64 x = at->x[0], y = at->y[0];

	for (u32 i = 0; i < from.width; i++, x += at->dx, y += at->dy) {
		const bool inside =
			whole(x) >= 0 && whole(x) < (s32)from.width &&
			whole(y) > -LANES && whole(y) < (s32)from.height;

		for (u32 c = 0; c < from.num; c++)
			store(out[c] + (size_t)LANES * i,
			      inside ? load_rows(from.data[c], &from,
						 from.outside[c], whole(x),
						 whole(y)) :
				       splat(from.outside[c]));
	}
}

/* Put the lanes of 'mask' of columns shifted by 'by' into those of 'out'. */
static KERNEL ALWAYS_INLINE void
merge_shifted(float *out, const float *in, s32 width, s32 by, ivec mask,
	      float outside)
{
	/* No sum of these can overflow: ops_check() keeps positions small. */
	const s32 left = by < 0 ? -by : 0, right = by > 0 ? width - by : width;

	for (s32 i = 0; i < width; i++) {
		const bool inside = i >= left && i < right;
		float *const to = out + (size_t)LANES * (u32)i;
		const vec x = inside ? load(in + (s64)LANES * (i + by)) :
				       splat(outside);

		store(to, choose(mask, x, load(to)));
	}
}

/* Each row is shifted by its own whole number; several often share one. */
static KERNEL void
shift_rows(float *const out[2], const struct tiled_input *in,
	   const struct tile_places *at)
{
	const size_t first = (size_t)whole(at->y[0]) * in->width;
	u32 done = 0;

	for (u32 r = 0; r < LANES; r++) {
		const s32 by = whole(at->x[r]);
		s32 lanes[LANES];
		ivec mask;

		if ((done >> r & 1) != 0)
			continue;
		for (u32 k = 0; k < LANES; k++) {
			lanes[k] = -(whole(at->x[k]) == by);
			done |= (u32)(lanes[k] & 1) << k;
		}
		memcpy(&mask, lanes, sizeof(mask));
		for (u32 c = 0; c < in->num; c++)
			merge_shifted(out[c], in->data[c] + first,
				      (s32)in->width, by, mask, in->outside[c]);
	}
}

/* Any other map. */
static KERNEL void
look_up_tile(float *const out[2], const struct tiled_input *in,
	     const struct tile_places *at)
{
	const struct tiled_input from = *in;
	const uvec width = (uvec){ 0 } + from.width;
	const uvec height = (uvec){ 0 } + from.height;
	half_u64 at_x[2], at_y[2];

	memcpy(at_x, at->x, sizeof(at_x));
	memcpy(at_y, at->y, sizeof(at_y));
	for (u32 i = 0; i < from.width; i++) {
		uvec x, y, fraction, index;
		ivec inside;

		split(at_x[0], at_x[1], &x, &fraction);
		split(at_y[0], at_y[1], &y, &fraction);
		for (u32 k = 0; k < 2; k++) {
			at_x[k] += (u64)at->dx;
			at_y[k] += (u64)at->dy;
		}
		/* Negative numbers are large ones. */
		inside = (ivec)(x < width) & (ivec)(y < height);
		index = (y & -LANES) * width + x * LANES + (y & (LANES - 1));
		for (u32 c = 0; c < from.num; c++)
			store(out[c] + (size_t)LANES * i,
			      choose(inside,
				     look_up(from.data[c],
					     (ivec)index & inside),
				     splat(from.outside[c])));
	}
}

static KERNEL void
warp_tile(float *const out[2], const struct tiled_input *in,
	  const struct tile_places *at)
{
	const s32 y = whole(at->y[0]);
	const bool steps = at->dx == (s64)1 << 32;
	bool is_column = steps, is_row = steps && at->dy == 0 && y >= 0 &&
					 y < (s32)in->height && y % LANES == 0;

	for (s32 r = 0; r < LANES; r++) {
		is_column = is_column && at->x[r] == at->x[0] &&
			    at->y[r] - at->y[0] == (s64)r << 32;
		is_row = is_row && whole(at->y[r]) == y + r;
	}
	if (is_column)
		shift_columns(out, in, at);
	else if (is_row)
		shift_rows(out, in, at);
	else
		look_up_tile(out, in, at);
}
