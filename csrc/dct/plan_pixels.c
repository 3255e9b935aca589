/* SPDX-License-Identifier: MIT */
/*
 * plan_pixels.c - a plan whose image goes through operations before it is emitted
 *
 * Its targets have the size that the steps give.  Instead of being emitted, their
 * tiles are put together to the planes that the operations work on.  When these
 * are complete the operations run, and what they leave is cut into tiles again,
 * which are emitted.
 */

#include "pixel_kernels.h"
#include "plan_impl.h"

/*
 * All tiles must be whole, as there is no telling what is in the rest of one, and from
 * the first operation on those of the output.
 */
static bool
fits_tiles(const struct plan *plan, const struct dctload_geometry *g,
	   const struct dctload_output *o)
{
	const u32 across = g->transpose != 0 ? o->width : o->height;
	const u32 least = o->layout == DCTLOAD_PLANES ? across / 2 : across;

	return g->use_color == 0 && plan->pixels.width == o->width &&
	       plan->pixels.height == o->height &&
	       ops_fit_tiles(g->ops, g->num_ops, o->width, o->height,
			     g->transpose != 0) &&
	       pixel_kernels()->lanes == plan->kernels->lanes &&
	       least % plan->kernels->lanes == 0;
}

enum dctload_status
plan_set_ops(struct plan *plan, const struct dctload_geometry *g,
	     const struct dctload_output *o)
{
	const struct dctload_info *const info = &plan->info;
	const bool tr = g->transpose != 0;
	u32 width, height;

	plan->num_ops = g->num_ops;
	plan->in_tiles = false;
	if (g->num_ops == 0)
		return DCTLOAD_OK;
	memcpy(plan->ops, g->ops, g->num_ops * sizeof(g->ops[0]));
	plan->use_color = g->use_color != 0;
	plan->color = g->color;
	plan->transpose = tr;
	plan->out_rows = o->height / 8;
	width = steps_out_size(g->x, g->num_x, tr ? info->height : info->width);
	height =
		steps_out_size(g->y, g->num_y, tr ? info->width : info->height);
	if (!pixels_begin(&plan->pixels, info->num_components == 1 ? 1 : 3,
			  width, height, o->layout == DCTLOAD_PLANES ? 1 : 0) ||
	    !grow_tiles(&plan->samples, &plan->samples_capacity,
			(size_t)o->width * plan->kernels->lanes))
		return DCTLOAD_NO_MEMORY;
	plan->in_tiles = fits_tiles(plan, g, o);
	if (plan->in_tiles)
		plan->pixels.tile_size = (size_t)plan->kernels->lanes *
					 (tr ? o->height : o->width);
	return DCTLOAD_OK;
}

float *
plan_tile(const struct plan *plan, const struct target *t, u32 tile)
{
	const u32 c = (u32)(t - plan->targets);

	return plan->in_tiles && c < plan->pixels.num_planes ?
		       plan->pixels.planes[c].data +
			       tile * tile_samples(plan, t) :
		       NULL;
}

void
target_set_pixels(const struct plan *plan, struct target *t,
		  struct target_spec *spec)
{
	const u32 width = plan->pixels.width, height = plan->pixels.height;
	const bool tr = plan->transpose;

	spec->transpose = tr;
	spec->out_along = ratio_size(tr ? height : width, spec->along);
	spec->out_across = ratio_size(tr ? width : height, spec->across);
	t->num_along = ceil_div_u32(spec->out_along, 8);
	t->num_across = ceil_div_u32(spec->out_across, 8);
}

void
plan_keep_tile(struct plan *plan, const struct target *t, u32 tile,
	       const float *samples)
{
	const u32 lanes = plan->kernels->lanes;
	const u32 first = tile_first(plan, tile);
	const size_t nbytes =
		(tile_end(plan, t, tile) - first) * 8 * sizeof(*samples);
	const u32 c = (u32)(t - plan->targets);
	struct pixel_plane *const plane = &plan->pixels.planes[c];

	if (c >= plan->pixels.num_planes)
		return;
	if (!plan->transpose) {
		plan->kernels->untile(plane->data + 8 * first * plane->stride,
				      plane->stride, samples, t->num_along);
		return;
	}
	/* A tile of a turned image lies as the upright one does. */
	for (u32 y = 0; y < 8 * t->num_along; y++)
		memcpy(plane->data + y * plane->stride + 8 * (size_t)first,
		       samples + (size_t)y * lanes, nbytes);
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

/* Emit component 'c', which a grey image lacks for c > 0. */
static void
plane_emit(struct plan *plan, u32 c)
{
	const struct dct_kernels *const kernels = plan->kernels;
	struct emission *const e = &plan->targets[c].emit;
	const struct pixels *const px = &plan->pixels;
	const struct pixel_plane *const plane = &px->planes[c];
	const u32 num_rows = plan->out_rows >> (c > 0 ? px->shift : 0);
	const u32 rows_per_tile = kernels->lanes / 8;

	e->dct_along = e->dct_across = px->is_samples;
	emission_set_factor(e);
	for (u32 p = 0; p < num_rows; p += rows_per_tile) {
		if (c < px->num_planes)
			kernels->tile(plan->samples,
				      plane->data + 8 * p * plane->stride,
				      plane->stride, e->num_cols);
		else
			memset(plan->samples, 0,
			       e->num_cols * 8 * kernels->lanes *
				       sizeof(*plan->samples));
		kernels->emit(e, p, min_u32(rows_per_tile, num_rows - p),
			      plan->samples);
	}
}

/* Bring all planes to the form that the operations begin with. */
static void
planes_set_form(struct plan *plan)
{
	struct pixels *const px = &plan->pixels;

	px->is_samples = !plan->use_color &&
			 ops_begin_with_samples(plan->ops, plan->num_ops);
	for (u32 c = 0; c < px->num_planes; c++) {
		struct pixel_plane *const plane = &px->planes[c];
		const bool is_samples = plan->targets[c].emit.dct_along;

		if (px->is_samples && !is_samples)
			plane_to_samples(plane);
		else if (is_samples && !px->is_samples)
			plane_to_amplitudes(plane);
	}
}

static void
emit_tiles(struct plan *plan, const struct target *t)
{
	for (u32 tile = 0; tile < t->num_tiles; tile++) {
		const u32 first = tile_first(plan, tile);

		plan->kernels->emit(&t->emit, first,
				    tile_end(plan, t, tile) - first,
				    plan_tile(plan, t, tile));
	}
}

static enum dctload_status
run_in_tiles(struct plan *plan)
{
	struct pixels *const px = &plan->pixels;
	enum dctload_status status;

	px->is_samples = true;
	status = pixels_run(px, plan->ops, plan->num_ops);
	for (u32 c = 0; c < px->num_planes && status == DCTLOAD_OK; c++) {
		plan_stage(plan, &plan->targets[c]);
		emit_tiles(plan, &plan->targets[c]);
		plan_unstage(plan, &plan->targets[c]);
	}
	return status;
}

enum dctload_status
plan_run_pixels(struct plan *plan)
{
	struct pixels *const px = &plan->pixels;
	enum dctload_status status;

	if (plan->in_tiles)
		return run_in_tiles(plan);
	planes_set_form(plan);
	for (u32 c = 0; c < px->num_planes && plan->use_color; c++)
		plane_color(&px->planes[c], &plan->color, c);
	status = pixels_run(px, plan->ops, plan->num_ops);
	for (u32 c = 0; c < 3 && status == DCTLOAD_OK; c++) {
		plan_stage(plan, &plan->targets[c]);
		plane_emit(plan, c);
		plan_unstage(plan, &plan->targets[c]);
	}
	return status;
}
