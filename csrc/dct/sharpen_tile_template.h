/* SPDX-License-Identifier: MIT */
/*
 * sharpen_tile_template.h - sharpening of tiles, RGB in registers
 *
 * Included by pixel_template.h.  Column after column of a strip becomes RGB, and when
 * the next one is known, the one before it is sharpened and becomes YCbCr again.  Of a
 * strip that is done, its last row as it was is kept for the next one.
 */

/* A column of a strip: what it is, and sums of three rows each, by tile. */
struct column {
	vec rgb[2][3], sums[2][3];
};

/* A strip, and what is the same for all of its columns. */
struct sharpening {
	struct ycc_area area;
	u32 num_tiles, num_channels; /* tiles of a strip */
	u32 width;
	float side, centre;
	bool is_first, is_last; /* of the strips */
	float *luma, *chroma[2];
	float *above; /* the row before it: [num_channels][width] */
	vec more[3]
		[3]; /* of its tiles and the one after it; see load_chroma() */
};

static KERNEL ALWAYS_INLINE void
load_more(struct sharpening *s, u32 x)
{
	const u32 n = s->num_tiles;
	const size_t at = (size_t)LANES * (x / n);
	vec here[3], below[3];

	load_chroma(here, s->chroma[0] + at, s->chroma[1] + at);
	if (!s->is_last)
		load_chroma(below, s->chroma[0] + s->area.chroma_step + at,
			    s->chroma[1] + s->area.chroma_step + at);
	else
		memcpy(below, here, sizeof(below));
	for (u32 c = 0; c < 3; c++) {
		for (u32 t = 0; t < n; t++)
			s->more[t][c] = n == 1 ? here[c] : spread(here[c], t);
		s->more[n][c] = n == 1 ? below[c] : spread(below[c], 0);
	}
}

/* Column 'x' of tile 't', which may be the one after the strip. */
static KERNEL ALWAYS_INLINE void
load_clamped(vec rgb[3], const struct sharpening *s, u32 x, u32 t)
{
	const float *const luma = s->luma + (size_t)LANES * (t * s->width + x);

	if (s->num_channels == 1)
		rgb[0] = load(luma) + 128;
	else
		load_rgb(rgb, luma, s->more[t]);
	for (u32 c = 0; c < s->num_channels; c++)
		rgb[c] = clamp(rgb[c]);
}

static KERNEL ALWAYS_INLINE void
load_column(struct column *ret, struct sharpening *s, u32 x)
{
	const u32 n = s->num_tiles;
	vec below[3];

	if (s->num_channels == 3 && x % n == 0)
		load_more(s, x);
	for (u32 t = 0; t < n; t++)
		load_clamped(ret->rgb[t], s, x, t);
	/* What is below the last row is not used. */
	load_clamped(below, s, x, s->is_last ? n - 1 : n);
	for (u32 c = 0; c < s->num_channels; c++) {
		float *const kept = s->above + c * s->width + x;
		vec up = splat(*kept);

		for (u32 t = 0; t < n; t++) {
			const vec x0 = ret->rgb[t][c];
			const vec down =
				t + 1 < n ? ret->rgb[t + 1][c] : below[c];

			ret->sums[t][c] =
				(move_up(up, x0) + x0) + move_down(x0, down);
			up = x0;
		}
		*kept = up[LANES - 1];
	}
}

/* Leave the first and the last row of the image as they are. */
static KERNEL ALWAYS_INLINE void
keep_edge_rows(vec rgb[3], const struct sharpening *s, const vec old[3], u32 t)
{
	const s32 first = s->is_first && t == 0 ? 1 : 0;
	const s32 end = s->is_last && t + 1 == s->num_tiles ? LANES - 1 : LANES;

	if (first == 0 && end == LANES)
		return;
	for (u32 c = 0; c < s->num_channels; c++)
		rgb[c] = choose((iota() >= first) & (iota() < end), rgb[c],
				old[c]);
}

/* Column 'x', between its neighbours; ybr is what becomes of it. */
static KERNEL ALWAYS_INLINE void
finish_column(const struct sharpening *s, u32 x, const struct column *here,
	      const struct column *before, const struct column *after,
	      struct ybr ybr[2])
{
	const bool is_edge = x == 0 || x + 1 == s->width;

	for (u32 t = 0; t < s->num_tiles; t++) {
		float *const luma =
			s->luma + (size_t)LANES * (t * s->width + x);
		vec rgb[3];

		for (u32 c = 0; c < s->num_channels; c++) {
			const vec sum =
				(before->sums[t][c] + here->sums[t][c]) +
				after->sums[t][c];

			rgb[c] = is_edge ? here->rgb[t][c] :
					   clamp(s->centre * here->rgb[t][c] +
						 s->side * sum);
		}
		keep_edge_rows(rgb, s, here->rgb[t], t);
		if (s->num_channels == 1)
			store(luma, rgb[0] - 128);
		else
			store_luma(luma, rgb, &ybr[t]);
	}
}

static KERNEL ALWAYS_INLINE void
sharpen_strip(struct sharpening *s)
{
	const u32 n = s->num_tiles;
	struct column columns[3] = { 0 };
	struct column *before = &columns[0], *here = &columns[1];
	struct column *after = &columns[2];
	struct ybr even[2] = { 0 }, ybr[2] = { 0 }, all;

	load_column(here, s, 0);
	for (u32 x = 0; x < s->width; x++) {
		struct column *oldest;

		if (x + 1 < s->width)
			load_column(after, s, x + 1);
		finish_column(s, x, here, before, after, ybr);
		if (s->num_channels == 3 && n == 1) {
			store_chroma(s->chroma, (size_t)LANES * x, &ybr[0], 1);
		} else if (s->num_channels == 3 && x % 2 == 0) {
			memcpy(even, ybr, sizeof(even));
		} else if (s->num_channels == 3) {
			add_ybr(&even[0], &ybr[0]);
			add_ybr(&even[1], &ybr[1]);
			join_pairs(&all, even);
			store_chroma(s->chroma, (size_t)LANES * (x / 2), &all,
				     4);
		}
		oldest = before;
		before = here;
		here = after;
		after = oldest;
	}
}

static KERNEL ALWAYS_INLINE void
sharpen_strips(const struct ycc_area *area, float *above, float f,
	       u32 num_tiles, u32 num_channels)
{
	struct sharpening s = {
		.area = *area,
		.num_tiles = num_tiles,
		.num_channels = num_channels,
		.width = (u32)(area->luma_step / LANES) / num_tiles,
		.side = (1 - f) / 13,
		.centre = f + 4 * ((1 - f) / 13),
		.above = above,
	};

	memset(above, 0, num_channels * s.width * sizeof(*above));
	for (size_t k = 0; k < area->num_strips; k++) {
		s.is_first = k == 0;
		s.is_last = k + 1 == area->num_strips;
		s.luma = area->luma + k * area->luma_step;
		for (u32 c = 0; c < 2; c++)
			s.chroma[c] = area->chroma[c] + k * area->chroma_step;
		sharpen_strip(&s);
	}
}

static KERNEL void
sharpen_tiles(const struct ycc_area *area, float *above, float f)
{
	if (area->grey)
		sharpen_strips(area, above, f, 1, 1);
	else if (area->halved)
		sharpen_strips(area, above, f, 2, 3);
	else
		sharpen_strips(area, above, f, 1, 3);
}
