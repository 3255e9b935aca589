/* SPDX-License-Identifier: MIT */
/*
 * plan.c - the streaming evaluation of D Rv D^T X D Rh^T D^T
 *
 * Rows of stored blocks come in order.  Each is multiplied into the rows of
 * samples that it reaches, Y += (Rv D^T) X, where it is still in frequencies
 * along the row.  So many rows as a vector has lanes are a tile; a tile that is
 * complete is multiplied along its rows, Y (Rh D^T)^T, and is then all samples.
 * What is left to do is D in both directions, and writing channels.  Tiles are
 * small enough to stay in cache.
 *
 * "Along" and "across" are directions of the stored image.  With 'transpose'
 * the output's y steps act along stored rows and the result is written with
 * its two strides, and the frequencies of its blocks, exchanged.
 */

#include <math.h>
#include <stdlib.h>

#include "../jpeg/markers.h"
#include "../jpeg/packed.h"
#include "../jpeg/window.h"
#include "plan_impl.h"

struct plan *
plan_take(struct plan_pool *pool)
{
	struct plan *const plan = pool->spare;

	if (plan == NULL)
		return calloc(1, sizeof(struct plan));
	pool->spare = plan->next_spare;
	return plan;
}

void
plan_give(struct plan_pool *pool, struct plan *plan)
{
	if (plan == NULL)
		return;
	plan->next_spare = pool->spare;
	pool->spare = plan;
}

static void
source_free(struct source *src)
{
	free(src->ring);
}

static void
plan_free(struct plan *plan)
{
	for (u32 k = 0; k < NUM_AXES; k++)
		axis_free(&plan->axes[k]);
	for (u32 k = 0; k < MAX_TARGETS; k++)
		for (u32 s = 0; s < MAX_SOURCES; s++)
			source_free(&plan->targets[k].sources[s]);
	for (u32 k = 0; k < MAX_TARGETS; k++)
		free(plan->targets[k].held);
	taps_scratch_free(&plan->taps);
	free(plan->out);
	free(plan->unpacked);
	free(plan->samples);
	free(plan->staging.memory);
	pixels_free(&plan->pixels);
	free(plan);
}

void
plan_free_pool(struct plan_pool *pool)
{
	while (pool->spare != NULL)
		plan_free(plan_take(pool));
}

/* Row 't' of the output across, where tiles are in the making. */
static inline float *
source_row(const struct source *src, u32 lanes, u32 t)
{
	const size_t place = t / lanes % src->ring_tiles;

	return src->ring + (place * lanes + t % lanes) * src->stride;
}

/* Where the rows that 'col' reaches are. */
static void
source_place_rows(const struct source *src, u32 lanes,
		  const struct axis_column *col, float **out)
{
	const u32 *const rows = src->across->rows + col->at;
	const u32 num_rows = src->ring_tiles * lanes;
	float *const ring = src->ring;
	const size_t stride = src->stride;

	for (u32 r = 0; r < col->num; r++)
		out[r] = ring + rows[r] % num_rows * stride;
}

/* Add the row of blocks to come to the tiles that it reaches. */
static void
source_take_row(struct plan *plan, struct source *src,
		const struct blocks_row parts[MAX_PARTS])
{
	const struct dct_kernels *const kernels = plan->kernels;
	const struct axis_op *const op = src->across;
	const struct axis_column *const col = &op->columns[src->next_row];
	const struct across_job job = {
		.num_parts = src->num_parts,
		.parts = parts,
		.num_blocks = src->along->end_in - src->along->first_in,
		.num_begun = col->num_begun,
		.num = col->num,
		.out = plan->out,
		.coefs = (const float (*)[8])op->coefs + col->at,
	};

	source_place_rows(src, kernels->lanes, col, plan->out);
	kernels->across(&job);
	src->next_row++;
}

/* Rows of 'tile' that nothing was added to are zero. */
static void
source_clear_empty(const struct plan *plan, const struct source *src, u32 tile)
{
	const struct axis_op *const op = src->across;
	const u32 lanes = plan->kernels->lanes;
	const size_t nbytes = src->stride * sizeof(*src->ring);

	for (u32 k = 0; k < op->num_empty; k++)
		if (op->empty[k] / lanes == tile)
			memset(source_row(src, lanes, op->empty[k]), 0, nbytes);
	for (u32 t = max_u32(8 * op->num_out, tile * lanes);
	     t < (tile + 1) * lanes; t++)
		memset(source_row(src, lanes, t), 0, nbytes);
}

/* Take 'tile' out of the ring, multiplied along its rows. */
static void
source_along(const struct plan *plan, const struct source *src, u32 tile,
	     float *samples, bool add)
{
	const u32 lanes = plan->kernels->lanes;

	source_clear_empty(plan, src, tile);
	plan->kernels->along(samples, source_row(src, lanes, tile * lanes),
			     src->stride, src->along, add);
}

/* Output row 'r' of an input of ones, if the operator saw all of it. */
static inline float
full_cover(const struct axis_op *op, u32 r)
{
	return !op->copies ? 1 : r % 8 == 0 ? sqrtf(8) : 0;
}

static inline float
cover(const struct axis_op *op, u32 r)
{
	return op->copies ? full_cover(op, r) : op->cover[r];
}

/* Positions that see no sample have got level 0; make that 'fill'. */
static void
target_fill(const struct plan *plan, const struct target *t, u32 tile,
	    float *samples)
{
	const struct axis_op *const along = t->sources[0].along;
	const struct axis_op *const across = t->sources[0].across;
	const u32 lanes = plan->kernels->lanes;
	const u32 num = 8 * tile_end(plan, t, tile) - tile * lanes;
	float full[MAX_LANES] = { 0 }, seen[MAX_LANES] = { 0 };
	bool all_seen = true;

	for (u32 k = 0; k < num; k++) {
		full[k] = t->fill * full_cover(across, tile * lanes + k);
		seen[k] = t->fill * cover(across, tile * lanes + k);
		all_seen &= full[k] == seen[k];
	}
	for (u32 r = 0; r < 8 * along->num_out; r++) {
		const float full_r = full_cover(along, r);
		const float seen_r = cover(along, r);
		float *const row = samples + (size_t)r * lanes;

		if (all_seen && full_r == seen_r)
			continue;
		for (u32 k = 0; k < lanes; k++)
			row[k] += full[k] * full_r - seen[k] * seen_r;
	}
}

static bool
target_needs_fill(const struct target *t)
{
	return t->fill != 0 && t->num_sources != 0 &&
	       !(t->sources[0].along->covers_all &&
		 t->sources[0].across->covers_all);
}

static bool
target_tile_ready(const struct plan *plan, const struct target *t, u32 tile)
{
	for (u32 s = 0; s < t->num_sources; s++) {
		u32 first;

		if (tile_span(plan, t, &t->sources[s], tile, &first) >
		    t->sources[s].next_row)
			return false;
	}
	return true;
}

/* What becomes of 'tile': operations come before emission. */
static void
target_emit(struct plan *plan, const struct target *t, u32 tile, float *samples)
{
	const u32 first = tile_first(plan, tile);

	if (plan_tile(plan, t, tile) != NULL)
		return; /* until operations have been carried out */
	if (plan->num_ops != 0 && !plan->in_tiles) {
		plan_keep_tile(plan, t, tile, samples);
		return;
	}
	plan->kernels->emit(&t->emit, first, tile_end(plan, t, tile) - first,
			    samples);
}

/* Finish every tile whose input is there. */
static void
target_advance(struct plan *plan, struct target *t)
{
	for (; t->num_done < t->num_tiles; t->num_done++) {
		const u32 tile = target_tile(t, t->num_done);
		float *samples = plan->samples;

		if (!target_tile_ready(plan, t, tile))
			return;
		if (plan_tile(plan, t, tile) != NULL)
			samples = plan_tile(plan, t, tile);
		if (t->mean_weight != 0)
			samples = t->held + tile * tile_samples(plan, t);
		if (t->num_sources == 0) /* the file lacks the component */
			memset(samples, 0,
			       tile_samples(plan, t) * sizeof(*samples));
		for (u32 s = 0; s < t->num_sources; s++)
			source_along(plan, &t->sources[s], tile, samples,
				     s > 0);
		if (target_needs_fill(t))
			target_fill(plan, t, tile, samples);
		if (t->mean_weight == 0)
			target_emit(plan, t, tile, samples);
	}
}

/* The sum of the DC amplitudes of output block row 'p'. */
static double
row_dc_sum(const struct target *t, const float *samples, u32 lanes)
{
	/* D's first row is sqrt(1/8); where D is done, DC is the first. */
	const u32 num_across = t->emit.dct_across ? 8 : 1;
	const u32 num_along = t->emit.dct_along ? 8 : 1;
	double sum = 0;

	for (u32 q = 0; q < t->num_along; q++)
		for (u32 a = 0; a < num_along; a++)
			for (u32 b = 0; b < num_across; b++)
				sum += samples[(size_t)(8 * q + a) * lanes + b];
	return sum / sqrt(num_across * num_along);
}

/* Emit the tiles held back, now that their mean is known. */
static void
target_release(struct plan *plan, struct target *t)
{
	const u32 lanes = plan->kernels->lanes;
	const size_t size = tile_samples(plan, t);
	double sum = 0;

	for (u32 p = 0; p < t->num_across; p++)
		sum += row_dc_sum(
			t, t->held + 8 * p / lanes * size + 8 * p % lanes,
			lanes);
	sum /= (double)t->num_across * t->num_along;
	for (u32 k = 0; k < t->emit.num_channels; k++)
		if (t->emit.row_freq[k] == 0 && t->emit.col_freq[k] == 0)
			t->emit.offset[k] += t->mean_weight * (float)sum;
	for (u32 tile = 0; tile < t->num_tiles; tile++)
		target_emit(plan, t, tile, t->held + tile * size);
}

/* Row 'r' of what 'src' takes of 'rows'; false if that lacks columns. */
static bool
source_parts(const struct plan *plan, const struct source *src,
	     const struct block_grid *rows, u32 r, bool more,
	     struct blocks_row parts[MAX_PARTS])
{
	const struct axis_op *const along = src->along;

	for (u32 n = 0; n < src->num_parts; n++) {
		const u32 c = src->parts[n].component;
		const size_t stride = rows->stride[c];
		const u32 first = rows->first_col[c];
		const u32 begin = along->first_in, end = along->end_in;

		if (begin != end && (begin < first || end > first + stride))
			return false;
		parts[n].blocks = rows->blocks[c] + r * stride * BLOCK_COEFS;
		if (begin != end)
			parts[n].blocks += (begin - first) * BLOCK_COEFS;
		parts[n].next = plan->prefetch && more ?
					parts[n].blocks + stride * BLOCK_COEFS :
					NULL;
		parts[n].dequant = src->parts[n].dequant;
	}
	return true;
}

/* Take the block rows of one MCU row that 'src' needs. */
static enum dctload_status
source_take(struct plan *plan, struct target *t, struct source *src,
	    u32 mcu_row, const struct block_grid *rows)
{
	const u32 v = plan->info.components[src->parts[0].component].v;

	for (u32 r = 0; r < v; r++) {
		const u32 row = mcu_row * v + r;
		const bool more = row + 1 < src->across->end_in;
		struct blocks_row parts[MAX_PARTS];

		if (row < src->across->first_in || row >= src->across->end_in)
			continue;
		if (row != src->next_row ||
		    !source_parts(plan, src, rows, r, more, parts))
			return DCTLOAD_BAD_ARGUMENT;
		source_take_row(plan, src, parts);
		if (t->num_sources == 1)
			target_advance(plan, t);
	}
	return DCTLOAD_OK;
}

static enum dctload_status
target_take_rows(struct plan *plan, struct target *t, u32 mcu_row,
		 const struct block_grid *rows)
{
	/* Tiles without input must not wait in the ring. */
	target_advance(plan, t);
	for (u32 s = 0; s < t->num_sources; s++) {
		const enum dctload_status status =
			source_take(plan, t, &t->sources[s], mcu_row, rows);

		if (status != DCTLOAD_OK)
			return status;
	}
	target_advance(plan, t);
	return DCTLOAD_OK;
}

enum dctload_status
plan_rows(struct plan *plan, u32 mcu_row, const struct block_grid *rows)
{
	enum dctload_status status = DCTLOAD_OK;

	for (u32 k = 0; k < plan->num_targets && status == DCTLOAD_OK; k++)
		status = target_take_rows(plan, &plan->targets[k], mcu_row,
					  rows);
	return status;
}

enum dctload_status
plan_finish(struct plan *plan)
{
	enum dctload_status status = DCTLOAD_OK;

	for (u32 k = 0; k < plan->num_targets; k++) {
		struct target *const t = &plan->targets[k];

		target_advance(plan, t);
		if (t->num_done < t->num_tiles)
			status = DCTLOAD_BAD_ARGUMENT;
		if (t->num_done < t->num_tiles || t->mean_weight == 0)
			continue;
		plan_stage(plan, t);
		target_release(plan, t);
		plan_unstage(plan, t);
	}
	if (status == DCTLOAD_OK && plan->num_ops != 0)
		status = plan_run_pixels(plan);
	plan->num_targets = 0;
	plan->num_ops = 0;
	return status;
}

/* Whether 't' takes anything of component 'c'. */
static bool
target_reads(const struct target *t, u32 c)
{
	for (u32 s = 0; s < t->num_sources; s++)
		for (u32 n = 0; n < t->sources[s].num_parts; n++)
			if (t->sources[s].parts[n].component == c)
				return true;
	return false;
}

/* Where a target is in what is packed. */
struct unpacking {
	struct packed_reader readers[DCTLOAD_MAX_COMPONENTS][MAX_SAMPLING];
	bool reads[DCTLOAD_MAX_COMPONENTS];
};

/* Make room for a row of MCUs of the components that 't' reads. */
static bool
unpack_begin(struct plan *plan, const struct target *t,
	     const struct block_grid *grid, struct unpacking *u,
	     struct block_grid *rows)
{
	const struct dctload_info *const info = &plan->info;
	size_t at[DCTLOAD_MAX_COMPONENTS], n = 0;

	for (u32 c = 0; c < info->num_components; c++) {
		const u32 v = info->components[c].v;

		u->reads[c] = target_reads(t, c);
		at[c] = n;
		if (!u->reads[c])
			continue;
		n += v * grid->stride[c] * BLOCK_COEFS;
		for (u32 r = 0; r < v; r++)
			u->readers[c][r] =
				packed_read_begin(&grid->packed[c][r]);
	}
	if (!grow((void **)&plan->unpacked, &plan->unpacked_capacity, n,
		  sizeof(s16)))
		return false;
	for (u32 c = 0; c < info->num_components; c++)
		rows->blocks[c] = plan->unpacked + at[c];
	return true;
}

/* The row of MCUs to come, 'mcu_row'. */
static void
unpack_rows(const struct plan *plan, struct unpacking *u, u32 mcu_row,
	    const struct block_grid *rows)
{
	for (u32 c = 0; c < plan->info.num_components; c++) {
		const struct dctload_component *const comp =
			&plan->info.components[c];
		const size_t stride = rows->stride[c];
		s16 *out = plan->unpacked + (rows->blocks[c] - plan->unpacked);

		for (u32 r = 0; u->reads[c] && r < comp->v &&
				mcu_row * comp->v + r < comp->blocks_h;
		     r++, out += stride * BLOCK_COEFS)
			packed_read(&u->readers[c][r], out, (u32)stride);
	}
}

static enum dctload_status
target_run_packed(struct plan *plan, struct target *t,
		  const struct mcu_window *window,
		  const struct block_grid *grid)
{
	enum dctload_status status = DCTLOAD_OK;
	struct block_grid rows = *grid;
	struct unpacking u;

	if (!unpack_begin(plan, t, grid, &u, &rows))
		return DCTLOAD_NO_MEMORY;
	for (u32 r = window->first_row;
	     r < window->end_row && status == DCTLOAD_OK; r++) {
		unpack_rows(plan, &u, r, &rows);
		status = target_take_rows(plan, t, r, &rows);
	}
	return status;
}

static enum dctload_status
target_run(struct plan *plan, struct target *t, const struct mcu_window *window,
	   const struct block_grid *grid)
{
	const struct dctload_info *const info = &plan->info;
	enum dctload_status status = DCTLOAD_OK;
	struct block_grid rows = *grid;

	for (u32 r = window->first_row;
	     r < window->end_row && status == DCTLOAD_OK; r++) {
		status = target_take_rows(plan, t, r, &rows);
		for (u32 c = 0; c < info->num_components; c++)
			rows.blocks[c] += info->components[c].v *
					  rows.stride[c] * BLOCK_COEFS;
	}
	return status;
}

/* One output component after the other: so their rings are in cache. */
enum dctload_status
plan_run(struct plan *plan, const struct mcu_window *window,
	 const struct block_grid *grid, bool bypass_cache)
{
	const bool packed = grid->packed[0] != NULL;

	plan->prefetch = !packed;
	plan->bypass_cache = bypass_cache;
	for (u32 k = 0; k < plan->num_targets; k++) {
		struct target *const t = &plan->targets[k];
		const bool emits = plan->num_ops == 0 && t->mean_weight == 0;
		enum dctload_status status;

		if (emits)
			plan_stage(plan, t);
		status = packed ? target_run_packed(plan, t, window, grid) :
				  target_run(plan, t, window, grid);
		if (emits)
			plan_unstage(plan, t);
		if (status != DCTLOAD_OK)
			return status;
	}
	return plan_finish(plan);
}
