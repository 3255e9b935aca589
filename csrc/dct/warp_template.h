/* SPDX-License-Identifier: MIT */
/*
 * warp_template.h - samples looked up at positions along a line
 *
 * Included by pixel_template.h.  Positions are whole numbers, of which the upper
 * halves are places of samples and the lower ones are fractions: they add up
 * without error, and all variants look at the same samples.
 */

/* The places of all lanes and their fractions; then LANES steps on. */
static KERNEL ALWAYS_INLINE void
take_places(half_u64 at[2], s64 step, uvec *place, uvec *fraction)
{
	split(at[0], at[1], place, fraction);
	at[0] += LANES * (u64)step;
	at[1] += LANES * (u64)step;
}

/* The first 'n' lanes. */
static KERNEL ALWAYS_INLINE void
store_some(float *p, vec x, u32 n)
{
	float lanes[LANES];

	if (n >= LANES) {
		store(p, x);
		return;
	}
	store(lanes, x);
	memcpy(p, lanes, n * sizeof(*p));
}

/* Lanes beyond the first 'n' look at sample 0, which is there. */
static KERNEL ALWAYS_INLINE ivec
within(uvec index, u32 n)
{
	return (ivec)index & (iota() < (s32)n);
}

static KERNEL void
warp_nearest(float *const out[2], const struct warp_input *in,
	     const struct fixed_row *at, u32 num)
{
	const struct warp_input from = *in;
	const s64 dx = at->dx, dy = at->dy;
	half_u64 at_x[2], at_y[2];

	count_up(at_x, (u64)at->x, (u64)dx);
	count_up(at_y, (u64)at->y, (u64)dy);
	for (u32 i = 0; i < num; i += LANES) {
		uvec x, y, fraction;
		ivec index;

		take_places(at_x, dx, &x, &fraction);
		take_places(at_y, dy, &y, &fraction);
		index = within(y * from.stride + x, num - i);
		for (u32 k = 0; k < from.num; k++)
			store_some(out[k] + i, look_up(from.data[k], index),
				   num - i);
	}
}

/* 24 bits of the fraction are all that a float holds. */
static KERNEL ALWAYS_INLINE vec
weight(uvec fraction)
{
	return to_float((ivec)(fraction >> 8)) * 0x1p-24f;
}

static KERNEL ALWAYS_INLINE vec
interpolate(const float *data, u32 stride, ivec index, vec wx, vec wy)
{
	vec left, right, top, bottom;

	look_up_pairs(data, index, &left, &right);
	top = left + wx * (right - left);
	look_up_pairs(data + stride, index, &left, &right);
	bottom = left + wx * (right - left);
	return top + wy * (bottom - top);
}

static KERNEL void
warp_bilinear(float *const out[2], const struct warp_input *in,
	      const struct fixed_row *at, u32 num)
{
	const struct warp_input from = *in;
	const s64 dx = at->dx, dy = at->dy;
	half_u64 at_x[2], at_y[2];

	count_up(at_x, (u64)at->x, (u64)dx);
	count_up(at_y, (u64)at->y, (u64)dy);
	for (u32 i = 0; i < num; i += LANES) {
		uvec x, y, fx, fy;
		ivec index;

		take_places(at_x, dx, &x, &fx);
		take_places(at_y, dy, &y, &fy);
		index = within(y * from.stride + x, num - i);
		for (u32 k = 0; k < from.num; k++)
			store_some(out[k] + i,
				   interpolate(from.data[k], from.stride, index,
					       weight(fx), weight(fy)),
				   num - i);
	}
}
