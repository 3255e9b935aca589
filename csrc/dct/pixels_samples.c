/* SPDX-License-Identifier: MIT */
/* pixels_samples.c - operations on samples of Y, Cb and Cr */

#include <math.h>

#include "pixel_kernels.h"
#include "pixels.h"
#include "resample.h"

enum warp_param { FILL = 6, BILINEAR = 9, BLEND, WIDTH, HEIGHT };

/* Positions in samples, in units of 2^-32; ops_check() keeps them below 2^30. */
#define FIXED 0x1p32
#define ONE ((s64)1 << 32)

struct fixed_row {
	s64 x, dx, y, dy;
};

/* Position of output sample 0 of row 'y' of plane 'c', in samples of it. */
static void
warp_start(const struct pixels *px, const double *p, u32 c, u32 y,
	   double at_ret[2])
{
	const double size = c == 0 ? 1 : 1 << px->shift;
	const double at_x = 0.5 * size, at_y = (y + 0.5) * size;

	at_ret[0] = (p[0] * at_x + p[1] * at_y + p[2]) / size;
	at_ret[1] = (p[3] * at_x + p[4] * at_y + p[5]) / size;
}

/* Cut [*first, *end) to where 0 <= x + i dx < limit. */
static void
cut_range(s64 x, s64 dx, s64 limit, s64 *first, s64 *end)
{
	s64 lo, hi;

	if (dx == 0) {
		if (x < 0 || x >= limit)
			*end = *first;
		return;
	}
	if (dx < 0) { /* the same of the mirrored axis */
		x = limit - 1 - x;
		dx = -dx;
	}
	/* Rounded up, where what is divided may be negative. */
	lo = x >= 0 ? 0 : (-x + dx - 1) / dx;
	hi = x >= limit ? 0 : (limit - x + dx - 1) / dx;
	*first = lo > *first ? lo : *first;
	*end = hi < *end ? hi : *end;
}

/*
 * Which samples of a row of 'num' look at positions from -shift up to width and
 * height less shift, as [*first_ret, *end_ret).
 */
static void
range_within(const struct fixed_row *at, s64 shift, s64 width, s64 height,
	     u32 num, u32 *first_ret, u32 *end_ret)
{
	s64 first = 0, end = num;

	cut_range(at->x + shift, at->dx, width, &first, &end);
	cut_range(at->y + shift, at->dy, height, &first, &end);
	*first_ret = first < end ? (u32)first : 0;
	*end_ret = first < end ? (u32)end : 0;
}

static void
look_up(float *out, const struct pixel_plane *in, const struct fixed_row *at,
	u32 first, u32 end)
{
	s64 x = at->x + first * at->dx, y = at->y + first * at->dy;
	const float *const data = in->data;
	const s64 stride = (s64)in->stride;

	if (at->dy == 0) {
		const float *const row = data + (y >> 32) * stride;

		/* A shear along x, or a move: a piece of a row. */
		if (at->dx == ONE)
			memcpy(out + first, row + (x >> 32),
			       (end - first) * sizeof(*out));
		else
			for (u32 i = first; i < end; i++, x += at->dx)
				out[i] = row[x >> 32];
		return;
	}
	for (u32 i = first; i < end; i++, x += at->dx, y += at->dy)
		out[i] = data[(y >> 32) * stride + (x >> 32)];
}

/* Two planes of one size, in one pass over the positions. */
static void
look_up_two(float *const out[2], const struct pixel_plane *in,
	    const struct fixed_row *at, u32 first, u32 end)
{
	s64 x = at->x + first * at->dx, y = at->y + first * at->dy;
	const float *const a = in[0].data, *const b = in[1].data;
	float *const out_a = out[0], *const out_b = out[1];
	const s64 stride = (s64)in->stride;

	for (u32 i = first; i < end; i++, x += at->dx, y += at->dy) {
		const s64 from = (y >> 32) * stride + (x >> 32);

		out_a[i] = a[from];
		out_b[i] = b[from];
	}
}

static void
warp_nearest_row(struct pixels *px, const double *p, u32 c, u32 num, u32 y)
{
	const struct pixel_plane *const in = &px->planes[c];
	const u32 width = px->spare[c].width;
	float *out[2] = { NULL };
	struct fixed_row at = { .dx = llrint(p[0] * FIXED),
				.dy = llrint(p[3] * FIXED) };
	double start[2];
	u32 first, end;

	/* The sample that covers a position is the nearest one. */
	warp_start(px, p, c, y, start);
	at.x = llrint(start[0] * FIXED);
	at.y = llrint(start[1] * FIXED);
	range_within(&at, 0, (s64)in->width << 32, (s64)in->height << 32, width,
		     &first, &end);
	for (u32 k = 0; k < num; k++) {
		const float black = c + k == 0 ? -128 : 0;
		const float fill =
			p[BLEND] != 0 ? (float)p[FILL + c + k] : black;

		out[k] = px->spare[c + k].data + y * px->spare[c + k].stride;
		for (u32 i = 0; i < first; i++)
			out[k][i] = fill;
		for (u32 i = end; i < width; i++)
			out[k][i] = fill;
	}
	if (num == 2 && at.dy != 0)
		look_up_two(out, in, &at, first, end);
	else
		for (u32 k = 0; k < num; k++)
			look_up(out[k], in + k, &at, first, end);
}

/* Between four samples, all of which are there. */
static void
interpolate(float *out, const struct pixel_plane *in,
	    const struct fixed_row *at, u32 first, u32 end)
{
	s64 x = at->x + first * at->dx, y = at->y + first * at->dy;
	const s64 stride = (s64)in->stride;

	for (u32 i = first; i < end; i++, x += at->dx, y += at->dy) {
		const float *const top =
			in->data + (y >> 32) * stride + (x >> 32);
		const float *const bottom = top + stride;
		/* 24 bits of the fraction are all that a float holds. */
		const float fx = (float)((s32)((u32)x >> 8)) * 0x1p-24f;
		const float fy = (float)((s32)((u32)y >> 8)) * 0x1p-24f;
		const float a = top[0] + fx * (top[1] - top[0]);
		const float b = bottom[0] + fx * (bottom[1] - bottom[0]);

		out[i] = a + fy * (b - a);
	}
}

/*
 * The middle of a row sees four samples everywhere, and its ends none at all;
 * what is between needs care, and is short.
 */
static void
warp_bilinear_row(struct pixels *px, const double *p, u32 c, u32 y)
{
	const struct pixel_plane *const in = &px->planes[c];
	const struct pixel_plane *const out = &px->spare[c];
	const s64 w = (s64)in->width << 32, h = (s64)in->height << 32;
	float *const row = out->data + y * out->stride;
	const float black = c == 0 ? -128 : 0;
	const float outside = p[BLEND] != 0 ? (float)p[FILL + c] : black;
	struct fixed_row at = { .dx = llrint(p[0] * FIXED),
				.dy = llrint(p[3] * FIXED) };
	struct warp_row edge = {
		.dx = (float)p[0],
		.dy = (float)p[3],
		.width = (float)in->width,
		.height = (float)in->height,
		.stride = in->stride,
		.fill = outside,
		.black = black,
		.blend = p[BLEND] != 0,
	};
	u32 some, some_end, all, all_end;
	double start[2];

	warp_start(px, p, c, y, start);
	at.x = llrint((start[0] - 0.5) * FIXED);
	at.y = llrint((start[1] - 0.5) * FIXED);
	range_within(&at, ONE, w + ONE, h + ONE, out->width, &some, &some_end);
	range_within(&at, 0, w - ONE, h - ONE, out->width, &all, &all_end);
	if (all == all_end)
		all = all_end = some_end;
	for (u32 i = 0; i < out->width; i++)
		if (i < some || i >= some_end)
			row[i] = outside;
	interpolate(row, in, &at, all, all_end);
	edge.x = (float)(start[0] - 0.5 + some * p[0]);
	edge.y = (float)(start[1] - 0.5 + some * p[3]);
	pixel_kernels()->warp_bilinear(row + some, in->data, &edge, all - some);
	edge.x = (float)(start[0] - 0.5 + all_end * p[0]);
	edge.y = (float)(start[1] - 0.5 + all_end * p[3]);
	pixel_kernels()->warp_bilinear(row + all_end, in->data, &edge,
				       some_end - all_end);
}

static enum dctload_status
do_warp(struct pixels *px, const double *p)
{
	const u32 width = (u32)p[WIDTH], height = (u32)p[HEIGHT];

	if (!planes_resize(px, px->spare, width, height))
		return DCTLOAD_NO_MEMORY;
	for (u32 c = 0; c < px->num_planes; c++)
		for (u32 y = 0; y < px->spare[c].height; y++) {
			if (p[BILINEAR] != 0)
				warp_bilinear_row(px, p, c, y);
			else if (c < 2) /* with chroma's other plane */
				warp_nearest_row(px, p, c, c + 1, y);
		}
	for (u32 c = 0; c < px->num_planes; c++) {
		const struct pixel_plane old = px->planes[c];

		px->planes[c] = px->spare[c];
		px->spare[c] = old;
	}
	px->width = width;
	px->height = height;
	return DCTLOAD_OK;
}

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
		return do_warp(px, op->p);
	if (op->kind == DCTLOAD_OP_ERASE)
		do_erase(px, op->p);
	else
		do_color(px, op->p);
	return DCTLOAD_OK;
}
