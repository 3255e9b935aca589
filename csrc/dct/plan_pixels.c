/* SPDX-License-Identifier: MIT */
/*
 * plan_pixels.c - a plan whose image goes through operations before it is emitted
 *
 * Its targets keep all their rows and frequencies ('hold'), at the size that the
 * steps give.  When they are complete the operations run, and what they leave is
 * emitted.
 */

#include "plan_impl.h"

/* The amplitudes of a target, as the plane of an image that lies upright. */
static void
plane_take(struct pixel_plane *plane, const struct target *t, bool transpose)
{
	const u32 num_across = 8 * t->num_across, num_along = 8 * t->num_along;

	for (u32 k = 0; k < num_across; k++) {
		const float *const row = t->held + k * t->stride;

		if (!transpose) {
			memcpy(plane->data + k * plane->stride, row,
			       num_along * sizeof(*row));
			continue;
		}
		for (u32 n = 0; n < num_along; n++)
			plane->data[n * plane->stride + k] = row[n];
	}
}

/* Gains and offsets of 'color'; its matrix of chroma is in the sources. */
static void
plane_color(struct pixel_plane *plane, const struct dctload_color_map *color,
	    u32 c)
{
	const u32 num_rows = ceil_div_u32(plane->height, 8) * 8;
	const float *const gain = color->gain[c > 0];
	double sum = 0;
	float add;

	for (u32 y = 0; y < num_rows; y += 8)
		for (size_t x = 0; x < plane->stride; x += 8)
			sum += plane->data[y * plane->stride + x];
	sum /= (double)num_rows * (double)plane->stride / BLOCK_COEFS;
	/* A level of 1 is an amplitude of 8. */
	add = c == 0 ? 8 * color->y_offset + color->y_mean * (float)sum :
		       8 * color->chroma_offset[c - 1];
	for (u32 y = 0; y < num_rows; y++) {
		float *const row = plane->data + y * plane->stride;

		for (size_t x = 0; x < plane->stride; x++)
			row[x] *= gain[8 * (y % 8) + x % 8];
		for (size_t x = 0; x < plane->stride && y % 8 == 0; x += 8)
			row[x] += add;
	}
}

/* Emit component 'c', which a grey image lacks for c > 0. */
static void
plane_emit(const struct plan *plan, u32 c)
{
	const struct emission *const e = &plan->targets[c].emit;
	const struct pixel_plane *const plane = &plan->pixels.planes[c];
	const u32 rows = plan->out_rows >> (c > 0 ? plan->pixels.shift : 0);
	const u32 cols = plan->out_cols >> (c > 0 ? plan->pixels.shift : 0);

	for (u32 p = 0; p < rows; p++) {
		if (c >= plan->pixels.num_planes)
			emit_row(e, p, NULL, 0, cols, 0);
		else
			plan->kernels->emit(e, p,
					    plane->data + 8 * p * plane->stride,
					    plane->stride, cols, 8, false);
	}
}

/* Give 't' the emission of an image that lies upright, all frequencies known. */
void
target_set_pixels(struct target *t, const struct dctload_output *o, u32 c)
{
	t->hold = true;
	t->emit.num_channels = o->num_freqs[c];
	for (u32 k = 0; k < o->num_freqs[c]; k++) {
		t->emit.row_freq[k] = o->freqs[c][k] / 8;
		t->emit.col_freq[k] = o->freqs[c][k] % 8;
	}
}

enum dctload_status
plan_run_pixels(struct plan *plan)
{
	struct pixels *const px = &plan->pixels;
	const u32 num_planes = plan->targets[1].num_sources == 0 ? 1 : 3;
	enum dctload_status status;

	if (!pixels_begin(px, num_planes, plan->mid_width, plan->mid_height,
			  plan->chroma_shift))
		return DCTLOAD_NO_MEMORY;
	for (u32 c = 0; c < num_planes; c++) {
		plane_take(&px->planes[c], &plan->targets[c], plan->transpose);
		if (plan->use_color)
			plane_color(&px->planes[c], &plan->color, c);
	}
	status = pixels_run(px, plan->ops, plan->num_ops);
	for (u32 c = 0; c < 3 && status == DCTLOAD_OK; c++)
		plane_emit(plan, c);
	return status;
}
