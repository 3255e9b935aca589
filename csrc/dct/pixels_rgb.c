/* SPDX-License-Identifier: MIT */
/*
 * pixels_rgb.c - operations on RGB, as torchvision defines them for 8 bits
 *
 * Most see one pixel at a time, some after they have seen all.  RGB exists in
 * registers only, but for what looks at neighbours: that has a few rows of it.
 */

#include <math.h>

#include "pixel_kernels.h"
#include "pixels.h"
#include "resample.h"

/*
 * Rows of RGB that are looked at: those that share chroma, as many before and after
 * them.  And two that come of them.
 */
#define RING_ROWS 6
#define SCRATCH_ROWS (3 * (RING_ROWS + 2))

/* ---- rows ---------------------------------------------------------------- */

/* How many rows of luma go with one of chroma. */
static u32
rows_per_step(const struct pixels *px)
{
	return px->num_planes == 1 ? 1 : 1u << px->shift;
}

/* The row 'y' of luma, those that share its chroma, and that. */
static struct ycc_rows
rows_at(const struct pixels *px, u32 y)
{
	const struct pixel_plane *const p = px->planes;
	struct ycc_rows rows = {
		.num_planes = px->num_planes,
		.halved = rows_per_step(px) == 2,
	};

	for (u32 k = 0; k < rows_per_step(px); k++)
		rows.luma[k] = p[0].data + (y + k) * p[0].stride;
	for (u32 c = 1; c < px->num_planes; c++)
		rows.chroma[c - 1] =
			p[c].data + (size_t)(y >> px->shift) * p[c].stride;
	return rows;
}

/* Samples of a row of luma in whole vectors. */
static size_t
row_size(const struct pixels *px)
{
	return round_up(px->width, PLANE_UNIT);
}

static void
change_all(const struct pixels *px, const struct rgb_change *change)
{
	for (u32 y = 0; y < px->height; y += rows_per_step(px)) {
		const struct ycc_rows rows = rows_at(px, y);

		pixel_kernels()->rgb_change(&rows, change, row_size(px));
	}
}

static void
look_at_all(const struct pixels *px, struct rgb_look *look)
{
	look->width = px->width;
	for (u32 y = 0; y < px->height; y += rows_per_step(px)) {
		const struct ycc_rows rows = rows_at(px, y);

		look->num_rows = px->height - y;
		pixel_kernels()->rgb_look(&rows, look, row_size(px));
	}
}

/* ---- what depends on all pixels ------------------------------------------ */

static float
mean_grey(const struct pixels *px)
{
	struct rgb_look look = { .kind = RGB_SUM_GREY };

	look_at_all(px, &look);
	return (float)(look.sum / ((double)px->width * px->height));
}

static float
clamp(float x)
{
	return x <= 0 ? 0 : x >= 255 ? 255 : x;
}

static void
set_scale(struct rgb_change *change, u32 c, float factor, float offset)
{
	/* Between what 0 and 255 become, so x need not be clamped before. */
	const float a = offset, b = 255 * factor + offset;

	change->factor[c] = factor;
	change->offset[c] = offset;
	change->lo[c] = clamp(fminf(a, b));
	change->hi[c] = clamp(fmaxf(a, b));
}

static void
set_autocontrast(const struct pixels *px, struct rgb_change *change)
{
	struct rgb_look look = { .kind = RGB_LIMITS, .lo = { 255, 255, 255 } };

	look_at_all(px, &look);
	for (u32 c = 0; c < px->num_planes; c++) {
		const float lo = rintf(clamp(look.lo[c]));
		const float hi = rintf(clamp(look.hi[c]));
		const float factor = hi > lo ? 255 / (hi - lo) : 1;

		set_scale(change, c, factor, hi > lo ? -lo * factor : 0);
	}
}

/* Neighbours are often equal, and would wait for each other in one table. */
#define NUM_TABLES 4

struct histogram {
	u32 counts[NUM_TABLES][256];
};

static void
count_levels(struct histogram *h, const u8 *levels, u32 num)
{
	u32 x = 0;

	for (; x + 8 <= num; x += 8) {
		u64 eight;

		memcpy(&eight, levels + x, sizeof(eight));
		for (u32 k = 0; k < 8; k++)
			h->counts[k % NUM_TABLES][eight >> 8 * k & 255]++;
	}
	for (; x < num; x++)
		h->counts[0][levels[x]]++;
}

static void
count_all(const struct pixels *px, struct histogram histograms[3])
{
	const size_t size = row_size(px);
	struct rgb_look look = { .kind = RGB_LEVELS };

	for (u32 k = 0; k < 2; k++)
		for (u32 c = 0; c < 3; c++)
			look.levels[k][c] = px->levels + (3 * k + c) * size;
	for (u32 y = 0; y < px->height; y += rows_per_step(px)) {
		const struct ycc_rows rows = rows_at(px, y);
		const u32 num = min_u32(rows_per_step(px), px->height - y);

		pixel_kernels()->rgb_look(&rows, &look, size);
		for (u32 c = 0; c < px->num_planes; c++)
			for (u32 k = 0; k < num; k++)
				count_levels(&histograms[c], look.levels[k][c],
					     px->width);
	}
}

/*
 * What torchvision's equalize() makes of each level; false if it leaves them as
 * they are.
 */
static bool
equalize_table(float table[256], const struct histogram *h, u64 num)
{
	u64 counts[256] = { 0 };
	u64 last = 255, below = 0, step;

	for (u32 t = 0; t < NUM_TABLES; t++)
		for (u32 k = 0; k < 256; k++)
			counts[k] += h->counts[t][k];
	while (counts[last] == 0)
		last--;
	step = (num - counts[last]) / 255;
	for (u32 k = 0; k < 256 && step != 0; k++) {
		const u64 level = (below + step / 2) / step;

		table[k] = level < 255 ? (float)level : 255;
		below += counts[k];
	}
	return step != 0;
}

static void
do_equalize(const struct pixels *px)
{
	struct rgb_change change = { .kind = RGB_LOOK_UP };
	struct histogram histograms[3] = { 0 };
	const u64 num = (u64)px->width * px->height;
	float tables[3][256];

	count_all(px, histograms);
	for (u32 c = 0; c < px->num_planes; c++)
		if (equalize_table(tables[c], &histograms[c], num))
			change.table[c] = tables[c];
	change_all(px, &change);
}

/* ---- one pixel at a time ------------------------------------------------- */

/* Where the rounded x is at least t, x is at least this. */
static float
least_rounded_to(float t)
{
	const float whole = ceilf(t), half = whole - 0.5f;

	/* Halves are rounded to even numbers. */
	return fmodf(whole, 2) == 0 ? half : nextafterf(half, INFINITY);
}

static void
do_scale(const struct pixels *px, const struct dctload_op *op)
{
	struct rgb_change change = { .kind = RGB_SCALE };
	const float f = (float)op->p[0];
	const bool contrast = op->kind == DCTLOAD_OP_CONTRAST;
	const float offset = contrast ? (1 - f) * mean_grey(px) : 0;

	if (op->kind == DCTLOAD_OP_AUTOCONTRAST)
		set_autocontrast(px, &change);
	else
		for (u32 c = 0; c < px->num_planes; c++)
			set_scale(&change, c, f, offset);
	change_all(px, &change);
}

static void
do_point(const struct pixels *px, enum rgb_change_kind kind, float f)
{
	const struct rgb_change change = { .kind = kind, .f = f };

	change_all(px, &change);
}

/* ---- neighbours, and noise ------------------------------------------------ */

/* Channel 'c' of row 'y' in the ring. */
static float *
ring_row(const struct pixels *px, u32 y, u32 c)
{
	return px->rows + (y % RING_ROWS * 3 + c) * row_size(px);
}

/* RGB of the rows from 'y' on that share chroma, to the ring. */
static void
copy_rows(const struct pixels *px, u32 y)
{
	const struct ycc_rows rows = rows_at(px, y);
	struct rgb_look look = { .kind = RGB_COPY };

	for (u32 k = 0; k < rows_per_step(px); k++)
		for (u32 c = 0; c < px->num_planes; c++)
			look.copies[k][c] = ring_row(px, y + k, c);
	pixel_kernels()->rgb_look(&rows, &look, row_size(px));
}

static void
sharpen_row(const struct pixels *px, u32 y, u32 c, float f, float *out)
{
	const float *const row = ring_row(px, y, c);

	if (y == 0 || y + 1 >= px->height || px->width <= 2)
		memcpy(out, row, px->width * sizeof(*out)); /* all is edge */
	else
		pixel_kernels()->sharpen(out, ring_row(px, y - 1, c), row,
					 ring_row(px, y + 1, c), f, px->width);
}

/* Past the width, what is the last sample's. */
static void
repeat_last(const struct pixels *px, float *row)
{
	for (size_t x = px->width; x < row_size(px); x++)
		row[x] = row[px->width - 1];
}

static void
do_sharpness(const struct pixels *px, float f)
{
	const u32 step = rows_per_step(px);
	float *const out = px->rows + 3 * RING_ROWS * row_size(px);
	struct rgb_change change = { .kind = RGB_TAKE };

	copy_rows(px, 0);
	for (u32 y = 0; y < px->height; y += step) {
		const struct ycc_rows rows = rows_at(px, y);

		if (y + step < px->height)
			copy_rows(px, y + step);
		for (u32 k = 0; k < step; k++)
			for (u32 c = 0; c < px->num_planes; c++) {
				float *const row =
					out + (3 * k + c) * row_size(px);

				sharpen_row(px, y + k, c, f, row);
				repeat_last(px, row);
				change.rows[k][c] = row;
			}
		pixel_kernels()->rgb_change(&rows, &change, row_size(px));
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

static void
do_noise(const struct pixels *px, const struct dctload_op *op)
{
	const u32 step = rows_per_step(px);
	const size_t size = row_size(px);
	struct rgb_change change = {
		.kind = op->p[2] != 0 ? RGB_ADD_CLAMPED : RGB_ADD,
	};

	for (u32 y = 0; y < px->height; y += step) {
		const struct ycc_rows rows = rows_at(px, y);

		for (u32 c = 0; c < px->num_planes; c++) {
			const struct noise noise = {
				.key = mix64((u64)op->seed << 2 | c),
				.mean = (float)op->p[0],
				.sigma = (float)op->p[1],
			};

			for (u32 k = 0; k < step; k++) {
				/* A row past the last is that again. */
				const u32 from = min_u32(y + k, px->height - 1);
				float *const row =
					px->rows + (3 * k + c) * size;

				pixel_kernels()->normals(
					row, &noise,
					(u64)from * ceil_div_u32(px->width, 2),
					size);
				repeat_last(px, row);
				change.rows[k][c] = row;
			}
		}
		pixel_kernels()->rgb_change(&rows, &change, size);
	}
}

enum dctload_status
pixels_do_rgb(struct pixels *px, const struct dctload_op *op)
{
	const size_t size = row_size(px);

	/* Sharpening reads on past the last row, as far as a vector goes. */
	if (!grow((void **)&px->rows, &px->rows_capacity,
		  SCRATCH_ROWS * size + PLANE_UNIT, sizeof(*px->rows)) ||
	    !grow((void **)&px->levels, &px->levels_capacity, 2 * 3 * size,
		  sizeof(*px->levels)))
		return DCTLOAD_NO_MEMORY;
	/* Margins must be as their neighbours, of which they may be a mean. */
	for (u32 c = 0; c < px->num_planes; c++)
		plane_repeat_edges(&px->planes[c]);
	switch (op->kind) {
	case DCTLOAD_OP_SATURATION: /* a grey image is its own grey */
		do_point(px, RGB_BLEND_GREY, (float)op->p[0]);
		break;
	case DCTLOAD_OP_SHARPNESS:
		do_sharpness(px, (float)op->p[0]);
		break;
	case DCTLOAD_OP_POSTERIZE:
		do_point(px, RGB_POSTERIZE, (float)(1u << (8 - (u32)op->p[0])));
		break;
	case DCTLOAD_OP_SOLARIZE:
		do_point(px, RGB_SOLARIZE, least_rounded_to((float)op->p[0]));
		break;
	case DCTLOAD_OP_EQUALIZE:
		do_equalize(px);
		break;
	case DCTLOAD_OP_NOISE:
		do_noise(px, op);
		break;
	default:
		do_scale(px, op);
		break;
	}
	return DCTLOAD_OK;
}
