/* SPDX-License-Identifier: MIT */
/* pixels_samples.c - operations on samples of Y, Cb and Cr */

#include <math.h>

#include "pixel_kernels.h"
#include "pixels.h"
#include "resample.h"

/* A position in samples of plane 'c', inside it. */
static u32
edge_of(double at, u32 size, u32 shift)
{
	const double edge = rint(at / (1 << shift));

	return edge <= 0 ? 0 : edge >= size ? size : (u32)edge;
}

/* A rectangle of samples of a plane. */
struct box {
	u32 left, top, right, bottom;
};

static struct box
box_of(const struct pixels *px, const double *p, u32 c)
{
	const struct pixel_plane *const plane = &px->planes[c];
	const u32 shift = c == 0 ? 0 : px->shift;

	return (struct box){
		edge_of(p[0], plane->width, shift),
		edge_of(p[1], plane->height, shift),
		edge_of(p[2], plane->width, shift),
		edge_of(p[3], plane->height, shift),
	};
}

static void
do_erase(struct pixels *px, const double *p)
{
	for (u32 c = 0; c < px->num_planes; c++) {
		const struct pixel_plane *const plane = &px->planes[c];
		const struct box box = box_of(px, p, c);
		const float level = (float)p[4 + c];

		for (u32 y = box.top; y < box.bottom; y++) {
			float *const row = plane->data + y * plane->stride;

			for (u32 x = box.left; x < box.right; x++)
				row[x] = level;
		}
	}
}

/* JFIF's Y, Cb and Cr of R, G and B. */
static const float ycc_from_rgb[3][3] = {
	{ 0.299f, 0.587f, 0.114f },
	{ -0.168735892f, -0.331264108f, 0.5f },
	{ 0.5f, -0.418687589f, -0.081312411f },
};

/* Add component 'c' of RGB noise to samples [left, right) of a row. */
static void
add_noise(float *row, u32 left, u32 right, const float *const rgb[3], u32 c)
{
	const float *const m = ycc_from_rgb[c];

	for (u32 x = left; x < right; x++)
		row[x] +=
			m[0] * rgb[0][x] + m[1] * rgb[1][x] + m[2] * rgb[2][x];
}

/* In place: means of 2 x 2 samples of two rows. */
static void
halve(float *a, const float *b, size_t num)
{
	for (size_t x = 0; x < num; x++)
		a[x] = 0.25f *
		       (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]);
}

/* Noise of one row of luma, and past its end that of the last sample. */
static void
make_noise(const struct pixels *px, const struct dctload_op *op, u32 y,
	   float *const rgb[3])
{
	const size_t size = px->planes[0].stride;

	for (u32 c = 0; c < 3; c++) {
		const struct noise noise = {
			.key = noise_key(op->seed, c),
			.sigma = (float)op->p[7 + c],
		};

		pixel_kernels()->normals(rgb[c], &noise,
					 (u64)y * ceil_div_u32(px->width, 2),
					 size);
		for (size_t x = px->width; x < size; x++)
			rgb[c][x] = rgb[c][px->width - 1];
	}
}

/* Noise of every pixel; each component takes what lies in its own rectangle. */
static enum dctload_status
erase_with_noise(struct pixels *px, const struct dctload_op *op)
{
	const struct box luma = box_of(px, op->p, 0);
	const struct box chroma =
		box_of(px, op->p, px->num_planes == 1 ? 0 : 1);
	const u32 step = px->num_planes == 1 ? 1 : 1u << px->shift;
	const size_t size = px->planes[0].stride;
	const struct pixel_plane *const planes = px->planes;

	if (!grow((void **)&px->rows, &px->rows_capacity, 6 * size,
		  sizeof(*px->rows)))
		return DCTLOAD_NO_MEMORY;
	for (u32 s = min_u32(luma.top / step, chroma.top);
	     s < max_u32(ceil_div_u32(luma.bottom, step), chroma.bottom); s++) {
		float *rgb[2][3];

		for (u32 k = 0; k < step; k++) {
			const u32 y = s * step + k;

			for (u32 c = 0; c < 3; c++)
				rgb[k][c] = px->rows + (3 * k + c) * size;
			make_noise(px, op, min_u32(y, px->height - 1), rgb[k]);
			if (y >= luma.top && y < luma.bottom)
				add_noise(planes[0].data + y * planes[0].stride,
					  luma.left, luma.right,
					  (const float *const *)rgb[k], 0);
		}
		for (u32 c = 0; c < 3 && step == 2; c++)
			halve(rgb[0][c], rgb[1][c], size / 2);
		for (u32 c = 1; c < px->num_planes; c++)
			if (s >= chroma.top && s < chroma.bottom)
				add_noise(planes[c].data + s * planes[c].stride,
					  chroma.left, chroma.right,
					  (const float *const *)rgb[0], c);
	}
	return DCTLOAD_OK;
}

static float
plane_mean(const struct pixel_plane *plane)
{
	double sum = 0;

	for (u32 y = 0; y < plane->height; y++) {
		const float *const row = plane->data + y * plane->stride;
		float part = 0;

		for (u32 x = 0; x < plane->width; x++)
			part += row[x];
		sum += part;
	}
	return (float)(sum / ((double)plane->width * plane->height));
}

static void
do_color(struct pixels *px, const double *p)
{
	struct pixel_plane *const planes = px->planes;
	const float gain = (float)p[0];
	const float offset = (float)p[1] + (float)p[2] * plane_mean(&planes[0]);

	for (u32 y = 0; y < planes[0].height; y++) {
		float *const row = planes[0].data + y * planes[0].stride;

		for (u32 x = 0; x < planes[0].width; x++)
			row[x] = gain * row[x] + offset;
	}
	if (px->num_planes == 1)
		return;
	for (u32 y = 0; y < planes[1].height; y++) {
		float *const row[2] = {
			planes[1].data + y * planes[1].stride,
			planes[2].data + y * planes[2].stride,
		};

		for (u32 x = 0; x < planes[1].width; x++) {
			const float cb = row[0][x], cr = row[1][x];

			for (u32 k = 0; k < 2; k++)
				row[k][x] = (float)p[3 + 2 * k] * cb +
					    (float)p[4 + 2 * k] * cr +
					    (float)p[7 + k];
		}
	}
}

enum dctload_status
pixels_do_samples(struct pixels *px, const struct dctload_op *op)
{
	if (op->kind == DCTLOAD_OP_WARP)
		return pixels_warp(px, op->p);
	if (op->kind == DCTLOAD_OP_COLOR)
		do_color(px, op->p);
	else
		do_erase(px, op->p);
	return op->kind == DCTLOAD_OP_ERASE_RANDOM ? erase_with_noise(px, op) :
						     DCTLOAD_OK;
}
