/* SPDX-License-Identifier: MIT */
/* pixels.c - the forms of an image, and operations on samples */

#include <math.h>
#include <stdlib.h>

#include "pixel_kernels.h"
#include "pixels.h"
#include "resample.h"

static u32
round_up_8(u32 n)
{
	return ceil_div_u32(n, 8) * 8;
}

bool
plane_resize(struct pixel_plane *plane, u32 width, u32 height)
{
	const size_t stride = round_up_8(width);

	if (!grow((void **)&plane->data, &plane->capacity,
		  stride * round_up_8(height), sizeof(*plane->data)))
		return false;
	plane->width = width;
	plane->height = height;
	plane->stride = stride;
	return true;
}

static u32
plane_width(const struct pixels *px, u32 c, u32 width)
{
	return c == 0 ? width : ceil_div_u32(width, 1u << px->shift);
}

bool
pixels_begin(struct pixels *px, u32 num_planes, u32 width, u32 height,
	     u32 shift)
{
	px->num_planes = num_planes;
	px->width = width;
	px->height = height;
	px->shift = shift;
	px->form = PIXELS_AMPLITUDES;
	for (u32 c = 0; c < num_planes; c++)
		if (!plane_resize(&px->planes[c], plane_width(px, c, width),
				  plane_width(px, c, height)))
			return false;
	return true;
}

void
pixels_free(struct pixels *px)
{
	for (u32 c = 0; c < 3; c++) {
		free(px->planes[c].data);
		free(px->rgb[c].data);
		free(px->spare[c].data);
	}
	free(px->rows);
	free(px->levels);
}

/* Let the margin up to whole blocks repeat the last samples. */
static void
plane_repeat_edges(struct pixel_plane *plane)
{
	const u32 height = round_up_8(plane->height);

	for (u32 y = 0; y < plane->height; y++) {
		float *const row = plane->data + y * plane->stride;

		for (size_t x = plane->width; x < plane->stride; x++)
			row[x] = row[plane->width - 1];
	}
	for (u32 y = plane->height; y < height; y++)
		memcpy(plane->data + y * plane->stride,
		       plane->data + (y - 1) * plane->stride,
		       plane->stride * sizeof(*plane->data));
}

/* ---- from form to form ------------------------------------------------- */

static void
amplitudes_to_samples(struct pixels *px)
{
	const struct pixel_kernels *const kernels = pixel_kernels();

	for (u32 c = 0; c < px->num_planes; c++) {
		struct pixel_plane *const plane = &px->planes[c];

		for (u32 y = 0; y < plane->height; y += 8)
			kernels->inverse(plane->data + y * plane->stride,
					 plane->stride,
					 (u32)(plane->stride / 8));
	}
}

static void
samples_to_amplitudes(struct pixels *px)
{
	const struct pixel_kernels *const kernels = pixel_kernels();

	for (u32 c = 0; c < px->num_planes; c++) {
		struct pixel_plane *const plane = &px->planes[c];

		plane_repeat_edges(plane);
		for (u32 y = 0; y < plane->height; y += 8)
			kernels->forward(plane->data + y * plane->stride,
					 plane->stride,
					 (u32)(plane->stride / 8));
	}
}

/* Each sample of chroma, as often as it counts. */
static void
spread_row(float *out, const float *in, size_t num, u32 shift)
{
	if (shift == 0) {
		memcpy(out, in, num * sizeof(*out));
		return;
	}
	for (size_t i = 0; i < num / 2; i++)
		out[2 * i] = out[2 * i + 1] = in[i];
}

static enum dctload_status
samples_to_rgb(struct pixels *px)
{
	const struct pixel_kernels *const kernels = pixel_kernels();
	const struct pixel_plane *const luma = &px->planes[0];
	const u32 num_rows = round_up_8(px->height);
	const size_t num = luma->stride;
	float *cb, *cr;

	for (u32 c = 0; c < px->num_planes; c++)
		if (!plane_resize(&px->rgb[c], px->width, px->height))
			return DCTLOAD_NO_MEMORY;
	if (px->num_planes == 1) {
		memcpy(px->rgb[0].data, luma->data,
		       num * num_rows * sizeof(*luma->data));
		kernels->scale(px->rgb[0].data, 1, 128, num * num_rows);
		return DCTLOAD_OK;
	}
	if (!grow((void **)&px->rows, &px->rows_capacity, 2 * num,
		  sizeof(*px->rows)))
		return DCTLOAD_NO_MEMORY;
	cb = px->rows;
	cr = px->rows + num;
	for (u32 y = 0; y < num_rows; y++) {
		const u32 y_chroma = y >> px->shift;
		float *const rgb[3] = {
			px->rgb[0].data + y * num,
			px->rgb[1].data + y * num,
			px->rgb[2].data + y * num,
		};

		if (y_chroma << px->shift == y) {
			const struct pixel_plane *const p = px->planes;

			spread_row(cb, p[1].data + y_chroma * p[1].stride, num,
				   px->shift);
			spread_row(cr, p[2].data + y_chroma * p[2].stride, num,
				   px->shift);
		}
		kernels->to_rgb(rgb, luma->data + y * num, cb, cr, num);
	}
	return DCTLOAD_OK;
}

/* Means of pairs of columns of two rows. */
static void
mean_row(float *out, const float *a, const float *b, u32 num)
{
	for (u32 i = 0; i < num; i++)
		out[i] = 0.25f *
			 (a[2 * i] + a[2 * i + 1] + b[2 * i] + b[2 * i + 1]);
}

static enum dctload_status
rgb_to_samples(struct pixels *px)
{
	const struct pixel_kernels *const kernels = pixel_kernels();
	struct pixel_plane *const planes = px->planes;
	const u32 num_rows = round_up_8(px->height);
	const size_t num = planes[0].stride;
	float *rows;

	if (px->num_planes == 1) {
		for (size_t i = 0; i < num * num_rows; i++)
			planes[0].data[i] = px->rgb[0].data[i] - 128;
		return DCTLOAD_OK;
	}
	/* Two rows each of Cb and Cr. */
	if (!grow((void **)&px->rows, &px->rows_capacity, 4 * num,
		  sizeof(*px->rows)))
		return DCTLOAD_NO_MEMORY;
	rows = px->rows;
	for (u32 c = 0; c < 3; c++)
		plane_repeat_edges(&px->rgb[c]);
	for (u32 y = 0; y < num_rows; y++) {
		const u32 parity = px->shift == 0 ? 0 : y & 1;
		const u32 y_chroma = y >> px->shift;
		float *cb = rows + parity * num;
		float *cr = rows + (2 + parity) * num;

		if (px->shift == 0) {
			cb = planes[1].data + y * num;
			cr = planes[2].data + y * num;
		}
		kernels->from_rgb(planes[0].data + y * num, cb, cr,
				  px->rgb[0].data + y * num,
				  px->rgb[1].data + y * num,
				  px->rgb[2].data + y * num, num);
		if (parity == 0 || y_chroma >= planes[1].height)
			continue;
		for (u32 c = 1; c < 3; c++) {
			const float *const a = rows + (2 * c - 2) * num;

			mean_row(planes[c].data + y_chroma * planes[c].stride,
				 a, a + num, planes[c].width);
		}
	}
	return DCTLOAD_OK;
}

static enum dctload_status
pixels_to(struct pixels *px, enum pixel_form form)
{
	enum dctload_status status = DCTLOAD_OK;

	while (px->form != form && status == DCTLOAD_OK) {
		if (px->form == PIXELS_AMPLITUDES) {
			amplitudes_to_samples(px);
			px->form = PIXELS_SAMPLES;
		} else if (px->form == PIXELS_RGB) {
			status = rgb_to_samples(px);
			px->form = PIXELS_SAMPLES;
		} else if (form == PIXELS_RGB) {
			status = samples_to_rgb(px);
			px->form = PIXELS_RGB;
		} else {
			samples_to_amplitudes(px);
			px->form = PIXELS_AMPLITUDES;
		}
	}
	return status;
}

/* ---- operations on samples --------------------------------------------- */

enum warp_param { FILL = 6, BILINEAR = 9, BLEND, WIDTH, HEIGHT };

/* Where row 'y' of output plane 'c' looks, in samples of that plane. */
static struct warp_row
warp_row_of(const struct pixels *px, const double *p, u32 c, u32 y)
{
	const struct pixel_plane *const in = &px->planes[c];
	const double size = c == 0 ? 1 : 1 << px->shift;
	const double at_x = 0.5 * size, at_y = (y + 0.5) * size;

	return (struct warp_row){
		.x = (float)((p[0] * at_x + p[1] * at_y + p[2]) / size - 0.5),
		.dx = (float)p[0],
		.y = (float)((p[3] * at_x + p[4] * at_y + p[5]) / size - 0.5),
		.dy = (float)p[3],
		.width = (float)in->width,
		.height = (float)in->height,
		.stride = in->stride,
		.fill = (float)p[FILL + c],
		.black = c == 0 ? -128 : 0,
		.blend = p[BLEND] != 0,
	};
}

/* Planes 'c' to 'c' + num - 1, which are of one size. */
static void
warp_planes(struct pixels *px, const double *p, u32 c, u32 num)
{
	const struct pixel_kernels *const kernels = pixel_kernels();
	const size_t stride = px->spare[c].stride;

	for (u32 y = 0; y < px->spare[c].height; y++) {
		const struct warp_row w = warp_row_of(px, p, c, y);
		float *out[2] = { NULL }, fill[2] = { 0 };
		const float *in[2] = { NULL };

		for (u32 k = 0; k < num; k++) {
			out[k] = px->spare[c + k].data + y * stride;
			in[k] = px->planes[c + k].data;
			fill[k] = p[BLEND] != 0 ? (float)p[FILL + c + k] :
				  c + k == 0    ? -128.0f :
						  0.0f;
		}
		if (p[BILINEAR] == 0) {
			kernels->warp_nearest(out, in, num, &w, fill,
					      (u32 *)(void *)px->rows,
					      px->rows + stride, (u32)stride);
			continue;
		}
		for (u32 k = 0; k < num; k++) {
			struct warp_row of_plane = w;

			of_plane.fill = fill[k];
			kernels->warp_bilinear(out[k], in[k], &of_plane,
					       (u32)stride);
		}
	}
}

static enum dctload_status
do_warp(struct pixels *px, const double *p)
{
	const u32 width = (u32)p[WIDTH], height = (u32)p[HEIGHT];

	for (u32 c = 0; c < px->num_planes; c++)
		if (!plane_resize(&px->spare[c], plane_width(px, c, width),
				  plane_width(px, c, height)))
			return DCTLOAD_NO_MEMORY;
	if (!grow((void **)&px->rows, &px->rows_capacity,
		  2 * px->spare[0].stride, sizeof(*px->rows)))
		return DCTLOAD_NO_MEMORY;
	warp_planes(px, p, 0, 1);
	if (px->num_planes == 3)
		warp_planes(px, p, 1, 2);
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
	const float m[4] = { (float)p[3], (float)p[4], (float)p[5],
			     (float)p[6] };
	const float add[2] = { (float)p[7], (float)p[8] };
	const size_t num = planes[0].stride * round_up_8(planes[0].height);
	size_t num_chroma;

	for (size_t i = 0; i < num; i++)
		planes[0].data[i] = gain * planes[0].data[i] + offset;
	if (px->num_planes == 1)
		return;
	num_chroma = planes[1].stride * round_up_8(planes[1].height);
	for (size_t i = 0; i < num_chroma; i++) {
		const float cb = planes[1].data[i], cr = planes[2].data[i];

		planes[1].data[i] = m[0] * cb + m[1] * cr + add[0];
		planes[2].data[i] = m[2] * cb + m[3] * cr + add[1];
	}
}

/* ---- all operations ---------------------------------------------------- */

static enum pixel_form
form_of(u32 kind)
{
	if (kind <= DCTLOAD_OP_COLOR)
		return PIXELS_SAMPLES;
	return kind <= DCTLOAD_OP_NOISE ? PIXELS_RGB : PIXELS_AMPLITUDES;
}

enum dctload_status
pixels_run(struct pixels *px, const struct dctload_op *ops, u32 num_ops)
{
	for (u32 k = 0; k < num_ops; k++) {
		const struct dctload_op *const op = &ops[k];
		enum dctload_status status = DCTLOAD_OK;

		if (op->kind == DCTLOAD_OP_NONE)
			continue;
		status = pixels_to(px, form_of(op->kind));
		if (status != DCTLOAD_OK)
			return status;
		if (op->kind == DCTLOAD_OP_WARP)
			status = do_warp(px, op->p);
		else if (op->kind == DCTLOAD_OP_ERASE)
			do_erase(px, op->p);
		else if (op->kind == DCTLOAD_OP_COLOR)
			do_color(px, op->p);
		else if (px->form == PIXELS_RGB)
			status = pixels_do_rgb(px, op);
		else
			pixels_do_amplitudes(px, op);
		if (status != DCTLOAD_OK)
			return status;
	}
	return pixels_to(px, PIXELS_AMPLITUDES);
}

static bool
in_range(double value, double lo, double hi)
{
	return value >= lo && value <= hi; /* false for NaN */
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
		if (!good)
			return DCTLOAD_BAD_ARGUMENT;
		if (op->kind == DCTLOAD_OP_WARP) {
			good = in_range(op->p[WIDTH], 1, AXIS_MAX_SIZE) &&
			       in_range(op->p[HEIGHT], 1, AXIS_MAX_SIZE);
			*width = good ? (u32)op->p[WIDTH] : 0;
			*height = good ? (u32)op->p[HEIGHT] : 0;
		} else if (op->kind == DCTLOAD_OP_POSTERIZE) {
			good = in_range(op->p[0], 0, 8);
		} else if (op->kind == DCTLOAD_OP_REQUANTIZE) {
			good = in_range(op->p[0], 1, 100);
		} else if (op->kind == DCTLOAD_OP_DC_POSTERIZE) {
			good = op->p[0] > 0;
		}
		if (!good)
			return DCTLOAD_BAD_ARGUMENT;
	}
	return DCTLOAD_OK;
}
