/* SPDX-License-Identifier: MIT */
/* plan_begin.c - from geometry and output to operators, sources and memory */

#include "../jpeg/window.h"
#include "plan_impl.h"

/* The operator of 'key', kept from before or built in the oldest place. */
static enum dctload_status
plan_axis(struct plan *plan, const struct axis_key *key,
	  const struct axis_op **op_ret)
{
	struct axis_op *oldest = &plan->axes[0];
	enum dctload_status status;

	for (u32 k = 0; k < NUM_AXES; k++) {
		struct axis_op *const op = &plan->axes[k];

		/* Most often it is another crop, so that differs first. */
		if (op->valid &&
		    op->key.steps[0].start == key->steps[0].start &&
		    memcmp(&op->key, key, sizeof(*key)) == 0) {
			op->last_use = plan->num_begun;
			*op_ret = op;
			return DCTLOAD_OK;
		}
		if (op->last_use < oldest->last_use)
			oldest = op;
	}
	status = axis_build(oldest, &plan->taps, key);
	oldest->last_use = plan->num_begun;
	*op_ret = oldest;
	return status;
}

/*
 * How many tiles of 'src' must be kept, so that a row of blocks finds all that
 * it reaches: tiles follow each other, and each is taken out in its turn.
 */
static u32
ring_tiles_needed(const struct plan *plan, const struct target *t,
		  const struct source *src)
{
	u32 needed = 1, next = 0;

	if (t->num_sources > 1)
		return t->num_tiles; /* rows come in unequal steps: keep all */
	for (u32 k = 0; k < t->num_tiles; k++) {
		u32 first;
		const u32 end =
			tile_span(plan, t, src, target_tile(t, k), &first);

		/* Rows before 'end' come while tile k waits. */
		for (; next < t->num_tiles; next++) {
			tile_span(plan, t, src, target_tile(t, next), &first);
			if (first >= end)
				break;
		}
		needed = max_u32(needed, next > k ? next - k : 0);
	}
	return needed;
}

static void
axis_key_set(struct axis_key *key, const struct dctload_step *steps,
	     u32 num_steps, u32 luma_size, struct ratio in, struct ratio out,
	     u32 out_size)
{
	memset(key, 0, sizeof(*key));
	for (u32 k = 0; k < num_steps; k++) {
		/* Member by member: padding must stay zero. */
		key->steps[k].lo = steps[k].lo;
		key->steps[k].hi = steps[k].hi;
		key->steps[k].start = steps[k].start;
		key->steps[k].step = steps[k].step;
		key->steps[k].out_size = steps[k].out_size;
		key->steps[k].filter = steps[k].filter;
	}
	key->num_steps = num_steps;
	key->luma_size = luma_size;
	key->in_size = ratio_size(luma_size, in);
	key->in = in;
	key->out = out;
	key->out_size = out_size;
}

/* Both axes of component 'c'. */
static void
axis_keys_set(struct axis_key *along, struct axis_key *across,
	      const struct dctload_info *info, const struct dctload_geometry *g,
	      const struct target_spec *spec, u32 c)
{
	const struct dctload_component *const comp = &info->components[c];
	const bool tr = spec->transpose;

	axis_key_set(along, tr ? g->y : g->x, tr ? g->num_y : g->num_x,
		     info->width, (struct ratio){ comp->h, info->h_max },
		     spec->along, spec->out_along);
	axis_key_set(across, tr ? g->x : g->y, tr ? g->num_x : g->num_y,
		     info->height, (struct ratio){ comp->v, info->v_max },
		     spec->across, spec->out_across);
}

/* Have 'src' take component 'c' with 'weight' too. */
static void
source_add_part(const struct dctload_info *info, struct source *src, u32 c,
		float weight)
{
	struct part *const part = &src->parts[src->num_parts++];

	part->component = c;
	for (u32 k = 0; k < BLOCK_COEFS; k++)
		part->dequant[k] = (float)info->qtables[c][k] * weight;
}

/*
 * Find the operators of a source for component 'c' of the file.  Operations take
 * samples or amplitudes, but nothing in between: both axes copy, or neither.
 */
static enum dctload_status
source_set_axes(struct plan *plan, struct source *src, struct target *t,
		const struct dctload_geometry *g,
		const struct target_spec *spec, u32 c)
{
	bool may_copy = spec->one_source && !plan->in_tiles;
	struct axis_key along, across;

	axis_keys_set(&along, &across, &plan->info, g, spec, c);
	for (;; may_copy = false) {
		enum dctload_status status;

		along.may_copy = across.may_copy = may_copy;
		status = plan_axis(plan, &along, &src->along);
		if (status == DCTLOAD_OK)
			status = plan_axis(plan, &across, &src->across);
		if (status != DCTLOAD_OK)
			return status;
		if (plan->num_ops == 0 ||
		    src->along->copies == src->across->copies)
			break;
	}
	t->emit.dct_along = !src->along->copies;
	t->emit.dct_across = !src->across->copies;
	return DCTLOAD_OK;
}

/* Whether the components that have a weight are sampled alike. */
static bool
equal_sampling(const struct dctload_info *info,
	       const float weights[DCTLOAD_MAX_COMPONENTS])
{
	const struct dctload_component *first = NULL;

	for (u32 c = 0; c < info->num_components; c++) {
		const struct dctload_component *const comp =
			&info->components[c];

		if (weights[c] == 0)
			continue;
		if (first != NULL &&
		    (comp->h != first->h || comp->v != first->v))
			return false;
		first = comp;
	}
	return true;
}

/* Target 't' is the sum of the file's components with these weights. */
enum dctload_status
target_set_sources(struct plan *plan, struct target *t,
		   const struct dctload_geometry *g,
		   const struct target_spec *spec,
		   const float weights[DCTLOAD_MAX_COMPONENTS])
{
	const struct dctload_info *const info = &plan->info;

	t->num_sources = 0;
	for (u32 c = 0; c < info->num_components; c++) {
		enum dctload_status status;
		struct source *src = NULL;

		if (weights[c] == 0)
			continue;
		for (u32 s = 0; s < t->num_sources && src == NULL; s++) {
			const u32 first = t->sources[s].parts[0].component;

			if (info->components[first].h ==
				    info->components[c].h &&
			    info->components[first].v == info->components[c].v)
				src = &t->sources[s];
		}
		if (src == NULL) {
			src = &t->sources[t->num_sources++];
			src->num_parts = 0;
			status = source_set_axes(plan, src, t, g, spec, c);
			if (status != DCTLOAD_OK)
				return status;
		}
		source_add_part(info, src, c, weights[c]);
	}
	return DCTLOAD_OK;
}

/* Which amplitude each channel is; most often what it was in the sample before. */
void
target_set_channels(struct target *t, const struct target_spec *spec)
{
	struct emission *const e = &t->emit;
	u8 v[BLOCK_COEFS], u[BLOCK_COEFS];
	const size_t n = spec->num_freqs;

	for (size_t k = 0; k < n; k++) {
		v[k] = spec->freqs[k] / 8;
		u[k] = spec->freqs[k] % 8;
	}
	if (e->num_channels == n &&
	    memcmp(e->row_freq, spec->transpose ? u : v, n) == 0 &&
	    memcmp(e->col_freq, spec->transpose ? v : u, n) == 0)
		return;
	e->num_channels = (u32)n;
	memcpy(e->row_freq, spec->transpose ? u : v, n);
	memcpy(e->col_freq, spec->transpose ? v : u, n);
	emission_sort(e);
}

/* Room for the tiles of 'src'. */
static bool
source_grow(struct plan *plan, const struct target *t, struct source *src)
{
	const u32 lanes = plan->kernels->lanes;
	const u32 num_vecs = ceil_div_u32(
		8 * (src->along->end_in - src->along->first_in), lanes);

	src->stride = (size_t)num_vecs * lanes;
	src->next_row = src->across->first_in;
	src->ring_tiles = ring_tiles_needed(plan, t, src);
	return grow((void **)&src->ring, &src->ring_capacity,
		    src->ring_tiles * lanes * src->stride + 1,
		    sizeof(*src->ring)) &&
	       grow((void **)&plan->out, &plan->out_capacity, 8 * t->num_across,
		    sizeof(*plan->out));
}

/* Everything but the sources and the way out is known: take memory. */
enum dctload_status
target_finish(struct plan *plan, struct target *t)
{
	emission_set_factor(&t->emit);
	t->num_done = 0;
	t->num_tiles = ceil_div_u32(8 * t->num_across, plan->kernels->lanes);
	t->backwards = t->num_sources != 0 && t->sources[0].across->backwards;
	for (u32 s = 0; s < t->num_sources; s++)
		if (!source_grow(plan, t, &t->sources[s]))
			return DCTLOAD_NO_MEMORY;
	if (!grow_tiles(&plan->samples, &plan->samples_capacity,
			tile_samples(plan, t)))
		return DCTLOAD_NO_MEMORY;
	if (t->mean_weight != 0 &&
	    !grow_tiles(&t->held, &t->held_capacity,
			t->num_tiles * tile_samples(plan, t)))
		return DCTLOAD_NO_MEMORY;
	return DCTLOAD_OK;
}

/* The size in luma samples after the steps of an axis. */
u32
steps_out_size(const struct dctload_step *steps, u32 num_steps, u32 size)
{
	return num_steps == 0 ? size : steps[num_steps - 1].out_size;
}

static bool
freqs_valid(const u8 *freqs, u32 n)
{
	if (n > BLOCK_COEFS)
		return false;
	for (u32 k = 0; k < n; k++)
		if (freqs[k] >= BLOCK_COEFS)
			return false;
	return true;
}

enum dctload_status
plan_check(const struct dctload_info *info, const struct dctload_geometry *g)
{
	enum dctload_status status = DCTLOAD_OK;

	if (info->num_components == 0 ||
	    info->num_components > DCTLOAD_MAX_COMPONENTS)
		return DCTLOAD_BAD_ARGUMENT;
	for (u32 c = 0; c < info->num_components; c++)
		if (info->components[c].h == 0 || info->components[c].v == 0 ||
		    info->components[c].h > info->h_max ||
		    info->components[c].v > info->v_max)
			return DCTLOAD_BAD_ARGUMENT;
	if (info->width == 0 || info->height == 0)
		return DCTLOAD_BAD_ARGUMENT;
	status = axis_check_steps(g->x, g->num_x);
	return status != DCTLOAD_OK ? status : axis_check_steps(g->y, g->num_y);
}

static enum dctload_status
output_check(const struct dctload_info *info, const struct dctload_geometry *g,
	     const struct dctload_output *o)
{
	const u32 unit = o->layout == DCTLOAD_PLANES ? 16 : 8;
	u32 w = g->transpose != 0 ? info->height : info->width;
	u32 h = g->transpose != 0 ? info->width : info->height;

	if (o->layout > DCTLOAD_CONCAT || o->dtype > DCTLOAD_I8 ||
	    o->width == 0 || o->height == 0 || o->width % unit != 0 ||
	    o->height % unit != 0)
		return DCTLOAD_BAD_ARGUMENT;
	for (u32 c = 0; c < 3; c++)
		if (!freqs_valid(o->freqs[c], o->num_freqs[c]))
			return DCTLOAD_BAD_ARGUMENT;
	w = steps_out_size(g->x, g->num_x, w);
	h = steps_out_size(g->y, g->num_y, h);
	if (ops_check(g->ops, g->num_ops, &w, &h) != DCTLOAD_OK ||
	    w != o->width || h != o->height)
		return DCTLOAD_BAD_ARGUMENT;
	return DCTLOAD_OK;
}

/* Strides and the first channel of component 'c', in elements. */
static void
target_set_layout(struct target *t, const struct dctload_output *o, u32 c,
		  bool transpose, void *const out[2])
{
	const bool half = o->layout == DCTLOAD_PLANES && c != 0;
	const size_t cols = o->width / (half ? 16 : 8);
	const size_t rows = o->height / (half ? 16 : 8);
	const u32 *const n = o->num_freqs;
	const size_t channels = o->layout == DCTLOAD_CONCAT ?
					n[0] + n[1] + n[2] :
				half ? n[1] + n[2] :
				       n[0];
	const size_t before =
		(o->layout == DCTLOAD_CONCAT && c > 0 ? n[0] : 0) +
		(c == 2 ? n[1] : 0);
	const bool last = o->channels_last != 0;
	const size_t row_stride = last ? cols * channels : cols;
	const size_t col_stride = last ? channels : 1;
	struct emission *const e = &t->emit;

	e->dtype = o->dtype;
	e->channel_stride = last ? 1 : rows * cols;
	e->row_stride = transpose ? col_stride : row_stride;
	e->col_stride = transpose ? row_stride : col_stride;
	e->out = (u8 *)out[half ? 1 : 0] +
		 before * e->channel_stride * dtype_nbytes(o->dtype);
	e->nbytes = last ? 0 :
			   o->num_freqs[c] * e->channel_stride *
				    dtype_nbytes(o->dtype);
	memcpy(e->scale, o->scale[c], sizeof(e->scale));
	memcpy(e->offset, o->offset[c], sizeof(e->offset));
	e->num_cols = t->num_along = (u32)(transpose ? rows : cols);
	t->num_across = (u32)(transpose ? cols : rows);
}

/* JFIF's YCbCr from RGB, less 128 on both sides, so without constants. */
static const float ycc_from_rgb[3][3] = {
	{ 0.299f, 0.587f, 0.114f },
	{ -0.168735892f, -0.331264108f, 0.5f },
	{ 0.5f, -0.418687589f, -0.081312411f },
};

/* What output component 'c' takes of those of the file; its fill likewise. */
static void
color_weights(const struct dctload_info *info, const struct dctload_geometry *g,
	      u32 c, float weights[DCTLOAD_MAX_COMPONENTS], float *fill_ret)
{
	const bool rgb = info->color == DCTLOAD_RGB;
	float map[3] = { 0 }; /* of Y, Cb, Cr */

	map[c] = 1;
	if (g->use_color != 0 && c > 0) {
		map[1] = g->color.chroma[c - 1][0];
		map[2] = g->color.chroma[c - 1][1];
	}
	*fill_ret = 0;
	for (u32 k = 0; k < DCTLOAD_MAX_COMPONENTS; k++)
		weights[k] = 0;
	for (u32 m = 0; m < 3; m++) {
		*fill_ret += map[m] * g->fill[m];
		for (u32 k = 0; k < 3; k++)
			weights[k] += map[m] * (rgb ? ycc_from_rgb[m][k] :
						      (float)(m == k));
	}
}

/* Gains and offsets, folded into those of the output. */
static void
target_set_color(struct target *t, const struct dctload_output *o,
		 const struct dctload_color_map *color, u32 c)
{
	struct emission *const e = &t->emit;

	for (u32 k = 0; k < e->num_channels; k++) {
		const u32 freq = o->freqs[c][k];
		const float scale = e->scale[k];

		e->scale[k] = scale * color->gain[c > 0][freq];
		if (freq != 0)
			continue;
		/* A level of 1 is an amplitude of 8. */
		e->offset[k] += 8 * scale *
				(c == 0 ? color->y_offset :
					  color->chroma_offset[c - 1]);
		if (c == 0)
			t->mean_weight = scale * color->y_mean;
	}
}

static enum dctload_status
plan_add_target(struct plan *plan, const struct dctload_geometry *g,
		const struct dctload_output *o, u32 c, void *const out[2])
{
	struct target *const t = &plan->targets[c];
	const u32 den = o->layout == DCTLOAD_PLANES && c > 0 ? 2 : 1;
	/* Planes of operations lie upright, and so they are emitted. */
	const bool in_planes = plan->num_ops != 0 && !plan->in_tiles;
	const bool tr = g->transpose != 0 && !in_planes;
	struct target_spec spec = {
		.along = { 1, den },
		.across = { 1, den },
		.out_along = (tr ? o->height : o->width) / den,
		.out_across = (tr ? o->width : o->height) / den,
		.num_freqs = o->num_freqs[c],
		.freqs = o->freqs[c],
		.transpose = tr,
	};
	float weights[DCTLOAD_MAX_COMPONENTS];
	enum dctload_status status;

	target_set_layout(t, o, c, tr, out);
	t->num_sources = 0;
	t->emit.dct_along = t->emit.dct_across = false;
	t->mean_weight = 0;
	target_set_channels(t, &spec);
	if (in_planes)
		target_set_pixels(plan, t, &spec);
	else if (g->use_color != 0)
		target_set_color(t, o, &g->color, c);
	color_weights(&plan->info, g, c, weights, &t->fill);
	spec.one_source = equal_sampling(&plan->info, weights);
	if (spec.num_freqs != 0 || plan->num_ops != 0) {
		status = target_set_sources(plan, t, g, &spec, weights);
		if (status != DCTLOAD_OK)
			return status;
	}
	return target_finish(plan, t);
}

static enum dctload_status
sample_check(const struct dctload_info *info, const struct dctload_geometry *g,
	     const struct dctload_output *output)
{
	enum dctload_status status = plan_check(info, g);

	if (status == DCTLOAD_OK)
		status = output_check(info, g, output);
	if (status != DCTLOAD_OK)
		return status;
	if ((info->color != DCTLOAD_GRAY || info->num_components != 1) &&
	    ((info->color != DCTLOAD_YCBCR && info->color != DCTLOAD_RGB) ||
	     info->num_components != 3))
		return DCTLOAD_COLOR;
	return DCTLOAD_OK;
}

/* Extend MCUs [*first, *end) by those that hold the blocks that 'key' reads. */
static void
add_reach(const struct axis_key *key, u32 blocks_per_mcu, u32 *first, u32 *end)
{
	u32 a, b;

	axis_reach(key, &a, &b);
	if (a >= b)
		return;
	*first = min_u32(*first, a / blocks_per_mcu);
	*end = max_u32(*end, ceil_div_u32(b, blocks_per_mcu));
}

/* Extend 'w' by what output component 'c' needs. */
static void
add_target(struct mcu_window *w, const struct dctload_info *info,
	   const struct dctload_geometry *g, const struct dctload_output *o,
	   u32 c)
{
	const u32 den = o->layout == DCTLOAD_PLANES && c > 0 ? 2 : 1;
	const bool tr = g->transpose != 0;
	struct target_spec spec = {
		.along = { 1, den },
		.across = { 1, den },
		.transpose = tr,
	};
	float weights[DCTLOAD_MAX_COMPONENTS], fill;

	spec.out_along = ratio_size(steps_out_size(tr ? g->y : g->x,
						   tr ? g->num_y : g->num_x,
						   info->width),
				    spec.along);
	spec.out_across = ratio_size(steps_out_size(tr ? g->x : g->y,
						    tr ? g->num_x : g->num_y,
						    info->height),
				     spec.across);
	color_weights(info, g, c, weights, &fill);
	for (u32 k = 0; k < info->num_components; k++) {
		struct axis_key along, across;

		if (weights[k] == 0)
			continue;
		axis_keys_set(&along, &across, info, g, &spec, k);
		add_reach(&along, info->components[k].h, &w->first_col,
			  &w->end_col);
		add_reach(&across, info->components[k].v, &w->first_row,
			  &w->end_row);
	}
}

enum dctload_status
plan_window(const struct dctload_info *info, const struct dctload_geometry *g,
	    const struct dctload_output *output, struct mcu_window *window_ret)
{
	const enum dctload_status status = sample_check(info, g, output);
	struct mcu_window w = { .first_row = UINT32_MAX,
				.first_col = UINT32_MAX };

	if (status != DCTLOAD_OK)
		return status;
	for (u32 c = 0; c < 3; c++)
		if (output->num_freqs[c] != 0 || g->num_ops != 0)
			add_target(&w, info, g, output, c);
	if (w.end_row == 0)
		w.first_row = 0, w.end_row = 1;
	if (w.end_col == 0)
		w.first_col = 0, w.end_col = 1;
	*window_ret = w;
	return DCTLOAD_OK;
}

enum dctload_status
plan_begin(struct plan *plan, const struct dctload_info *info,
	   const struct dctload_geometry *g,
	   const struct dctload_output *output, void *const out[2])
{
	enum dctload_status status = sample_check(info, g, output);

	plan->num_targets = 0;
	plan->num_ops = 0;
	if (status != DCTLOAD_OK)
		return status;
	plan->info = *info;
	plan->num_begun++;
	plan->prefetch = plan->bypass_cache = false;
	plan->kernels = dct_kernels();
	status = plan_set_ops(plan, g, output);
	if (status != DCTLOAD_OK)
		return status;
	for (u32 c = 0; c < 3; c++) {
		status = plan_add_target(plan, g, output, c, out);
		if (status != DCTLOAD_OK)
			return status;
	}
	plan->num_targets = 3;
	return DCTLOAD_OK;
}
