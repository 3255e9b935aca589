/* SPDX-License-Identifier: MIT */
/* pixels_rgb.c - operations on RGB, as torchvision defines them for 8 bits */

#include <math.h>

#include "pixel_kernels.h"
#include "pixels.h"
#include "resample.h"

static size_t
plane_num_floats(const struct pixel_plane *plane)
{
	return plane->stride * ceil_div_u32(plane->height, 8) * 8;
}

/* The mean of grey, which is what contrast blends with. */
static float
grey_mean(const struct pixels *px)
{
	const struct pixel_kernels *const kernels = pixel_kernels();
	const struct pixel_plane *const rgb = px->rgb;
	const u32 last = px->num_planes - 1;
	double sum = 0;

	for (u32 y = 0; y < px->height; y++) {
		const size_t at = y * rgb[0].stride;

		sum += kernels->sum_grey(rgb[0].data + at,
					 rgb[last / 2].data + at,
					 rgb[last].data + at, px->width);
	}
	return (float)(sum / ((double)px->width * px->height));
}

static void
blend_all(struct pixels *px, float f, float offset)
{
	for (u32 c = 0; c < px->num_planes; c++)
		pixel_kernels()->scale(px->rgb[c].data, f, offset,
				       plane_num_floats(&px->rgb[c]));
}

/* A grey image is its own grey. */
static void
do_saturation(struct pixels *px, float f)
{
	float *const rgb[3] = { px->rgb[0].data, px->rgb[1].data,
				px->rgb[2].data };

	if (px->num_planes == 3)
		pixel_kernels()->blend_grey(rgb, f,
					    plane_num_floats(&px->rgb[0]));
}

static enum dctload_status
do_sharpness(struct pixels *px, float f)
{
	const size_t num = px->rgb[0].stride;
	float *above, *row;

	if (px->width <= 2 || px->height <= 2)
		return DCTLOAD_OK;
	if (!grow((void **)&px->rows, &px->rows_capacity, 2 * num,
		  sizeof(*px->rows)))
		return DCTLOAD_NO_MEMORY;
	above = px->rows;
	row = px->rows + num;
	for (u32 c = 0; c < px->num_planes; c++) {
		float *const data = px->rgb[c].data;

		/* Results replace rows that the next one still needs. */
		memcpy(above, data, num * sizeof(*data));
		for (u32 y = 1; y + 1 < px->height; y++) {
			float *const swap = above;

			memcpy(row, data + y * num, num * sizeof(*data));
			pixel_kernels()->sharpen(data + y * num, above, row,
						 data + (y + 1) * num, f,
						 px->width);
			above = row;
			row = swap;
		}
	}
	return DCTLOAD_OK;
}

static void
do_posterize(struct pixels *px, u32 bits)
{
	for (u32 c = 0; c < px->num_planes; c++)
		pixel_kernels()->posterize(px->rgb[c].data,
					   (float)(1u << (8 - bits)),
					   plane_num_floats(&px->rgb[c]));
}

static void
do_solarize(struct pixels *px, float threshold)
{
	for (u32 c = 0; c < px->num_planes; c++)
		pixel_kernels()->solarize(px->rgb[c].data, threshold,
					  plane_num_floats(&px->rgb[c]));
}

static void
do_autocontrast(struct pixels *px)
{
	for (u32 c = 0; c < px->num_planes; c++) {
		const struct pixel_plane *const plane = &px->rgb[c];
		float lo = 255, hi = 0, factor;

		for (u32 y = 0; y < px->height; y++)
			pixel_kernels()->min_max(plane->data +
							 y * plane->stride,
						 &lo, &hi, px->width);
		lo = rintf(lo);
		hi = rintf(hi);
		if (hi <= lo)
			continue;
		factor = 255 / (hi - lo);
		pixel_kernels()->scale(plane->data, factor, -lo * factor,
				       plane_num_floats(plane));
	}
}

/* What torchvision's equalize() makes of each level of one channel. */
static bool
equalize_table(const u8 *levels, u32 width, u32 height, size_t stride,
	       float table[256])
{
	/* Two histograms: neighbours are often equal, and would wait. */
	u32 counts[2][256] = { 0 };
	const u64 num = (u64)width * height;
	u64 last = 255, step, below = 0;

	for (u32 y = 0; y < height; y++) {
		const u8 *const row = levels + y * stride;
		u32 x = 0;

		for (; x + 1 < width; x += 2) {
			counts[0][row[x]]++;
			counts[1][row[x + 1]]++;
		}
		if (x < width)
			counts[0][row[x]]++;
	}
	for (u32 k = 0; k < 256; k++)
		counts[0][k] += counts[1][k];
	while (counts[0][last] == 0)
		last--;
	step = (num - counts[0][last]) / 255;
	if (step == 0)
		return false;
	for (u32 k = 0; k < 256; k++) {
		const u64 level = (below + step / 2) / step;

		table[k] = level < 255 ? (float)level : 255;
		below += counts[0][k];
	}
	return true;
}

static enum dctload_status
do_equalize(struct pixels *px)
{
	const size_t num = plane_num_floats(&px->rgb[0]);

	if (!grow((void **)&px->levels, &px->levels_capacity, num,
		  sizeof(*px->levels)))
		return DCTLOAD_NO_MEMORY;
	for (u32 c = 0; c < px->num_planes; c++) {
		float *const data = px->rgb[c].data;
		float table[256];

		pixel_kernels()->levels(px->levels, data, num);
		if (!equalize_table(px->levels, px->width, px->height,
				    px->rgb[c].stride, table))
			continue;
		for (size_t i = 0; i < num; i++)
			data[i] = table[px->levels[i]];
	}
	return DCTLOAD_OK;
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
do_noise(struct pixels *px, const struct dctload_op *op)
{
	const float mean = (float)op->p[0], sigma = (float)op->p[1];

	for (u32 c = 0; c < px->num_planes; c++) {
		const struct pixel_plane *const plane = &px->rgb[c];
		u64 place = mix64((u64)op->seed << 2 | c);

		for (u32 y = 0; y < px->height; y++) {
			float *const row = plane->data + y * plane->stride;

			/* The margin makes room for the last pair. */
			for (u32 x = 0; x < px->width; x += 2) {
				float pair[2];

				normal_pair(mix64(place), pair);
				place += 0x9E3779B97F4A7C15;
				row[x] += mean + sigma * pair[0];
				row[x + 1] += mean + sigma * pair[1];
			}
		}
		if (op->p[2] != 0)
			pixel_kernels()->scale(plane->data, 1, 0,
					       plane_num_floats(plane));
	}
}

enum dctload_status
pixels_do_rgb(struct pixels *px, const struct dctload_op *op)
{
	const float f = (float)op->p[0];
	enum dctload_status status = DCTLOAD_OK;

	switch (op->kind) {
	case DCTLOAD_OP_BRIGHTNESS:
		blend_all(px, f, 0);
		break;
	case DCTLOAD_OP_CONTRAST:
		blend_all(px, f, (1 - f) * grey_mean(px));
		break;
	case DCTLOAD_OP_SATURATION:
		do_saturation(px, f);
		break;
	case DCTLOAD_OP_SHARPNESS:
		status = do_sharpness(px, f);
		break;
	case DCTLOAD_OP_POSTERIZE:
		do_posterize(px, (u32)op->p[0]);
		break;
	case DCTLOAD_OP_SOLARIZE:
		do_solarize(px, f);
		break;
	case DCTLOAD_OP_AUTOCONTRAST:
		do_autocontrast(px);
		break;
	case DCTLOAD_OP_EQUALIZE:
		status = do_equalize(px);
		break;
	default:
		do_noise(px, op);
		break;
	}
	return status;
}
