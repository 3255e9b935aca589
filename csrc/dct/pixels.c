/* SPDX-License-Identifier: MIT */
/* pixels.c - an image's memory and form, and its operations in turn */

#include <stdlib.h>

#include "kernels.h"
#include "pixel_kernels.h"
#include "pixels.h"
#include "resample.h"

/* Of a warp's output, and of what its map may multiply and add. */
#define WARP_MAX_SIZE (1u << 17)
#define WARP_MAX_FACTOR 2048
#define WARP_MAX_SHIFT (1u << 28)

/* 'stride' is at least the width in whole blocks. */
static bool
plane_resize(struct pixel_plane *plane, u32 width, u32 height, size_t stride)
{
	const size_t rows = round_up(height, MAX_LANES);

	/* Samples are looked up by 32 bits; this is 8 GB of them. */
	if (stride * rows > INT32_MAX)
		return false;
	/* Tiles may lie in it, and be emitted from there. */
	if (!grow_tiles(&plane->data, &plane->capacity, stride * rows))
		return false;
	plane->width = width;
	plane->height = height;
	plane->stride = stride;
	return true;
}

bool
planes_resize(const struct pixels *px, struct pixel_plane planes[3], u32 width,
	      u32 height)
{
	const size_t stride = round_up(width, PLANE_UNIT);

	for (u32 c = 0; c < px->num_planes; c++)
		if (!plane_resize(&planes[c], plane_size(px, c, width),
				  plane_size(px, c, height),
				  c == 0 ? stride : stride >> px->shift))
			return false;
	return true;
}

bool
pixels_begin(struct pixels *px, u32 num_planes, u32 width, u32 height,
	     u32 shift)
{
	px->num_planes = num_planes;
	px->width = width;
	px->height = height;
	px->shift = shift;
	px->tile_size = 0;
	return planes_resize(px, px->planes, width, height);
}

void
pixels_free(struct pixels *px)
{
	for (u32 c = 0; c < 3; c++) {
		free(px->planes[c].data);
		free(px->spare[c].data);
	}
	free(px->rows);
	free(px->levels);
}

void
plane_repeat_edges(struct pixel_plane *plane)
{
	const size_t width = plane->stride;
	const u32 height = round_up_8(plane->height);

	for (u32 y = 0; y < plane->height && width > plane->width; y++) {
		float *const row = plane->data + y * plane->stride;

		for (size_t x = plane->width; x < width; x++)
			row[x] = row[plane->width - 1];
	}
	for (u32 y = plane->height; y < height; y++)
		memcpy(plane->data + y * plane->stride,
		       plane->data + (y - 1) * plane->stride,
		       width * sizeof(*plane->data));
}

void
plane_to_samples(struct pixel_plane *plane)
{
	const struct pixel_kernels *const kernels = pixel_kernels();

	for (u32 y = 0; y < plane->height; y += 8)
		kernels->inverse(plane->data + y * plane->stride, plane->stride,
				 ceil_div_u32(plane->width, 8));
}

void
plane_to_amplitudes(struct pixel_plane *plane)
{
	const struct pixel_kernels *const kernels = pixel_kernels();

	plane_repeat_edges(plane);
	for (u32 y = 0; y < plane->height; y += 8)
		kernels->forward(plane->data + y * plane->stride, plane->stride,
				 ceil_div_u32(plane->width, 8));
}

static void
pixels_set_form(struct pixels *px, bool is_samples)
{
	for (u32 c = 0; c < px->num_planes && is_samples != px->is_samples; c++)
		if (is_samples)
			plane_to_samples(&px->planes[c]);
		else
			plane_to_amplitudes(&px->planes[c]);
	px->is_samples = is_samples;
}

/* ---- operations --------------------------------------------------------- */

enum op_form { ON_NOTHING, ON_SAMPLES, ON_RGB, ON_AMPLITUDES };

static enum op_form
op_form(const struct dctload_op *op)
{
	if (op->kind == DCTLOAD_OP_NONE)
		return ON_NOTHING;
	if (op->kind <= DCTLOAD_OP_COLOR)
		return ON_SAMPLES;
	return op->kind <= DCTLOAD_OP_NOISE ? ON_RGB : ON_AMPLITUDES;
}

bool
ops_begin_with_samples(const struct dctload_op *ops, u32 num_ops)
{
	return num_ops != 0 && op_form(&ops[0]) != ON_AMPLITUDES;
}

static bool
op_fits_tiles(const struct dctload_op *op, u32 width, u32 height,
	      bool transpose)
{
	if (op->kind == DCTLOAD_OP_WARP)
		return !transpose && warp_fits_tiles(op->p, width, height);
	return op_form(op) == ON_RGB && op->kind != DCTLOAD_OP_NOISE;
}

bool
ops_fit_tiles(const struct dctload_op *ops, u32 num_ops, u32 width, u32 height,
	      bool transpose)
{
	for (u32 k = 0; k < num_ops; k++)
		if (!op_fits_tiles(&ops[k], width, height, transpose))
			return false;
	return true;
}

enum dctload_status
pixels_run(struct pixels *px, const struct dctload_op *ops, u32 num_ops)
{
	enum dctload_status status = DCTLOAD_OK;

	for (u32 k = 0; k < num_ops && status == DCTLOAD_OK; k++) {
		const enum op_form form = op_form(&ops[k]);

		if (form != ON_NOTHING)
			pixels_set_form(px, form != ON_AMPLITUDES);
		if (form == ON_AMPLITUDES)
			pixels_do_amplitudes(px, &ops[k]);
		else if (form == ON_SAMPLES)
			status = pixels_do_samples(px, &ops[k]);
		else if (form == ON_RGB)
			status = pixels_do_rgb(px, &ops[k]);
	}
	return status;
}

static bool
in_range(double value, double lo, double hi)
{
	return value >= lo && value <= hi; /* false for NaN */
}

/* Positions must fit into 32 bits, see pixels_warp.c. */
static bool
warp_is_good(const double *p)
{
	bool good = in_range(p[11], 1, WARP_MAX_SIZE) &&
		    in_range(p[12], 1, WARP_MAX_SIZE);

	for (u32 k = 0; k < 6; k++) {
		const double most =
			k % 3 == 2 ? WARP_MAX_SHIFT : WARP_MAX_FACTOR;

		good = good && in_range(p[k], -most, most);
	}
	return good;
}

enum dctload_status
ops_check(const struct dctload_op *ops, u32 num_ops, u32 *width, u32 *height)
{
	if (num_ops > DCTLOAD_MAX_OPS)
		return DCTLOAD_BAD_ARGUMENT;
	for (u32 k = 0; k < num_ops; k++) {
		const struct dctload_op *const op = &ops[k];
		bool good = op->kind <= DCTLOAD_OP_DC_SOLARIZE_ADD;

		/* Larger numbers mean nothing, and must fit into floats. */
		for (u32 i = 0; i < DCTLOAD_OP_PARAMS; i++)
			good = good && in_range(op->p[i], -1e9, 1e9);
		if (op->kind == DCTLOAD_OP_WARP)
			good = good && warp_is_good(op->p);
		else if (op->kind == DCTLOAD_OP_POSTERIZE)
			good = good && in_range(op->p[0], 0, 8);
		else if (op->kind == DCTLOAD_OP_GAIN)
			good = good && in_range(op->p[12], 0, 3);
		else if (op->kind == DCTLOAD_OP_REQUANTIZE)
			good = good && in_range(op->p[0], 1, 100);
		else if (op->kind == DCTLOAD_OP_DC_POSTERIZE)
			good = good && op->p[0] > 0;
		if (!good)
			return DCTLOAD_BAD_ARGUMENT;
		if (op->kind == DCTLOAD_OP_WARP) {
			*width = (u32)op->p[11];
			*height = (u32)op->p[12];
		}
	}
	return DCTLOAD_OK;
}
