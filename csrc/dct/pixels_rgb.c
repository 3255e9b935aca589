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

/* ---- where the samples are ------------------------------------------------ */

/* How many rows of luma go with one of chroma. */
static u32
rows_per_step(const struct pixels *px)
{
	return px->num_planes == 1 ? 1 : 1u << px->shift;
}

/* Samples of a row of luma in whole vectors. */
static size_t
row_size(const struct pixels *px)
{
	return px->planes[0].stride;
}

/* The image as strips of a row of chroma, or of a tile of it. */
static struct ycc_area
whole_area(const struct pixels *px)
{
	const struct pixel_plane *const p = px->planes;
	const u32 lanes = pixel_kernels()->lanes;
	const bool tiled = px->tile_size != 0;
	const size_t strip = tiled ? px->tile_size : p[0].stride;
	const u32 step = rows_per_step(px);
	struct ycc_area area = {
		.luma = p[0].data,
		.chroma = { p[0].data, p[0].data },
		.grey = px->num_planes == 1,
		.halved = step == 2,
		.other_half = tiled ? strip : lanes,
		.beside = tiled ? lanes : strip,
		.num_chroma = strip / step,
		.luma_step = strip * step,
		.chroma_step = strip / step,
	};

	area.num_strips =
		tiled ? (size_t)px->width * px->height / area.luma_step :
			ceil_div_u32(px->height, step);
	for (u32 c = 1; c < px->num_planes; c++)
		area.chroma[c - 1] = p[c].data;
	return area;
}

/* One of its strips. */
static struct ycc_area
strip_of(const struct ycc_area *whole, size_t number)
{
	struct ycc_area area = *whole;

	area.luma += number * area.luma_step;
	for (u32 c = 0; c < 2; c++)
		area.chroma[c] += number * area.chroma_step;
	area.num_strips = 1;
	return area;
}

static void
change_all(const struct pixels *px, const struct rgb_change *change)
{
	const struct ycc_area area = whole_area(px);

	pixel_kernels()->rgb_change(&area, change);
}

static void
look_at_all(const struct pixels *px, struct rgb_look *look)
{
	const struct ycc_area area = whole_area(px);

	if (px->tile_size == 0) {
		look->width = px->width;
		look->height = px->height;
	}
	pixel_kernels()->rgb_look(&area, look);
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
#define NUM_TABLES 8

/* Add how often there is each level. */
static void
count_levels(u32 counts[NUM_TABLES][256], const u8 *levels, size_t num)
{
	size_t x = 0;

	for (; x + 8 <= num; x += 8) {
		u64 eight;

		memcpy(&eight, levels + x, sizeof(eight));
		if (eight == (eight << 8 | eight >> 56)) {
			counts[0][eight & 255] += 8;
			continue;
		}
		for (u32 k = 0; k < 8; k++)
			counts[k][eight >> 8 * k & 255]++;
	}
	for (; x < num; x++)
		counts[0][levels[x]]++;
}

/* Without what rows have past the width. */
static void
count_image(const struct pixels *px, const u8 *levels, u64 counts[256])
{
	u32 tables[NUM_TABLES][256] = { 0 };

	if (px->tile_size != 0)
		count_levels(tables, levels, (size_t)px->width * px->height);
	for (u32 y = 0; y < px->height && px->tile_size == 0; y++)
		count_levels(tables, levels + y * row_size(px), px->width);
	for (u32 k = 0; k < 256; k++) {
		counts[k] = 0;
		for (u32 t = 0; t < NUM_TABLES; t++)
			counts[k] += tables[t][k];
	}
}

/*
 * What torchvision's equalize() makes of each level; false if it leaves them as
 * they are.
 */
static bool
equalize_table(u8 table[256], const u64 counts[256], u64 num)
{
	u64 last = 255, below = 0, step;

	while (counts[last] == 0)
		last--;
	step = (num - counts[last]) / 255;
	for (u32 k = 0; k < 256 && step != 0; k++) {
		const u64 level = (below + step / 2) / step;

		table[k] = level < 255 ? (u8)level : 255;
		below += counts[k];
	}
	return step != 0;
}

static enum dctload_status
do_equalize(struct pixels *px)
{
	const struct ycc_area area = whole_area(px);
	const size_t size = area.num_strips * area.luma_step;
	struct rgb_look look = { .kind = RGB_LEVELS };
	struct rgb_change change = { .kind = RGB_LEVELS_ARE };

	if (!grow((void **)&px->levels, &px->levels_capacity, 3 * size,
		  sizeof(*px->levels)))
		return DCTLOAD_NO_MEMORY;
	for (u32 c = 0; c < 3; c++)
		look.levels[c] = px->levels + c * size;
	pixel_kernels()->rgb_look(&area, &look);
	for (u32 c = 0; c < px->num_planes; c++) {
		u64 counts[256];
		u8 table[256];

		count_image(px, look.levels[c], counts);
		if (!equalize_table(table, counts, (u64)px->width * px->height))
			continue;
		pixel_kernels()->map_levels(look.levels[c], table, size);
		change.levels[c] = look.levels[c];
	}
	change_all(px, &change);
	return DCTLOAD_OK;
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
	return px->rows + (c * RING_ROWS + y % RING_ROWS) * row_size(px);
}

/* Past the width, what is the last sample's. */
static void
repeat_last(const struct pixels *px, float *row)
{
	for (size_t x = px->width; x < row_size(px); x++)
		row[x] = row[px->width - 1];
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
	repeat_last(px, out);
}

static void
do_sharpness(const struct pixels *px, float f)
{
	const struct ycc_area area = whole_area(px);
	const u32 step = rows_per_step(px);
	const size_t size = row_size(px);
	struct rgb_change change = { .kind = RGB_TAKE };
	float *out[3];

	if (px->tile_size != 0) {
		pixel_kernels()->sharpen_tiles(&area, px->rows, f);
		return;
	}
	for (u32 c = 0; c < 3; c++)
		change.rows[c] = out[c] =
			px->rows + (3 * RING_ROWS + 2 * c) * size;
	for (u32 s = 0; s <= area.num_strips; s++) {
		struct rgb_look look = { .kind = RGB_COPY };
		struct ycc_area strip = strip_of(&area, s);

		/* A strip is changed when the one after it has been copied. */
		for (u32 c = 0; c < px->num_planes; c++)
			look.copies[c] = ring_row(px, s * step, c);
		if (s < area.num_strips)
			pixel_kernels()->rgb_look(&strip, &look);
		if (s == 0)
			continue;
		for (u32 c = 0; c < px->num_planes; c++)
			for (u32 k = 0; k < step; k++)
				sharpen_row(px, (s - 1) * step + k, c, f,
					    out[c] + k * size);
		strip = strip_of(&area, s - 1);
		pixel_kernels()->rgb_change(&strip, &change);
	}
}

static void
do_noise(const struct pixels *px, const struct dctload_op *op)
{
	const struct ycc_area area = whole_area(px);
	const u32 step = rows_per_step(px);
	const size_t size = row_size(px);
	struct rgb_change change = {
		.kind = op->p[2] != 0 ? RGB_ADD_CLAMPED : RGB_ADD,
	};
	struct noise noise[3];

	for (u32 c = 0; c < 3; c++) {
		noise[c] = (struct noise){
			.key = noise_key(op->seed, c),
			.mean = (float)op->p[0],
			.sigma = (float)op->p[1],
		};
		change.rows[c] = px->rows + 2 * c * size;
	}
	for (u32 s = 0; s < area.num_strips; s++) {
		const struct ycc_area strip = strip_of(&area, s);

		for (u32 n = 0; n < px->num_planes * step; n++) {
			/* A row past the last is that again. */
			const u32 y =
				min_u32(s * step + n % step, px->height - 1);
			float *const row =
				px->rows + (n / step * 2 + n % step) * size;

			pixel_kernels()->normals(
				row, &noise[n / step],
				(u64)y * ceil_div_u32(px->width, 2), size);
			repeat_last(px, row);
		}
		pixel_kernels()->rgb_change(&strip, &change);
	}
}

enum dctload_status
pixels_do_rgb(struct pixels *px, const struct dctload_op *op)
{
	/* Sharpening reads on past the last row, as far as a vector goes. */
	const size_t in_rows = SCRATCH_ROWS * row_size(px) + PLANE_UNIT;
	/* A row of RGB along tiles: of a turned image that is as long as it is high. */
	const size_t in_tiles = 3 * px->tile_size / pixel_kernels()->lanes;

	if (!grow((void **)&px->rows, &px->rows_capacity,
		  in_rows > in_tiles ? in_rows : in_tiles, sizeof(*px->rows)))
		return DCTLOAD_NO_MEMORY;
	/* Margins must be as their neighbours, of which they may be a mean. */
	for (u32 c = 0; c < px->num_planes && px->tile_size == 0; c++)
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
		return do_equalize(px);
	case DCTLOAD_OP_NOISE:
		do_noise(px, op);
		break;
	default:
		do_scale(px, op);
		break;
	}
	return DCTLOAD_OK;
}
