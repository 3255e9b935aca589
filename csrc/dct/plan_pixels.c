/* SPDX-License-Identifier: MIT */
/*
 * plan_pixels.c - a plan whose image goes through operations before it is emitted
 *
 * Its targets keep all their rows and frequencies ('hold'), at the size that the
 * steps give.  When they are complete the operations run, and what they leave is
 * emitted.
 */

#include "plan_impl.h"

static void
exchange(struct pixel_plane *plane, struct target *t)
{
	float *const data = plane->data;
	const size_t capacity = plane->capacity;

	plane->data = t->held;
	plane->capacity = t->held_capacity;
	t->held = data;
	t->held_capacity = capacity;
}

/*
 * What a target holds, as the plane of an image that lies upright.  Memory changes
 * hands where it need not be turned.  A target without sources is 0: its colour
 * was dropped.
 */
static void
plane_take(struct pixel_plane *plane, struct target *t, bool transpose)
{
	const u32 num_across = 8 * t->num_across, num_along = 8 * t->num_along;

	if (t->num_sources == 0) {
		memset(plane->data, 0,
		       plane->stride * round_up_8(plane->height) *
			       sizeof(*plane->data));
		return;
	}
	if (!transpose) {
		exchange(plane, t);
		plane->stride = t->stride;
		return;
	}
	for (u32 k = 0; k < num_across; k++)
		for (u32 n = 0; n < num_along; n++)
			plane->data[n * plane->stride + k] =
				t->held[k * t->stride + n];
}

/* Gains and offsets of 'color'; its matrix of chroma is in the sources. */
static void
plane_color(struct pixel_plane *plane, const struct dctload_color_map *color,
	    u32 c)
{
	const u32 num_rows = round_up_8(plane->height);
	const u32 num_cols = round_up_8(plane->width);
	const float *const gain = color->gain[c > 0];
	double sum = 0;
	float add;

	for (u32 y = 0; y < num_rows; y += 8)
		for (size_t x = 0; x < num_cols; x += 8)
			sum += plane->data[y * plane->stride + x];
	sum /= (double)num_rows * num_cols / BLOCK_COEFS;
	/* A level of 1 is an amplitude of 8. */
	add = c == 0 ? 8 * color->y_offset + color->y_mean * (float)sum :
		       8 * color->chroma_offset[c - 1];
	for (u32 y = 0; y < num_rows; y++) {
		float *const row = plane->data + y * plane->stride;

		for (size_t x = 0; x < num_cols; x++)
			row[x] *= gain[8 * (y % 8) + x % 8];
		for (size_t x = 0; x < num_cols && y % 8 == 0; x += 8)
			row[x] += add;
	}
}

/*
 * Emit component 'c', which a grey image lacks for c > 0.  Samples become
 * amplitudes on the way where the kernels can do that as they emit.
 */
static void
plane_emit(struct plan *plan, u32 c)
{
	const struct dct_kernels *const kernels = plan->kernels;
	const struct emission *const e = &plan->targets[c].emit;
	const struct pixel_plane *const plane = &plan->pixels.planes[c];
	const bool samples = plan->pixels.is_samples;
	const u32 rows = plan->out_rows >> (c > 0 ? plan->pixels.shift : 0);
	const u32 cols = plan->out_cols >> (c > 0 ? plan->pixels.shift : 0);

	for (u32 p = 0; p < rows; p++) {
		float *const row = plane->data + 8 * p * plane->stride;

		if (c >= plan->pixels.num_planes) {
			emit_row(e, p, NULL, 0, cols, 0);
			continue;
		}
		if (samples)
			kernels->dct_rows(row, plane->stride, 8 * cols);
		kernels->emit(e, p, row, plane->stride, cols, 8, samples);
	}
}

/* Whether plane_emit() can take samples. */
static bool
can_emit_samples(const struct plan *plan)
{
	const u32 shift = plan->pixels.shift;

	for (u32 c = 0; c < plan->pixels.num_planes; c++)
		if (!plan->kernels->can_factor ||
		    !plan->kernels->can_emit_samples(
			    &plan->targets[c].emit,
			    plan->out_cols >> (c > 0 ? shift : 0)))
			return false;
	return true;
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

/*
 * Factored operators come to samples before they come to amplitudes: stop there,
 * if that is what the operations begin with.
 */
void
plan_choose_form(struct plan *plan)
{
	bool samples = !plan->use_color &&
		       ops_begin_with_samples(plan->ops, plan->num_ops);

	for (u32 c = 0; c < 3; c++) {
		const struct target *const t = &plan->targets[c];

		if (t->num_sources != 0)
			samples = samples && t->along_factored &&
				  t->across_factored && !target_needs_fill(t);
	}
	for (u32 c = 0; c < 3; c++)
		plan->targets[c].hold_samples = samples;
}

enum dctload_status
plan_run_pixels(struct plan *plan)
{
	struct pixels *const px = &plan->pixels;
	const u32 num_planes = plan->info.num_components == 1 ? 1 : 3;
	enum dctload_status status;

	if (!pixels_begin(px, num_planes, plan->mid_width, plan->mid_height,
			  plan->chroma_shift, plan->targets[0].hold_samples))
		return DCTLOAD_NO_MEMORY;
	for (u32 c = 0; c < num_planes; c++) {
		plane_take(&px->planes[c], &plan->targets[c], plan->transpose);
		if (plan->use_color)
			plane_color(&px->planes[c], &plan->color, c);
	}
	status = pixels_run(px, plan->ops, plan->num_ops);
	if (px->is_samples && !can_emit_samples(plan))
		pixels_to_amplitudes(px);
	for (u32 c = 0; c < 3 && status == DCTLOAD_OK; c++)
		plane_emit(plan, c);
	/* The next image finds memory that is in cache. */
	for (u32 c = 0; c < num_planes && !plan->transpose; c++)
		if (plan->targets[c].num_sources != 0)
			exchange(&px->planes[c], &plan->targets[c]);
	return status;
}
