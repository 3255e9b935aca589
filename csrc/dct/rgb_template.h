/* SPDX-License-Identifier: MIT */
/*
 * rgb_template.h - operations on RGB of samples of YCbCr, in registers
 *
 * Included by pixel_template.h.  A vector of Y meets its chroma, which is made to
 * fit it, becomes RGB, is changed, and becomes YCbCr again.  Where chroma is halved,
 * a vector of it meets four, and becomes the mean over them.
 */

/* Weights of grey in torchvision's rgb_to_grayscale(). */
#define GREY_R 0.2989f
#define GREY_G 0.587f
#define GREY_B 0.114f

static KERNEL ALWAYS_INLINE vec
limit(vec x, float lo, float hi)
{
	return vmin(vmax(x, splat(lo)), splat(hi));
}

static KERNEL ALWAYS_INLINE vec
clamp(vec x)
{
	return limit(x, 0, 255);
}

/* JFIF; the weights of green follow from the others.  What Y lacks of RGB. */
static KERNEL ALWAYS_INLINE void
load_chroma(vec more[3], const float *cb_row, const float *cr_row)
{
	const vec cb = load(cb_row), cr = load(cr_row);

	more[0] = 128 + 1.402f * cr;
	more[1] = 128 - 0.344136286f * cb - 0.714136286f * cr;
	more[2] = 128 + 1.772f * cb;
}

/* Unclamped. */
static KERNEL ALWAYS_INLINE void
load_rgb(vec rgb[3], const float *luma, const vec more[3])
{
	const vec y = load(luma);

	for (u32 c = 0; c < 3; c++)
		rgb[c] = y + more[c];
}

/* Y, B and R, or sums of them; differences are multiples of chroma. */
struct ybr {
	vec y, b, r;
};

static KERNEL ALWAYS_INLINE void
store_luma(float *luma, const vec rgb[3], struct ybr *ret)
{
	const vec y =
		0.299f * rgb[0] + (0.587f * rgb[1] + (0.114f * rgb[2] - 128));

	store(luma, y);
	*ret = (struct ybr){ y, rgb[2], rgb[0] };
}

static KERNEL ALWAYS_INLINE void
add_ybr(struct ybr *sums, const struct ybr *more)
{
	sums->y += more->y;
	sums->b += more->b;
	sums->r += more->r;
}

/* From sums over 'num' pixels. */
static KERNEL ALWAYS_INLINE void
store_chroma(float *const chroma[2], size_t at, const struct ybr *sums,
	     float num)
{
	const vec y = sums->y + 128 * num;

	store(chroma[0] + at, (sums->b - y) * (1 / num / 1.772f));
	store(chroma[1] + at, (sums->r - y) * (1 / num / 1.402f));
}

/* ---- changes ------------------------------------------------------------ */

static KERNEL ALWAYS_INLINE vec
grey_of(const vec rgb[3])
{
	return GREY_R * rgb[0] + (GREY_G * rgb[1] + GREY_B * rgb[2]);
}

static KERNEL ALWAYS_INLINE vec
change_channel(vec x, const struct rgb_change *change,
	       enum rgb_change_kind kind, u32 c, size_t at)
{
	const float f = change->f;

	switch (kind) {
	case RGB_POSTERIZE:
		return to_float(nearest(x) & -(s32)f);
	case RGB_SOLARIZE:
		return x + keep(255 - 2 * x, x >= f);
	case RGB_LEVELS_ARE:
		return change->levels[c] == NULL ?
			       x :
			       load_bytes(change->levels[c] + at);
	case RGB_TAKE:
		return load(change->rows[c] + at);
	case RGB_ADD:
		return x + load(change->rows[c] + at);
	case RGB_ADD_CLAMPED:
		return clamp(x + load(change->rows[c] + at));
	default:
		return x;
	}
}

/* Scaling begins with what pixels share: factor (y + more) + offset. */
static KERNEL ALWAYS_INLINE void
scale_chroma(vec more[3], const struct rgb_change *change)
{
	for (u32 c = 0; c < 3; c++)
		more[c] = change->factor[c] * more[c] + change->offset[c];
}

static KERNEL ALWAYS_INLINE void
load_scaled(vec rgb[3], const float *luma, const vec more[3],
	    const struct rgb_change *change)
{
	const vec y = load(luma);

	for (u32 c = 0; c < 3; c++)
		rgb[c] = limit(change->factor[c] * y + more[c], change->lo[c],
			       change->hi[c]);
}

/* Load and change the RGB of samples 'at' of a strip. */
static KERNEL ALWAYS_INLINE void
load_changed(vec rgb[3], const float *luma, size_t at, const vec more[3],
	     const struct rgb_change *change, enum rgb_change_kind kind)
{
	if (kind == RGB_SCALE) {
		load_scaled(rgb, luma + at, more, change);
		return;
	}
	load_rgb(rgb, luma + at, more);
	for (u32 c = 0; c < 3; c++)
		rgb[c] = clamp(rgb[c]);
	if (kind == RGB_BLEND_GREY) {
		const vec grey = (1 - change->f) * grey_of(rgb);

		for (u32 c = 0; c < 3; c++)
			rgb[c] = clamp(change->f * rgb[c] + grey);
		return;
	}
	for (u32 c = 0; c < 3; c++)
		rgb[c] = change_channel(rgb[c], change, kind, c, at);
}

static KERNEL ALWAYS_INLINE void
change_full(float *luma, float *const chroma[2], size_t num,
	    const struct rgb_change *change, enum rgb_change_kind kind)
{
	for (size_t x = 0; x < num; x += LANES) {
		struct ybr sums;
		vec more[3], rgb[3];

		load_chroma(more, chroma[0] + x, chroma[1] + x);
		if (kind == RGB_SCALE)
			scale_chroma(more, change);
		load_changed(rgb, luma, x, more, change, kind);
		store_luma(luma + x, rgb, &sums);
		store_chroma(chroma, x, &sums, 1);
	}
}

/* Sums of neighbours, those of a[0] first. */
static KERNEL ALWAYS_INLINE void
join_pairs(struct ybr *out, const struct ybr a[2])
{
	out->y = add_pairs(a[0].y, a[1].y);
	out->b = add_pairs(a[0].b, a[1].b);
	out->r = add_pairs(a[0].r, a[1].r);
}

static KERNEL ALWAYS_INLINE void
change_halved(const struct ycc_area *area, float *luma, float *const chroma[2],
	      const struct rgb_change *change, enum rgb_change_kind kind)
{
	for (size_t x = 0; x < area->num_chroma; x += LANES) {
		struct ybr sums[2], all;
		vec more[3];

		load_chroma(more, chroma[0] + x, chroma[1] + x);
		if (kind == RGB_SCALE)
			scale_chroma(more, change);
		for (u32 half = 0; half < 2; half++) {
			size_t at = 2 * x + half * area->other_half;
			struct ybr two[2];
			vec twice[3], rgb[3];

			for (u32 c = 0; c < 3; c++)
				twice[c] = spread(more[c], half);
			for (u32 k = 0; k < 2; k++, at += area->beside) {
				load_changed(rgb, luma, at, twice, change,
					     kind);
				store_luma(luma + at, rgb, &two[k]);
			}
			add_ybr(&two[0], &two[1]);
			sums[half] = two[0];
		}
		join_pairs(&all, sums);
		store_chroma(chroma, x, &all, 4);
	}
}

static KERNEL ALWAYS_INLINE void
change_grey(float *luma, size_t num, const struct rgb_change *change,
	    enum rgb_change_kind kind)
{
	for (size_t x = 0; x < num; x += LANES) {
		const vec grey = load(luma + x) + 128;
		vec out;

		if (kind == RGB_SCALE)
			out = limit(change->factor[0] * grey +
					    change->offset[0],
				    change->lo[0], change->hi[0]);
		else
			out = change_channel(clamp(grey), change, kind, 0, x);
		store(luma + x, out - 128);
	}
}

static KERNEL ALWAYS_INLINE void
change_area(const struct ycc_area *area, const struct rgb_change *change,
	    enum rgb_change_kind kind)
{
	/* In locals, as the compiler thinks that a store may change them. */
	const struct ycc_area a = *area;
	struct rgb_change by = *change;

	for (size_t s = 0; s < a.num_strips; s++) {
		float *const luma = a.luma + s * a.luma_step;
		float *const chroma[2] = {
			a.chroma[0] + s * a.chroma_step,
			a.chroma[1] + s * a.chroma_step,
		};

		if (a.grey)
			change_grey(luma, a.num_chroma, &by, kind);
		else if (a.halved)
			change_halved(&a, luma, chroma, &by, kind);
		else
			change_full(luma, chroma, a.num_chroma, &by, kind);
		for (u32 c = 0; c < 3 && kind == RGB_LEVELS_ARE; c++)
			if (by.levels[c] != NULL)
				by.levels[c] += a.luma_step;
	}
}

static KERNEL void
rgb_change(const struct ycc_area *area, const struct rgb_change *change)
{
	switch (change->kind) {
	case RGB_SCALE:
		change_area(area, change, RGB_SCALE);
		break;
	case RGB_BLEND_GREY:
		change_area(area, change, RGB_BLEND_GREY);
		break;
	case RGB_POSTERIZE:
		change_area(area, change, RGB_POSTERIZE);
		break;
	case RGB_SOLARIZE:
		change_area(area, change, RGB_SOLARIZE);
		break;
	case RGB_LEVELS_ARE:
		change_area(area, change, RGB_LEVELS_ARE);
		break;
	case RGB_TAKE:
		change_area(area, change, RGB_TAKE);
		break;
	case RGB_ADD:
		change_area(area, change, RGB_ADD);
		break;
	default:
		change_area(area, change, RGB_ADD_CLAMPED);
		break;
	}
}

/* ---- looks -------------------------------------------------------------- */

/*
 * What a look gathers, in registers.  A float is too coarse to have many pixels added
 * to it one by one: there is a sum of each strip, and one of these.
 */
struct seen {
	vec sum, strip, lo[3], hi[3];
};

/* Lanes of sample (x, y) and following that are inside the area. */
static KERNEL ALWAYS_INLINE ivec
inside(const struct rgb_look *look, size_t x, size_t y)
{
	return (iota() < (s32)look->width - (s32)x) &
	       ((ivec){ 0 } + (s32)y < (s32)look->height);
}

/* Samples 'at' of a strip, which in rows are sample (x, y) and following. */
static KERNEL ALWAYS_INLINE void
look_at_rgb(vec rgb[3], u32 num_channels, const struct rgb_look *look,
	    enum rgb_look_kind kind, size_t at, size_t x, size_t y,
	    struct seen *seen)
{
	const u32 last = num_channels - 1;

	if (kind == RGB_LIMITS) {
		for (u32 c = 0; c < num_channels; c++) {
			seen->lo[c] = vmin(seen->lo[c], rgb[c]);
			seen->hi[c] = vmax(seen->hi[c], rgb[c]);
		}
		return;
	}
	for (u32 c = 0; c < num_channels; c++) {
		rgb[c] = clamp(rgb[c]);
		if (kind == RGB_LEVELS)
			store_bytes(look->levels[c] + at, nearest(rgb[c]));
		else if (kind == RGB_COPY)
			store(look->copies[c] + at, rgb[c]);
	}
	if (kind == RGB_SUM_GREY) {
		const vec grey = GREY_R * rgb[0] +
				 (GREY_G * rgb[last / 2] + GREY_B * rgb[last]);

		seen->strip += look->width == 0 ?
				       grey :
				       keep(grey, inside(look, x, y));
	}
}

static KERNEL ALWAYS_INLINE void
look_full(const float *luma, const float *const chroma[2], size_t num,
	  size_t row, const struct rgb_look *look, enum rgb_look_kind kind,
	  struct seen *seen)
{
	for (size_t x = 0; x < num; x += LANES) {
		vec more[3], rgb[3];

		load_chroma(more, chroma[0] + x, chroma[1] + x);
		load_rgb(rgb, luma + x, more);
		look_at_rgb(rgb, 3, look, kind, x, x, row, seen);
	}
}

static KERNEL ALWAYS_INLINE void
look_halved(const struct ycc_area *area, const float *luma,
	    const float *const chroma[2], size_t row,
	    const struct rgb_look *look, enum rgb_look_kind kind,
	    struct seen *seen)
{
	for (size_t x = 0; x < area->num_chroma; x += LANES) {
		vec more[3];

		load_chroma(more, chroma[0] + x, chroma[1] + x);
		for (u32 half = 0; half < 2; half++) {
			size_t at = 2 * x + half * area->other_half;
			vec twice[3], rgb[3];

			for (u32 c = 0; c < 3; c++)
				twice[c] = spread(more[c], half);
			for (u32 k = 0; k < 2; k++, at += area->beside) {
				load_rgb(rgb, luma + at, twice);
				look_at_rgb(rgb, 3, look, kind, at,
					    2 * x + half * LANES, row + k,
					    seen);
			}
		}
	}
}

static KERNEL ALWAYS_INLINE void
look_grey(const float *luma, size_t num, size_t row,
	  const struct rgb_look *look, enum rgb_look_kind kind,
	  struct seen *seen)
{
	for (size_t x = 0; x < num; x += LANES) {
		vec rgb[3];

		rgb[0] = load(luma + x) + 128;
		look_at_rgb(rgb, 1, look, kind, x, x, row, seen);
	}
}

static KERNEL ALWAYS_INLINE void
look_strips(const struct ycc_area *area, const struct rgb_look *look,
	    enum rgb_look_kind kind, struct seen *seen)
{
	const struct ycc_area a = *area;
	struct rgb_look l = *look;

	for (size_t s = 0; s < a.num_strips; s++) {
		const float *const luma = a.luma + s * a.luma_step;
		const float *const chroma[2] = {
			a.chroma[0] + s * a.chroma_step,
			a.chroma[1] + s * a.chroma_step,
		};

		if (a.grey)
			look_grey(luma, a.num_chroma, s, &l, kind, seen);
		else if (a.halved)
			look_halved(&a, luma, chroma, 2 * s, &l, kind, seen);
		else
			look_full(luma, chroma, a.num_chroma, s, &l, kind,
				  seen);
		seen->sum += seen->strip;
		seen->strip = splat(0);
		for (u32 c = 0; c < 3 && kind == RGB_LEVELS; c++)
			l.levels[c] += a.luma_step;
	}
}

static KERNEL ALWAYS_INLINE void
look_area(const struct ycc_area *area, struct rgb_look *look,
	  enum rgb_look_kind kind)
{
	struct seen seen = { .sum = splat(0), .strip = splat(0) };
	float lanes[LANES];

	for (u32 c = 0; c < 3; c++) {
		seen.lo[c] = splat(look->lo[c]);
		seen.hi[c] = splat(look->hi[c]);
	}
	look_strips(area, look, kind, &seen);
	if (kind == RGB_SUM_GREY) {
		store(lanes, seen.sum);
		for (u32 k = 0; k < LANES; k++)
			look->sum += lanes[k];
	}
	for (u32 c = 0; c < 3 && kind == RGB_LIMITS; c++) {
		store(lanes, seen.lo[c]);
		for (u32 k = 0; k < LANES; k++)
			look->lo[c] =
				lanes[k] < look->lo[c] ? lanes[k] : look->lo[c];
		store(lanes, seen.hi[c]);
		for (u32 k = 0; k < LANES; k++)
			look->hi[c] =
				lanes[k] > look->hi[c] ? lanes[k] : look->hi[c];
	}
}

static KERNEL void
rgb_look(const struct ycc_area *area, struct rgb_look *look)
{
	switch (look->kind) {
	case RGB_SUM_GREY:
		look_area(area, look, RGB_SUM_GREY);
		break;
	case RGB_LIMITS:
		look_area(area, look, RGB_LIMITS);
		break;
	case RGB_LEVELS:
		look_area(area, look, RGB_LEVELS);
		break;
	default:
		look_area(area, look, RGB_COPY);
		break;
	}
}

/* ---- neighbours --------------------------------------------------------- */

/* Sums of three rows. */
static KERNEL ALWAYS_INLINE vec
sum_rows(const float *above, const float *row, const float *below, size_t x)
{
	return (load(above + x) + load(row + x)) + load(below + x);
}

static KERNEL void
sharpen(float *out, const float *above, const float *row, const float *below,
	float f, size_t num)
{
	const float side = (1 - f) / 13, centre = f + 4 * side;
	vec before = splat(0), here = sum_rows(above, row, below, 0);

	for (size_t x = 0; x < num; x += LANES) {
		const vec after = sum_rows(above, row, below, x + LANES);
		const vec sum =
			(move_up(before, here) + here) + move_down(here, after);

		store(out + x, clamp(centre * load(row + x) + side * sum));
		before = here;
		here = after;
	}
	out[0] = row[0];
	out[num - 1] = row[num - 1];
}
