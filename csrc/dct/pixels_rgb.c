/* SPDX-License-Identifier: MIT */
/*
 * pixels_rgb.c - operations on RGB, as torchvision defines them for 8 bits
 *
 * Most see one pixel at a time, some after they have seen all.  A sequence of
 * these makes RGB of eight rows at a time, in cache, and writes YCbCr back; an
 * operation that needs to see all first lets the same rows pass once more.
 */

#include <math.h>

#include "pixel_kernels.h"
#include "pixels.h"
#include "resample.h"

/* ---- RGB and back ------------------------------------------------------- */

#define STRIP_ROWS 8

/* Three channels, each with one row more and two that are kept. */
#define STRIP_FLOATS(stride) (3 * (STRIP_ROWS + 1 + 2) * (stride))

/* RGB of rows [y, y + num_rows). */
struct strip {
	float *rgb[3];
	size_t stride;
	u32 y, num_rows;
};

/* Each sample of chroma, as often as it counts. */
static const float *
spread_row(float *out, const float *in, size_t num, u32 shift)
{
	if (shift == 0)
		return in;
	pixel_kernels()->spread(out, in, num / 2);
	return out;
}

static void
strip_read(const struct pixels *px, const struct strip *s)
{
	const struct pixel_kernels *const kernels = pixel_kernels();
	const struct pixel_plane *const p = px->planes;
	const size_t num = round_up_8(px->width);
	const float *cb = NULL, *cr = NULL;

	for (u32 k = 0; k < s->num_rows; k++) {
		const u32 y = s->y + k, y_chroma = y >> px->shift;
		const float *const luma = p[0].data + y * p[0].stride;
		float *const rgb[3] = {
			s->rgb[0] + k * s->stride,
			s->rgb[1] + k * s->stride,
			s->rgb[2] + k * s->stride,
		};

		if (px->num_planes == 1) {
			memcpy(rgb[0], luma, num * sizeof(*luma));
			kernels->scale(rgb[0], 1, 128, num);
			continue;
		}
		if (cb == NULL || y_chroma << px->shift == y) {
			cb = spread_row(px->rows,
					p[1].data + y_chroma * p[1].stride, num,
					px->shift);
			cr = spread_row(px->rows + num,
					p[2].data + y_chroma * p[2].stride, num,
					px->shift);
		}
		kernels->to_rgb(rgb, luma, cb, cr, num);
	}
}

/* The rows of a strip are whole pairs. */
static void
strip_write(struct pixels *px, const struct strip *s)
{
	const struct pixel_kernels *const kernels = pixel_kernels();
	struct pixel_plane *const p = px->planes;
	const size_t num = round_up_8(px->width);

	for (u32 k = 0; k < s->num_rows; k++) {
		const u32 y = s->y + k, y_chroma = y >> px->shift;
		const u32 parity = px->shift == 0 ? 0 : y & 1;
		const size_t at = k * s->stride;
		float *const luma = p[0].data + y * p[0].stride;
		/* Two rows each of Cb and Cr wait for their means. */
		float *cb = px->rows + parity * num;
		float *cr = px->rows + (2 + parity) * num;

		if (px->num_planes == 1) {
			for (size_t x = 0; x < num; x++)
				luma[x] = s->rgb[0][at + x] - 128;
			continue;
		}
		if (px->shift == 0) {
			cb = p[1].data + y * p[1].stride;
			cr = p[2].data + y * p[2].stride;
		}
		kernels->from_rgb(luma, cb, cr, s->rgb[0] + at, s->rgb[1] + at,
				  s->rgb[2] + at, num);
		if (parity == 0 || y_chroma >= p[1].height)
			continue;
		for (u32 c = 1; c < 3; c++) {
			const float *const a = px->rows + (2 * c - 2) * num;

			kernels->halve(p[c].data + y_chroma * p[c].stride, a,
				       a + num, p[c].width);
		}
	}
}

/* ---- one pixel at a time ------------------------------------------------- */

/* An operation that knows all it needs. */
struct point_op {
	u32 kind;
	float f;
	float factor[3], offset[3]; /* of each channel */
	float table[3][256];        /* of EQUALIZE; NaN first: none */
};

static void
scale_all(const struct strip *s, const struct point_op *op, u32 num_planes,
	  size_t num)
{
	for (u32 c = 0; c < num_planes; c++)
		pixel_kernels()->scale(s->rgb[c], op->factor[c], op->offset[c],
				       num);
}

static void
look_up_all(const struct pixels *px, const struct strip *s,
	    const struct point_op *op, size_t num)
{
	for (u32 c = 0; c < px->num_planes; c++) {
		if (isnan(op->table[c][0]))
			continue;
		pixel_kernels()->levels(px->levels, s->rgb[c], num);
		for (size_t i = 0; i < num; i++)
			s->rgb[c][i] = op->table[c][px->levels[i]];
	}
}

static void
strip_apply(const struct pixels *px, const struct strip *s,
	    const struct point_op *op)
{
	const struct pixel_kernels *const kernels = pixel_kernels();
	const size_t num = s->num_rows * s->stride;

	switch (op->kind) {
	case DCTLOAD_OP_SATURATION: /* a grey image is its own grey */
		if (px->num_planes == 3)
			kernels->blend_grey(s->rgb, op->f, num);
		break;
	case DCTLOAD_OP_POSTERIZE:
		for (u32 c = 0; c < px->num_planes; c++)
			kernels->posterize(s->rgb[c], op->f, num);
		break;
	case DCTLOAD_OP_SOLARIZE:
		for (u32 c = 0; c < px->num_planes; c++)
			kernels->solarize(s->rgb[c], op->f, num);
		break;
	case DCTLOAD_OP_EQUALIZE:
		look_up_all(px, s, op, num);
		break;
	default:
		scale_all(s, op, px->num_planes, num);
		break;
	}
}

/* ---- what depends on all pixels ------------------------------------------ */

struct survey {
	double sum_grey;
	float lo[3], hi[3];
	u32 counts[3][2][256];
};

/* Two histograms: neighbours are often equal, and would wait. */
static void
count_levels(u32 counts[2][256], const u8 *levels, u32 num)
{
	u32 x = 0;

	for (; x + 1 < num; x += 2) {
		counts[0][levels[x]]++;
		counts[1][levels[x + 1]]++;
	}
	if (x < num)
		counts[0][levels[x]]++;
}

static void
strip_survey(const struct pixels *px, const struct strip *s, u32 kind,
	     struct survey *out)
{
	const struct pixel_kernels *const kernels = pixel_kernels();
	const u32 last = px->num_planes - 1;

	for (u32 k = 0; k < s->num_rows && s->y + k < px->height; k++) {
		const size_t at = k * s->stride;

		if (kind == DCTLOAD_OP_CONTRAST)
			out->sum_grey += kernels->sum_grey(
				s->rgb[0] + at, s->rgb[last / 2] + at,
				s->rgb[last] + at, px->width);
		for (u32 c = 0; c < px->num_planes; c++) {
			if (kind == DCTLOAD_OP_AUTOCONTRAST)
				kernels->min_max(s->rgb[c] + at, &out->lo[c],
						 &out->hi[c], px->width);
			if (kind != DCTLOAD_OP_EQUALIZE)
				continue;
			kernels->levels(px->levels, s->rgb[c] + at, px->width);
			count_levels(out->counts[c], px->levels, px->width);
		}
	}
}

static void
set_autocontrast(struct point_op *op, const struct survey *survey, u32 c)
{
	const float lo = rintf(survey->lo[c]), hi = rintf(survey->hi[c]);

	op->factor[c] = hi > lo ? 255 / (hi - lo) : 1;
	op->offset[c] = hi > lo ? -lo * op->factor[c] : 0;
}

/* What torchvision's equalize() makes of each level of a channel. */
static void
set_equalize(struct point_op *op, const struct survey *survey, u32 c, u64 num)
{
	const u32(*const counts)[256] = survey->counts[c];
	u64 last = 255, below = 0, step;

	while (counts[0][last] + counts[1][last] == 0)
		last--;
	step = (num - counts[0][last] - counts[1][last]) / 255;
	op->table[c][0] = NAN;
	for (u32 k = 0; k < 256 && step != 0; k++) {
		const u64 level = (below + step / 2) / step;

		op->table[c][k] = level < 255 ? (float)level : 255;
		below += counts[0][k] + counts[1][k];
	}
}

static void
set_point_op(const struct pixels *px, struct point_op *out,
	     const struct dctload_op *op, const struct survey *survey)
{
	const double num = (double)px->width * px->height;

	out->kind = op->kind;
	out->f = (float)op->p[0];
	if (op->kind == DCTLOAD_OP_POSTERIZE)
		out->f = (float)(1u << (8 - (u32)op->p[0]));
	for (u32 c = 0; c < px->num_planes; c++) {
		out->factor[c] = out->f;
		out->offset[c] = 0;
		if (op->kind == DCTLOAD_OP_CONTRAST)
			out->offset[c] =
				(1 - out->f) * (float)(survey->sum_grey / num);
		else if (op->kind == DCTLOAD_OP_AUTOCONTRAST)
			set_autocontrast(out, survey, c);
		else if (op->kind == DCTLOAD_OP_EQUALIZE)
			set_equalize(out, survey, c, (u64)num);
	}
}

static bool
needs_survey(u32 kind)
{
	return kind == DCTLOAD_OP_CONTRAST || kind == DCTLOAD_OP_AUTOCONTRAST ||
	       kind == DCTLOAD_OP_EQUALIZE;
}

/*
 * Have all rows pass the first 'num' operations; then look at them, or write
 * them back where 'survey' is NULL.
 */
static void
pass(struct pixels *px, const struct point_op *points, u32 num, u32 kind,
     struct survey *survey)
{
	const size_t stride = round_up_8(px->width);
	struct strip s = { .stride = stride, .num_rows = STRIP_ROWS };

	for (u32 c = 0; c < 3; c++)
		s.rgb[c] = px->strip + c * STRIP_ROWS * stride;
	for (s.y = 0; s.y < px->height; s.y += STRIP_ROWS) {
		strip_read(px, &s);
		for (u32 k = 0; k < num; k++)
			strip_apply(px, &s, &points[k]);
		if (survey != NULL)
			strip_survey(px, &s, kind, survey);
		else
			strip_write(px, &s);
	}
}

static void
do_points(struct pixels *px, const struct dctload_op *ops, u32 num)
{
	struct point_op points[DCTLOAD_MAX_OPS];

	for (u32 k = 0; k < num; k++) {
		struct survey survey = { .lo = { 255, 255, 255 } };

		if (needs_survey(ops[k].kind))
			pass(px, points, k, ops[k].kind, &survey);
		set_point_op(px, &points[k], &ops[k], &survey);
	}
	pass(px, points, num, DCTLOAD_OP_NONE, NULL);
}

/* ---- neighbours, and noise ------------------------------------------------ */

/*
 * Sharpen the rows of a strip, which has the row below too, in place.  Results
 * replace what the next row needs, so two rows are kept as they were: of each
 * channel at 'kept', from strip to strip.
 */
static void
strip_sharpen(const struct pixels *px, const struct strip *s, float f,
	      float *kept)
{
	for (u32 c = 0; c < px->num_planes; c++, kept += 2 * s->stride)
		for (u32 k = 0; k < STRIP_ROWS; k++) {
			float *const here = s->rgb[c] + k * s->stride;
			float *const row = kept + k % 2 * s->stride;
			const float *const above =
				kept + (k + 1) % 2 * s->stride;

			memcpy(row, here, s->stride * sizeof(*row));
			if (s->y + k > 0 && s->y + k + 1 < px->height)
				pixel_kernels()->sharpen(here, above, row,
							 here + s->stride, f,
							 px->width);
		}
}

/* The finaliser of SplitMix64 (Steele, Lea, Flood; OOPSLA 2014). */
static u64
mix64(u64 z)
{
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
	z = (z ^ z >> 27) * 0x94D049BB133111EB;
	return z ^ z >> 31;
}

/* Two normal numbers, by Box and Muller. */
static void
normal_pair(u64 bits, float pair[2])
{
	/* In (0, 1], so that the logarithm is finite. */
	const float a = (float)(((double)(bits >> 32) + 1) * 0x1p-32);
	const float turn =
		(float)((double)(u32)bits * (6.283185307179586 * 0x1p-32));
	const float r = sqrtf(-2 * logf(a));

	pair[0] = r * cosf(turn);
	pair[1] = r * sinf(turn);
}

/*
 * A pair for two neighbours, from a hash of seed, channel and place: it does not
 * depend on what came before.
 */
static void
strip_add_noise(const struct pixels *px, const struct strip *s,
		const struct dctload_op *op)
{
	const float mean = (float)op->p[0], sigma = (float)op->p[1];

	for (u32 c = 0; c < px->num_planes; c++)
		for (u32 k = 0; k < STRIP_ROWS; k++) {
			const u64 first =
				(u64)(s->y + k) * ceil_div_u32(px->width, 2);
			const u64 key = mix64((u64)op->seed << 2 | c);
			float *const row = s->rgb[c] + k * s->stride;

			/* The margin makes room for the last pair. */
			for (u32 x = 0; x < px->width; x += 2) {
				float pair[2];

				normal_pair(
					mix64(key + (first + x / 2) *
							    0x9E3779B97F4A7C15),
					pair);
				row[x] += mean + sigma * pair[0];
				row[x + 1] += mean + sigma * pair[1];
			}
			if (op->p[2] != 0)
				pixel_kernels()->scale(row, 1, 0, s->stride);
		}
}

/* Let margins repeat the last samples, which alone have changed. */
static void
strip_repeat_edges(const struct pixels *px, const struct strip *s)
{
	const u32 last = px->height - 1 - s->y;

	for (u32 c = 0; c < px->num_planes; c++)
		for (u32 k = 0; k < STRIP_ROWS; k++) {
			float *const row = s->rgb[c] + k * s->stride;

			if (k > last)
				memcpy(row, row - s->stride,
				       s->stride * sizeof(*row));
			for (size_t x = px->width; x < s->stride; x++)
				row[x] = row[px->width - 1];
		}
}

/* SHARPNESS and NOISE. */
static void
do_rows(struct pixels *px, const struct dctload_op *op)
{
	const size_t stride = round_up_8(px->width);
	const u32 num_rows = round_up_8(px->height);
	const bool noise = op->kind == DCTLOAD_OP_NOISE;
	struct strip s = { .stride = stride };

	if (!noise && (px->width <= 2 || px->height <= 2))
		return;
	for (u32 c = 0; c < 3; c++)
		s.rgb[c] = px->strip + c * (STRIP_ROWS + 1) * stride;
	for (s.y = 0; s.y < num_rows; s.y += STRIP_ROWS) {
		s.num_rows = min_u32(STRIP_ROWS + 1, num_rows - s.y);
		strip_read(px, &s);
		if (noise)
			strip_add_noise(px, &s, op);
		else
			strip_sharpen(px, &s, (float)op->p[0],
				      s.rgb[2] + (STRIP_ROWS + 1) * stride);
		strip_repeat_edges(px, &s);
		s.num_rows = STRIP_ROWS;
		strip_write(px, &s);
	}
}

static bool
is_point(const struct dctload_op *op)
{
	return op->kind != DCTLOAD_OP_SHARPNESS && op->kind != DCTLOAD_OP_NOISE;
}

enum dctload_status
pixels_do_rgb(struct pixels *px, const struct dctload_op *ops, u32 num)
{
	const size_t stride = round_up_8(px->width);

	if (!grow((void **)&px->rows, &px->rows_capacity, 4 * stride,
		  sizeof(*px->rows)) ||
	    !grow((void **)&px->strip, &px->strip_capacity,
		  STRIP_FLOATS(stride), sizeof(*px->strip)) ||
	    !grow((void **)&px->levels, &px->levels_capacity,
		  STRIP_ROWS * stride, sizeof(*px->levels)))
		return DCTLOAD_NO_MEMORY;
	for (u32 k = 0; k < num;) {
		u32 end = k;

		/* The margins that are read along must hold numbers. */
		for (u32 c = 0; c < px->num_planes; c++)
			plane_repeat_edges(&px->planes[c]);
		while (end < num && is_point(&ops[end]))
			end++;
		if (end > k)
			do_points(px, &ops[k], end - k);
		else
			do_rows(px, &ops[end++]);
		k = end;
	}
	return DCTLOAD_OK;
}
