/* SPDX-License-Identifier: MIT */
/*
 * warp_tile_template.h - samples of tiles looked up at any positions, or shifted
 *
 * Included by pixel_template.h.  A vector of a tile goes down: its lanes are rows.
 * Sample (x, y) is at y / LANES * (LANES * width) + LANES * x + y % LANES.  Shears and
 * moves shift whole rows or columns, for which loads will do.
 */

static KERNEL void
warp_tile(float *const out[2], const struct tiled_input *in,
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
		index = (y & ~(LANES - 1u)) * width + x * LANES +
			(y & (LANES - 1u));
		for (u32 c = 0; c < from.num; c++)
			store(out[c] + (size_t)LANES * i,
			      choose(inside,
				     look_up(from.data[c],
					     (ivec)index & inside),
				     splat(from.outside[c])));
	}
}

/* Rows often share a shift: each of those once, with the lanes that it is of. */
static KERNEL ALWAYS_INLINE u32
find_shifts(s32 shifts[LANES], ivec masks[LANES], const s32 *by)
{
	u32 num = 0, done = 0;

	for (u32 r = 0; r < LANES; r++) {
		s32 lanes[LANES];

		if ((done >> r & 1) != 0)
			continue;
		for (u32 k = 0; k < LANES; k++) {
			lanes[k] = -(by[k] == by[r]);
			done |= (u32)(by[k] == by[r]) << k;
		}
		memcpy(&masks[num], lanes, sizeof(masks[num]));
		shifts[num++] = by[r];
	}
	return num;
}

static KERNEL void
shift_rows(float *tile, u32 width, const s32 by[16], float outside)
{
	float missing[LANES];
	s32 shifts[LANES];
	ivec masks[LANES];
	const u32 num = find_shifts(shifts, masks, by);
	bool to_left = false;

	for (u32 k = 0; k < num; k++)
		to_left = to_left || shifts[k] < 0;
	store(missing, splat(outside));
	for (u32 n = 0; n < width; n++) {
		/* What is still to be looked at is written last. */
		const u32 i = to_left ? width - 1 - n : n;
		vec x = splat(outside);

		for (u32 k = 0; k < num; k++) {
			const u32 column = i + (u32)shifts[k];
			const float *const from =
				column < width ? tile + (size_t)LANES * column :
						 missing;

			x = choose(masks[k], load(from), x);
		}
		store(tile + (size_t)LANES * i, x);
	}
}

static KERNEL void
shift_columns(float *plane, float *scratch, u32 width, u32 height, s64 y,
	      s64 dy, float outside)
{
	const size_t tile = (size_t)LANES * width, size = 3 * (size_t)height;
	const s32 most = (s32)height;

	/* A column between what is outside above and below. */
	for (size_t i = 0; i < SHIFTED_COLUMNS * size; i++)
		scratch[i] = outside;
	for (u32 i = 0; i < width; i += SHIFTED_COLUMNS) {
		float *const columns = plane + (size_t)LANES * i;
		float *const middle = scratch + height;

		/* A load that waits for two stores is slow, so there are others. */
		for (u32 k = 0; k < SHIFTED_COLUMNS; k++)
			for (u32 r = 0; r < height; r += LANES)
				store(middle + k * size + r,
				      load(columns + r / LANES * tile +
					   (size_t)LANES * k));
		for (u32 k = 0; k < SHIFTED_COLUMNS; k++, y += dy) {
			const s32 by = (s32)(y >> 32);
			const s32 shift = by < -most ? -most :
					  by > most  ? most :
						       by;

			for (u32 r = 0; r < height; r += LANES)
				store(columns + r / LANES * tile +
					      (size_t)LANES * k,
				      load(middle + k * size + r + shift));
		}
	}
}
