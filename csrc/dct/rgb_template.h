/* SPDX-License-Identifier: MIT */
/*
 * rgb_template.h - operations on RGB of samples of YCbCr, in registers
 *
 * Included by pixel_template.h.  A vector of Y meets its chroma, which is made to
 * fit it, becomes RGB, is changed, and becomes YCbCr again.  Of chroma that is
 * halved, a vector meets two of each of two rows, and its result is the mean
 * over what it met.
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

/* Sums of Y, B and R, whose differences are multiples of chroma. */
struct ybr {
	vec y, b, r;
};

static KERNEL ALWAYS_INLINE void
store_luma(float *luma, const vec rgb[3], struct ybr *sums)
{
	const vec y =
		0.299f * rgb[0] + (0.587f * rgb[1] + (0.114f * rgb[2] - 128));

	store(luma, y);
	sums->y += y;
	sums->b += rgb[2];
	sums->r += rgb[0];
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
	       enum rgb_change_kind kind, u32 c, const float *row)
{
	const float f = change->f;

	switch (kind) {
	case RGB_POSTERIZE:
		return to_float(nearest(x) & -(s32)f);
	case RGB_SOLARIZE:
		return x + keep(255 - 2 * x, x >= f);
	case RGB_LOOK_UP:
		return change->table[c] == NULL ?
			       x :
			       look_up(change->table[c], nearest(x));
	case RGB_TAKE:
		return load(row);
	case RGB_ADD:
		return x + load(row);
	case RGB_ADD_CLAMPED:
		return clamp(x + load(row));
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

/*
 * Load and change RGB.  'row', 'at': which of the change's rows, and where in it.
 */
static KERNEL ALWAYS_INLINE void
load_changed(vec rgb[3], const float *luma, const vec more[3],
	     const struct rgb_change *change, enum rgb_change_kind kind,
	     u32 row, size_t at)
{
	if (kind == RGB_SCALE) {
		load_scaled(rgb, luma, more, change);
		return;
	}
	load_rgb(rgb, luma, more);
	for (u32 c = 0; c < 3; c++)
		rgb[c] = clamp(rgb[c]);
	if (kind == RGB_BLEND_GREY) {
		const vec grey = (1 - change->f) * grey_of(rgb);

		for (u32 c = 0; c < 3; c++)
			rgb[c] = clamp(change->f * rgb[c] + grey);
		return;
	}
	for (u32 c = 0; c < 3; c++)
		rgb[c] = change_channel(rgb[c], change, kind, c,
					change->rows[row][c] + at);
}

static KERNEL ALWAYS_INLINE void
change_full(const struct ycc_rows *rows, const struct rgb_change *change,
	    enum rgb_change_kind kind, size_t num)
{
	for (size_t x = 0; x < num; x += LANES) {
		struct ybr sums = { splat(0), splat(0), splat(0) };
		vec more[3], rgb[3];

		load_chroma(more, rows->chroma[0] + x, rows->chroma[1] + x);
		if (kind == RGB_SCALE)
			scale_chroma(more, change);
		load_changed(rgb, rows->luma[0] + x, more, change, kind, 0, x);
		store_luma(rows->luma[0] + x, rgb, &sums);
		store_chroma(rows->chroma, x, &sums, 1);
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
change_halved(const struct ycc_rows *rows, const struct rgb_change *change,
	      enum rgb_change_kind kind, size_t num)
{
	for (size_t x = 0; x < num; x += 2 * LANES) {
		struct ybr sums[2], all;
		vec more[3];

		load_chroma(more, rows->chroma[0] + x / 2,
			    rows->chroma[1] + x / 2);
		if (kind == RGB_SCALE)
			scale_chroma(more, change);
		for (u32 side = 0; side < 2; side++) {
			const size_t at = x + side * LANES;
			vec twice[3], rgb[3];

			sums[side] =
				(struct ybr){ splat(0), splat(0), splat(0) };
			for (u32 c = 0; c < 3; c++)
				twice[c] = spread(more[c], side);
			for (u32 row = 0; row < 2; row++) {
				load_changed(rgb, rows->luma[row] + at, twice,
					     change, kind, row, at);
				store_luma(rows->luma[row] + at, rgb,
					   &sums[side]);
			}
		}
		join_pairs(&all, sums);
		store_chroma(rows->chroma, x / 2, &all, 4);
	}
}

static KERNEL ALWAYS_INLINE void
change_grey(const struct ycc_rows *rows, const struct rgb_change *change,
	    enum rgb_change_kind kind, size_t num)
{
	for (size_t x = 0; x < num; x += LANES) {
		float *const luma = rows->luma[0] + x;
		const vec grey = load(luma) + 128;
		vec out;

		if (kind == RGB_SCALE)
			out = limit(change->factor[0] * grey +
					    change->offset[0],
				    change->lo[0], change->hi[0]);
		else
			out = change_channel(clamp(grey), change, kind, 0,
					     change->rows[0][0] + x);
		store(luma, out - 128);
	}
}

static KERNEL ALWAYS_INLINE void
change_rows(const struct ycc_rows *rows, const struct rgb_change *change,
	    enum rgb_change_kind kind, size_t num)
{
	/* In locals, as the compiler thinks that a store may change them. */
	const struct ycc_rows r = *rows;
	const struct rgb_change c = *change;

	if (r.num_planes == 1)
		change_grey(&r, &c, kind, num);
	else if (r.halved)
		change_halved(&r, &c, kind, num);
	else
		change_full(&r, &c, kind, num);
}

static KERNEL void
rgb_change(const struct ycc_rows *rows, const struct rgb_change *change,
	   size_t num)
{
	switch (change->kind) {
	case RGB_SCALE:
		change_rows(rows, change, RGB_SCALE, num);
		break;
	case RGB_BLEND_GREY:
		change_rows(rows, change, RGB_BLEND_GREY, num);
		break;
	case RGB_POSTERIZE:
		change_rows(rows, change, RGB_POSTERIZE, num);
		break;
	case RGB_SOLARIZE:
		change_rows(rows, change, RGB_SOLARIZE, num);
		break;
	case RGB_LOOK_UP:
		change_rows(rows, change, RGB_LOOK_UP, num);
		break;
	case RGB_TAKE:
		change_rows(rows, change, RGB_TAKE, num);
		break;
	case RGB_ADD:
		change_rows(rows, change, RGB_ADD, num);
		break;
	default:
		change_rows(rows, change, RGB_ADD_CLAMPED, num);
		break;
	}
}

/* ---- looks -------------------------------------------------------------- */

/* What a look gathers, in registers. */
struct seen {
	vec sum, lo[3], hi[3];
};

static KERNEL ALWAYS_INLINE void
look_at_rgb(vec rgb[3], u32 num_planes, const struct rgb_look *look,
	    enum rgb_look_kind kind, u32 row, size_t at, struct seen *seen)
{
	const u32 last = num_planes - 1;

	if (kind == RGB_LIMITS) {
		for (u32 c = 0; c < num_planes; c++) {
			seen->lo[c] = vmin(seen->lo[c], rgb[c]);
			seen->hi[c] = vmax(seen->hi[c], rgb[c]);
		}
		return;
	}
	for (u32 c = 0; c < num_planes; c++) {
		rgb[c] = clamp(rgb[c]);
		if (kind == RGB_LEVELS)
			store_bytes(look->levels[row][c] + at, nearest(rgb[c]));
		else if (kind == RGB_COPY)
			store(look->copies[row][c] + at, rgb[c]);
	}
	if (kind == RGB_SUM_GREY && row < look->num_rows)
		seen->sum += keep(GREY_R * rgb[0] + (GREY_G * rgb[last / 2] +
						     GREY_B * rgb[last]),
				  iota() < (s32)look->width - (s32)at);
}

static KERNEL ALWAYS_INLINE void
look_full(const struct ycc_rows *rows, const struct rgb_look *look,
	  enum rgb_look_kind kind, size_t num, struct seen *seen)
{
	for (size_t x = 0; x < num; x += LANES) {
		vec more[3], rgb[3];

		load_chroma(more, rows->chroma[0] + x, rows->chroma[1] + x);
		load_rgb(rgb, rows->luma[0] + x, more);
		look_at_rgb(rgb, 3, look, kind, 0, x, seen);
	}
}

static KERNEL ALWAYS_INLINE void
look_halved(const struct ycc_rows *rows, const struct rgb_look *look,
	    enum rgb_look_kind kind, size_t num, struct seen *seen)
{
	for (size_t x = 0; x < num; x += 2 * LANES) {
		vec more[3];

		load_chroma(more, rows->chroma[0] + x / 2,
			    rows->chroma[1] + x / 2);
		for (u32 side = 0; side < 2; side++) {
			const size_t at = x + side * LANES;
			vec twice[3], rgb[3];

			for (u32 c = 0; c < 3; c++)
				twice[c] = spread(more[c], side);
			for (u32 row = 0; row < 2; row++) {
				load_rgb(rgb, rows->luma[row] + at, twice);
				look_at_rgb(rgb, 3, look, kind, row, at, seen);
			}
		}
	}
}

static KERNEL ALWAYS_INLINE void
look_grey(const struct ycc_rows *rows, const struct rgb_look *look,
	  enum rgb_look_kind kind, size_t num, struct seen *seen)
{
	for (size_t x = 0; x < num; x += LANES) {
		vec rgb[3];

		rgb[0] = load(rows->luma[0] + x) + 128;
		look_at_rgb(rgb, 1, look, kind, 0, x, seen);
	}
}

static KERNEL ALWAYS_INLINE void
look_rows(const struct ycc_rows *rows, struct rgb_look *look,
	  enum rgb_look_kind kind, size_t num)
{
	const struct ycc_rows r = *rows;
	const struct rgb_look l = *look;
	struct seen seen = { .sum = splat(0) };
	float lanes[LANES];

	for (u32 c = 0; c < 3; c++) {
		seen.lo[c] = splat(l.lo[c]);
		seen.hi[c] = splat(l.hi[c]);
	}
	if (r.num_planes == 1)
		look_grey(&r, &l, kind, num, &seen);
	else if (r.halved)
		look_halved(&r, &l, kind, num, &seen);
	else
		look_full(&r, &l, kind, num, &seen);
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
rgb_look(const struct ycc_rows *rows, struct rgb_look *look, size_t num)
{
	switch (look->kind) {
	case RGB_SUM_GREY:
		look_rows(rows, look, RGB_SUM_GREY, num);
		break;
	case RGB_LIMITS:
		look_rows(rows, look, RGB_LIMITS, num);
		break;
	case RGB_LEVELS:
		look_rows(rows, look, RGB_LEVELS, num);
		break;
	default:
		look_rows(rows, look, RGB_COPY, num);
		break;
	}
}

/* ---- neighbours --------------------------------------------------------- */

static KERNEL void
sharpen(float *out, const float *above, const float *row, const float *below,
	float f, size_t num)
{
	const float side = (1 - f) / 13, centre = f + 4 * side;

	out[0] = row[0];
	out[num - 1] = row[num - 1];
	/* The last vector ends at the last sample that has both neighbours. */
	for (size_t i = 1; i + 1 < num; i += LANES) {
		float lanes[LANES];
		vec sum = splat(0), value;

		for (u32 k = 0; k < 3; k++)
			sum += (load(above + i + k - 1) +
				load(row + i + k - 1)) +
			       load(below + i + k - 1);
		value = clamp(centre * load(row + i) + side * sum);
		if (i + LANES < num) {
			store(out + i, value);
			continue;
		}
		store(lanes, value);
		memcpy(out + i, lanes, (num - 1 - i) * sizeof(*out));
	}
}
