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

static void
do_erase(struct pixels *px, const double *p)
{
	for (u32 c = 0; c < px->num_planes; c++) {
		struct pixel_plane *const plane = &px->planes[c];
		const u32 shift = c == 0 ? 0 : px->shift;
		const u32 left = edge_of(p[0], plane->width, shift);
		const u32 top = edge_of(p[1], plane->height, shift);
		const u32 right = edge_of(p[2], plane->width, shift);
		const u32 bottom = edge_of(p[3], plane->height, shift);

		for (u32 y = top; y < bottom; y++)
			for (u32 x = left; x < right; x++)
				plane->data[y * plane->stride + x] =
					(float)p[4 + c];
	}
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
	if (op->kind == DCTLOAD_OP_ERASE)
		do_erase(px, op->p);
	else
		do_color(px, op->p);
	return DCTLOAD_OK;
}
