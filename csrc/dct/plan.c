/* SPDX-License-Identifier: MIT */
/*
 * plan.c - the streaming evaluation of Out[p,q] = sum Mv[p,i] X[i,j] Mh[q,j]^T
 *
 * Stored block rows i come in order.  Each is first multiplied along the row,
 * Z[i,q] = sum_j X[i,j] Mh[q,j]^T, and kept in a ring; as soon as the rows that
 * output row p depends on are there, Out[p,q] = sum_i Mv[p,i] Z[i,q] is formed
 * and emitted.  The ring is small enough to stay in cache.
 *
 * "Along" and "across" are directions of the stored image.  With 'transpose'
 * the output's y steps act along stored rows and the result is written with
 * its two strides, and the frequencies of its blocks, exchanged.
 */

#include <stdlib.h>

#include "emit.h"
#include "plan.h"
#include "resample.h"

#define MAX_TARGETS DCTLOAD_MAX_COMPONENTS
#define MAX_SOURCES 3

/* An image needs at most 2 axes x 4 components x 2 resolutions. */
#define NUM_AXES 24

/* One component that contributes to an output component. */
struct source {
	u32 component;
	const struct axis_op *along, *across;
	float dequant[BLOCK_COEFS];	/* table entry times weight */
	float *ring;			/* [ring_rows][8][stride] */
	size_t ring_capacity;
	u32 ring_rows;
	u32 next_row;			/* the block row to come */
};

/* One output component. */
struct target {
	struct emission emit;
	u32 num_along, num_across;	/* output blocks */
	u32 num_sources;
	struct source sources[MAX_SOURCES];
	u32 num_along_freqs, num_across_freqs;
	size_t stride;			/* floats of a row of one frequency */
	bool backwards;			/* output rows end last first */
	u32 num_done;			/* output rows emitted */
};

struct plan {
	struct dctload_info info;
	u32 num_targets;
	struct target targets[MAX_TARGETS];
	struct axis_op axes[NUM_AXES];
	u64 num_begun;			/* images, the clock of 'axes' */
	float *blocks;			/* one dequantised row of blocks */
	size_t blocks_capacity;
	float *row;			/* one output row */
	size_t row_capacity;
};

/* What plan_begin() derives a target from. */
struct target_spec {
	struct ratio along, across;	/* resolution of the output */
	u32 out_along, out_across;	/* its size in samples */
	u32 num_freqs;
	const u8 *freqs;
	bool transpose;
};

struct plan *
plan_alloc(void)
{
	return calloc(1, sizeof(struct plan));
}

void
plan_free(struct plan *plan)
{
	if (plan == NULL)
		return;
	for (u32 k = 0; k < NUM_AXES; k++)
		axis_free(&plan->axes[k]);
	for (u32 k = 0; k < MAX_TARGETS; k++)
		for (u32 s = 0; s < MAX_SOURCES; s++)
			free(plan->targets[k].sources[s].ring);
	free(plan->blocks);
	free(plan->row);
	free(plan);
}

/* ---- beginning --------------------------------------------------------- */

/* The operator of 'key', kept from before or built in the oldest place. */
static enum dctload_status
plan_axis(struct plan *plan, const struct axis_key *key,
	  const struct axis_op **op_ret)
{
	struct axis_op *oldest = &plan->axes[0];
	enum dctload_status status;

	for (u32 k = 0; k < NUM_AXES; k++) {
		struct axis_op *const op = &plan->axes[k];

		if (op->valid && memcmp(&op->key, key, sizeof(*key)) == 0) {
			op->last_use = plan->num_begun;
			*op_ret = op;
			return DCTLOAD_OK;
		}
		if (op->last_use < oldest->last_use)
			oldest = op;
	}
	status = axis_build(oldest, key);
	oldest->last_use = plan->num_begun;
	*op_ret = oldest;
	return status;
}

/* The frequencies of one axis that 'freqs' contain, ascending. */
static u32
wanted_freqs(const u8 *freqs, u32 num_freqs, bool vertical, u8 wanted[8])
{
	u32 mask = 0, n = 0;

	for (u32 k = 0; k < num_freqs; k++)
		mask |= 1u << (vertical ? freqs[k] / 8 : freqs[k] % 8);
	for (u8 f = 0; f < 8; f++)
		if ((mask >> f & 1) != 0)
			wanted[n++] = f;
	return n;
}

static u8
index_of(const u8 *list, u32 n, u32 value)
{
	u8 k = 0;

	while (k < n && list[k] != value)
		k++;
	return k;
}

/* Output rows become complete in ascending order, or in descending order? */
static bool
is_backwards(const struct axis_op *across)
{
	u32 first = 0, last = across->num_out - 1;

	while (first < last &&
	       across->out_spans[first].end == across->out_spans[first].first)
		first++;
	while (last > first &&
	       across->out_spans[last].end == across->out_spans[last].first)
		last--;
	return across->out_spans[last].end < across->out_spans[first].end ||
	       (across->out_spans[last].end == across->out_spans[first].end &&
		across->out_spans[last].first < across->out_spans[first].first);
}

static u32
target_row(const struct target *t, u32 k)
{
	return t->backwards ? t->num_across - 1 - k : k;
}

/* How many rows must be kept so that each output row finds those it needs. */
static u32
ring_rows_needed(const struct target *t)
{
	u32 taken = 0, rows = 1;

	/* A row is emitted when those of all sources and before it are. */
	for (u32 k = 0; k < t->num_across; k++) {
		const u32 p = target_row(t, k);

		for (u32 s = 0; s < t->num_sources; s++) {
			const struct source *const src = &t->sources[s];
			const struct axis_span *const span =
				&src->across->out_spans[p];

			taken = max_u32(taken, span->end);
			if (span->first < span->end)
				rows = max_u32(rows, taken - span->first);
		}
	}
	return rows;
}

/* With sources of unequal sampling, rows come in unequal steps: keep all. */
static u32
rows_of_all(const struct target *t)
{
	u32 rows = 1;

	for (u32 s = 0; s < t->num_sources; s++)
		rows = max_u32(rows, t->sources[s].across->num_in);
	return rows;
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

/* Add component 'c' to target 't' with 'weight'. */
static enum dctload_status
target_add_source(struct plan *plan, struct target *t,
		  const struct dctload_geometry *g,
		  const struct target_spec *spec, u32 c, float weight)
{
	const struct dctload_info *const info = &plan->info;
	const struct dctload_component *const comp = &info->components[c];
	struct source *const src = &t->sources[t->num_sources++];
	const bool tr = spec->transpose;
	enum dctload_status status;
	struct axis_key key;

	src->component = c;
	src->next_row = 0;
	for (u32 k = 0; k < BLOCK_COEFS; k++)
		src->dequant[k] = (float)info->qtables[c][k] * weight;

	axis_key_set(&key, tr ? g->y : g->x, tr ? g->num_y : g->num_x,
		     info->width, (struct ratio){ comp->h, info->h_max },
		     spec->along, spec->out_along);
	key.num_freqs = wanted_freqs(spec->freqs, spec->num_freqs, tr,
				     key.freqs);
	t->num_along_freqs = key.num_freqs;
	status = plan_axis(plan, &key, &src->along);
	if (status != DCTLOAD_OK)
		return status;

	axis_key_set(&key, tr ? g->x : g->y, tr ? g->num_x : g->num_y,
		     info->height, (struct ratio){ comp->v, info->v_max },
		     spec->across, spec->out_across);
	key.num_freqs = wanted_freqs(spec->freqs, spec->num_freqs, !tr,
				     key.freqs);
	t->num_across_freqs = key.num_freqs;
	return plan_axis(plan, &key, &src->across);
}

/* Where each channel is in a row of amplitudes. */
static void
target_set_channels(struct target *t, const struct target_spec *spec)
{
	u8 along[8], across[8];
	const u32 num_along = wanted_freqs(spec->freqs, spec->num_freqs,
					   spec->transpose, along);
	const u32 num_across = wanted_freqs(spec->freqs, spec->num_freqs,
					    !spec->transpose, across);

	t->emit.num_channels = spec->num_freqs;
	for (u32 k = 0; k < spec->num_freqs; k++) {
		const u32 v = spec->freqs[k] / 8, u = spec->freqs[k] % 8;

		t->emit.row_freq[k] = index_of(across, num_across,
					       spec->transpose ? u : v);
		t->emit.col_freq[k] = index_of(along, num_along,
					       spec->transpose ? v : u);
	}
}

/* Everything but the sources and the way out is known: take memory. */
static enum dctload_status
target_finish(struct plan *plan, struct target *t)
{
	u32 rows = 1;

	t->num_done = 0;
	if (t->num_sources == 0)
		return DCTLOAD_OK;
	t->stride = (size_t)t->num_along * t->num_along_freqs;
	t->backwards = is_backwards(t->sources[0].across);
	rows = t->num_sources == 1 ? ring_rows_needed(t) : rows_of_all(t);
	for (u32 s = 0; s < t->num_sources; s++) {
		struct source *const src = &t->sources[s];

		src->ring_rows = rows;
		src->next_row = src->across->first_in;
		if (!grow((void **)&src->ring, &src->ring_capacity,
			  rows * 8 * t->stride, sizeof(*src->ring)))
			return DCTLOAD_NO_MEMORY;
		if (!grow((void **)&plan->blocks, &plan->blocks_capacity,
			  (size_t)src->along->num_in * BLOCK_COEFS,
			  sizeof(*plan->blocks)))
			return DCTLOAD_NO_MEMORY;
	}
	if (!grow((void **)&plan->row, &plan->row_capacity, 8 * t->stride,
		  sizeof(*plan->row)))
		return DCTLOAD_NO_MEMORY;
	return DCTLOAD_OK;
}

/* The size in luma samples after the steps of an axis. */
static u32
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

static enum dctload_status
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
	const u32 w = g->transpose != 0 ? info->height : info->width;
	const u32 h = g->transpose != 0 ? info->width : info->height;

	if (o->layout > DCTLOAD_CONCAT || o->dtype > DCTLOAD_I8 ||
	    o->width == 0 || o->height == 0 || o->width % unit != 0 ||
	    o->height % unit != 0)
		return DCTLOAD_BAD_ARGUMENT;
	for (u32 c = 0; c < 3; c++)
		if (!freqs_valid(o->freqs[c], o->num_freqs[c]))
			return DCTLOAD_BAD_ARGUMENT;
	if (steps_out_size(g->x, g->num_x, w) != o->width ||
	    steps_out_size(g->y, g->num_y, h) != o->height)
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
	const size_t before = (o->layout == DCTLOAD_CONCAT && c > 0 ? n[0] : 0) +
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
	memcpy(e->scale, o->scale[c], sizeof(e->scale));
	memcpy(e->offset, o->offset[c], sizeof(e->offset));
	t->num_along = (u32)(transpose ? rows : cols);
	t->num_across = (u32)(transpose ? cols : rows);
}

/* JFIF's YCbCr from RGB, less 128 on both sides, so without constants. */
static const float ycc_from_rgb[3][3] = {
	{ 0.299f, 0.587f, 0.114f },
	{ -0.168735892f, -0.331264108f, 0.5f },
	{ 0.5f, -0.418687589f, -0.081312411f },
};

enum dctload_status
plan_begin(struct plan *plan, const struct dctload_info *info,
	   const struct dctload_geometry *g,
	   const struct dctload_output *output, void *const out[2])
{
	enum dctload_status status = plan_check(info, g);
	const bool rgb = info->color == DCTLOAD_RGB;

	plan->num_targets = 0;
	if (status == DCTLOAD_OK)
		status = output_check(info, g, output);
	if (status != DCTLOAD_OK)
		return status;
	if ((info->color != DCTLOAD_GRAY || info->num_components != 1) &&
	    ((info->color != DCTLOAD_YCBCR && !rgb) ||
	     info->num_components != 3))
		return DCTLOAD_COLOR;
	plan->info = *info;
	plan->num_begun++;
	for (u32 c = 0; c < 3; c++) {
		struct target *const t = &plan->targets[c];
		const u32 den = output->layout == DCTLOAD_PLANES && c > 0 ? 2 :
									    1;
		const struct target_spec spec = {
			.along = { 1, den },
			.across = { 1, den },
			.out_along = (g->transpose != 0 ? output->height :
							  output->width) /
				     den,
			.out_across = (g->transpose != 0 ? output->width :
							   output->height) /
				      den,
			.num_freqs = output->num_freqs[c],
			.freqs = output->freqs[c],
			.transpose = g->transpose != 0,
		};

		t->num_sources = 0;
		target_set_layout(t, output, c, spec.transpose, out);
		target_set_channels(t, &spec);
		for (u32 k = 0; k < info->num_components; k++) {
			if (spec.num_freqs == 0 || (!rgb && k != c))
				continue;
			status = target_add_source(plan, t, g, &spec, k,
						   rgb ? ycc_from_rgb[c][k] :
							 1);
			if (status != DCTLOAD_OK)
				return status;
		}
		status = target_finish(plan, t);
		if (status != DCTLOAD_OK)
			return status;
	}
	plan->num_targets = 3;
	return DCTLOAD_OK;
}

/* All frequencies of one component, block after block. */
static void
target_set_blocks(struct target *t, const struct target_spec *spec, float *out)
{
	struct emission *const e = &t->emit;
	const size_t along = ceil_div_u32(spec->out_along, 8);
	const size_t across = ceil_div_u32(spec->out_across, 8);

	e->dtype = DCTLOAD_F32;
	e->channel_stride = 1;
	e->row_stride = spec->transpose ? BLOCK_COEFS : along * BLOCK_COEFS;
	e->col_stride = spec->transpose ? across * BLOCK_COEFS : BLOCK_COEFS;
	e->out = (u8 *)out;
	for (u32 k = 0; k < BLOCK_COEFS; k++) {
		e->scale[k] = 1;
		e->offset[k] = 0;
	}
	t->num_along = (u32)along;
	t->num_across = (u32)across;
}

enum dctload_status
plan_begin_resample(struct plan *plan, const struct dctload_info *info,
		    const struct dctload_geometry *g,
		    float *const out[DCTLOAD_MAX_COMPONENTS])
{
	enum dctload_status status = plan_check(info, g);
	const bool tr = g->transpose != 0;
	u8 all[BLOCK_COEFS];
	u32 along, across;

	plan->num_targets = 0;
	if (status != DCTLOAD_OK)
		return status;
	plan->info = *info;
	plan->num_begun++;
	for (u8 k = 0; k < BLOCK_COEFS; k++)
		all[k] = k;
	along = steps_out_size(tr ? g->y : g->x, tr ? g->num_y : g->num_x,
			       info->width);
	across = steps_out_size(tr ? g->x : g->y, tr ? g->num_x : g->num_y,
				info->height);
	for (u32 c = 0; c < info->num_components; c++) {
		const struct dctload_component *const comp =
			&info->components[c];
		struct target *const t = &plan->targets[c];
		struct target_spec spec = {
			.along = { comp->h, info->h_max },
			.across = { comp->v, info->v_max },
			.num_freqs = BLOCK_COEFS,
			.freqs = all,
			.transpose = tr,
		};

		spec.out_along = ratio_size(along, spec.along);
		spec.out_across = ratio_size(across, spec.across);
		t->num_sources = 0;
		target_set_blocks(t, &spec, out[c]);
		target_set_channels(t, &spec);
		status = target_add_source(plan, t, g, &spec, c, 1);
		if (status == DCTLOAD_OK)
			status = target_finish(plan, t);
		if (status != DCTLOAD_OK)
			return status;
	}
	plan->num_targets = info->num_components;
	return DCTLOAD_OK;
}

/* ---- rows -------------------------------------------------------------- */

u32
plan_rows_needed(const struct plan *plan, u32 *first_ret, u32 *end_ret)
{
	u32 first = UINT32_MAX, end = 0;

	for (u32 k = 0; k < plan->num_targets; k++) {
		const struct target *const t = &plan->targets[k];

		for (u32 s = 0; s < t->num_sources; s++) {
			const struct axis_op *const op = t->sources[s].across;
			const u32 v = plan->info
					      .components[t->sources[s].component]
					      .v;

			if (op->first_in >= op->end_in)
				continue;
			first = min_u32(first, op->first_in / v);
			end = max_u32(end, ceil_div_u32(op->end_in, v));
		}
	}
	*first_ret = end == 0 ? 0 : first;
	*end_ret = end;
	return *end_ret - *first_ret;
}

static float *
ring_row(const struct target *t, const struct source *src, u32 row)
{
	return src->ring + (size_t)(row % src->ring_rows) * 8 * t->stride;
}

/* Z[row,q] = sum_j X[row,j] Mh[q,j]^T, as [8 v][q][frequency]. */
static void
source_take_row(struct plan *plan, const struct target *t, struct source *src,
		const s16 *blocks)
{
	const struct axis_op *const op = src->along;
	const u32 nf = op->key.num_freqs;
	float *const z = ring_row(t, src, src->next_row);

	for (u32 j = op->first_in; j < op->end_in; j++)
		for (u32 k = 0; k < BLOCK_COEFS; k++)
			plan->blocks[j * BLOCK_COEFS + k] =
				(float)blocks[j * BLOCK_COEFS + k] *
				src->dequant[k];
	for (u32 q = 0; q < op->num_out; q++) {
		const struct axis_span *const span = &op->out_spans[q];

		for (u32 v = 0; v < 8; v++) {
			float acc[8] = { 0 };

			for (u32 j = span->first; j < span->end; j++) {
				const float(*const m)[8] =
					op->coefs[span->at + (j - span->first)];
				const float *const x = plan->blocks +
						       j * BLOCK_COEFS + 8 * v;

				for (u32 u = 0; u < 8; u++)
					for (u32 f = 0; f < 8; f++)
						acc[f] += x[u] * m[u][f];
			}
			memcpy(z + v * t->stride + q * nf, acc,
			       nf * sizeof(*acc));
		}
	}
	src->next_row++;
}

/* Out[p,q] = sum_i Mv[p,i] Z[i,q], added to plan->row. */
static void
source_add_across(struct plan *plan, const struct target *t,
		  const struct source *src, u32 p)
{
	const struct axis_op *const op = src->across;
	const struct axis_span *const span = &op->out_spans[p];

	for (u32 i = span->first; i < span->end; i++) {
		const float(*const m)[8] = op->coefs[span->at +
						     (i - span->first)];
		const float *const z = ring_row(t, src, i);

		for (u32 f = 0; f < op->key.num_freqs; f++) {
			float *const row = plan->row + f * t->stride;

			for (u32 v = 0; v < 8; v++)
				for (size_t x = 0; x < t->stride; x++)
					row[x] += m[v][f] *
						  z[v * t->stride + x];
		}
	}
}

/* Emit every output row whose input is there. */
static void
target_advance(struct plan *plan, struct target *t)
{
	while (t->num_done < t->num_across) {
		const u32 p = target_row(t, t->num_done);

		for (u32 s = 0; s < t->num_sources; s++) {
			const struct source *const src = &t->sources[s];
			const struct axis_span *const span =
				&src->across->out_spans[p];

			if (span->first < span->end &&
			    span->end > src->next_row)
				return;
		}
		if (t->num_sources != 0) {
			memset(plan->row, 0,
			       t->num_across_freqs * t->stride *
				       sizeof(*plan->row));
			for (u32 s = 0; s < t->num_sources; s++)
				source_add_across(plan, t, &t->sources[s], p);
		}
		emit_row(&t->emit, p, t->num_sources != 0 ? plan->row : NULL,
			 t->stride, t->num_along, t->num_along_freqs);
		t->num_done++;
	}
}

enum dctload_status
plan_rows(struct plan *plan, u32 mcu_row,
	  const s16 *const rows[DCTLOAD_MAX_COMPONENTS],
	  const size_t stride_blocks[DCTLOAD_MAX_COMPONENTS])
{
	for (u32 k = 0; k < plan->num_targets; k++) {
		struct target *const t = &plan->targets[k];

		for (u32 s = 0; s < t->num_sources; s++) {
			struct source *const src = &t->sources[s];
			const u32 c = src->component;
			const u32 v = plan->info.components[c].v;

			for (u32 r = 0; r < v; r++) {
				const u32 row = mcu_row * v + r;

				if (row < src->across->first_in ||
				    row >= src->across->end_in)
					continue;
				if (row != src->next_row)
					return DCTLOAD_BAD_ARGUMENT;
				source_take_row(plan, t, src,
						rows[c] + r * stride_blocks[c] *
								  BLOCK_COEFS);
				if (t->num_sources == 1)
					target_advance(plan, t);
			}
		}
		target_advance(plan, t);
	}
	return DCTLOAD_OK;
}

enum dctload_status
plan_finish(struct plan *plan)
{
	enum dctload_status status = DCTLOAD_OK;

	for (u32 k = 0; k < plan->num_targets; k++) {
		target_advance(plan, &plan->targets[k]);
		if (plan->targets[k].num_done < plan->targets[k].num_across)
			status = DCTLOAD_BAD_ARGUMENT;
	}
	plan->num_targets = 0;
	return status;
}
