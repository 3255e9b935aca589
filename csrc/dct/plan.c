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

#include "../jpeg/window.h"
#include "plan_impl.h"

struct plan *
plan_alloc(void)
{
	return calloc(1, sizeof(struct plan));
}

static void
source_free(struct source *src)
{
	free(src->ring);
	free(src->ring_nonzero);
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
			source_free(&plan->targets[k].sources[s]);
	for (u32 k = 0; k < MAX_TARGETS; k++)
		free(plan->targets[k].held);
	taps_scratch_free(&plan->taps);
	free(plan->blocks);
	free(plan->extents);
	free(plan->groups);
	free(plan->pairs);
	free(plan->row);
	pixels_free(&plan->pixels);
	free(plan);
}

/* Extend MCUs [*first, *end) by those that hold the blocks that 'op' reads. */
static void
add_needed(const struct axis_op *op, u32 blocks_per_mcu, u32 *first, u32 *end)
{
	if (op->first_in >= op->end_in)
		return;
	*first = min_u32(*first, op->first_in / blocks_per_mcu);
	*end = max_u32(*end, ceil_div_u32(op->end_in, blocks_per_mcu));
}

void
plan_window_needed(const struct plan *plan, struct mcu_window *window_ret)
{
	struct mcu_window w = { .first_row = UINT32_MAX,
				.first_col = UINT32_MAX };

	for (u32 k = 0; k < plan->num_targets; k++) {
		const struct target *const t = &plan->targets[k];

		for (u32 s = 0; s < t->num_sources; s++) {
			const struct source *const src = &t->sources[s];
			const struct dctload_component *const comp =
				&plan->info.components[src->parts[0].component];

			add_needed(src->across, comp->v, &w.first_row,
				   &w.end_row);
			add_needed(src->along, comp->h, &w.first_col,
				   &w.end_col);
		}
	}
	if (w.end_row == 0)
		w.first_row = 0, w.end_row = 1;
	if (w.end_col == 0)
		w.first_col = 0, w.end_col = 1;
	*window_ret = w;
}

/* Z[row,q] = sum_j X[row,j] Mh[q,j]^T, into the ring. */
static void
source_take_row(struct plan *plan, const struct target *t, struct source *src,
		const s16 *const blocks[MAX_PARTS])
{
	const struct dct_kernels *const kernels = plan->kernels;
	const struct axis_op *const op = src->along;
	const u32 place = src->next_row % src->ring_rows;
	u32 nonzero;

	for (u32 n = 0; n < src->num_parts; n++)
		kernels->dequantize(plan->blocks, plan->extents, blocks[n],
				    src->parts[n].dequant, op->first_in,
				    op->end_in, n > 0);
	kernels->along(src->ring + place * 8 * t->stride, t->stride,
		       plan->blocks, plan->extents, op, &nonzero);
	src->ring_nonzero[place] = (u8)nonzero;
	src->next_row++;
}

/* The halves of rows of Z that make output row 'p' and are not all zero. */
static u32
target_groups(const struct target *t, u32 p, struct across_group *groups)
{
	u32 num = 0;

	for (u32 s = 0; s < t->num_sources; s++) {
		const struct source *const src = &t->sources[s];
		const struct axis_op *const op = src->across;
		const struct axis_span *const span = &op->out_spans[p];

		for (u32 i = span->first; i < span->end; i++) {
			const u32 place = i % src->ring_rows;
			const float (*const m)[8] =
				op->coefs[span->at + (i - span->first)];

			for (u32 half = 0; half < 2; half++) {
				const size_t v = 4 * half;

				if ((src->ring_nonzero[place] >> half & 1) == 0)
					continue;
				groups[num].z =
					src->ring + (place * 8 + v) * t->stride;
				groups[num++].m = m + v;
			}
		}
	}
	return num;
}

/* Row 'k' of R D^T for input block 'i'. */
static const float *
half_of(const struct axis_op *op, u32 k, u32 i)
{
	static const float zeros[8];
	const struct axis_half *const half = &op->half_rows[k];

	if (i < half->first || i >= half->end)
		return zeros;
	return op->halves[half->at + (i - half->first)];
}

/* The same for rows 'k' and 'k' + 1 of a factored operator. */
static u32
source_pairs(const struct source *src, size_t stride, u32 k,
	     struct across_pair *pairs)
{
	const struct axis_op *const op = src->across;
	const struct axis_half *const a = &op->half_rows[k];
	const struct axis_half *const b = a + 1;
	u32 first = min_u32(a->first, b->first), num = 0;
	const u32 end = max_u32(a->end, b->end);

	if (a->first == a->end)
		first = b->first;
	else if (b->first == b->end)
		first = a->first;
	for (u32 i = first; i < end; i++) {
		const u32 place = i % src->ring_rows;
		const float *const m[2] = { half_of(op, k, i),
					    half_of(op, k + 1, i) };

		for (u32 v = 0; v < 8; v += 4) {
			if ((src->ring_nonzero[place] >> v / 4 & 1) == 0)
				continue;
			pairs[num].z = src->ring + (place * 8 + v) * stride;
			pairs[num].m[0] = m[0] + v;
			pairs[num++].m[1] = m[1] + v;
		}
	}
	return num;
}

/* Output row 'p' as amplitudes across the rows. */
static void
target_across(struct plan *plan, const struct target *t, u32 p, float *row)
{
	const struct dct_kernels *const kernels = plan->kernels;
	const struct across_pair *pairs[4];
	struct across_pair *next = plan->pairs;
	u32 num[4];

	if (!t->across_factored) {
		const u32 groups = target_groups(t, p, plan->groups);

		kernels->across(row, t->stride, t->num_across_freqs,
				t->num_cols, plan->groups, groups);
		return;
	}
	/* Factored operators stand alone: there is one source. */
	for (u32 k = 0; k < 4; k++) {
		pairs[k] = next;
		num[k] = source_pairs(&t->sources[0], t->stride, 8 * p + 2 * k,
				      next);
		next += num[k];
	}
	kernels->across_factored(row, t->stride, t->num_cols, pairs, num);
	if (!t->hold_samples)
		kernels->dct_rows(row, t->stride, t->num_cols);
}

/*
 * Positions that see no sample have got level 0; make that 'fill'.  A full axis
 * of ones is sqrt(8) at DC; 'cover' is the same of what the operator covers.
 */
static void
target_fill(const struct target *t, u32 p, float *row)
{
	const struct axis_op *const along = t->sources[0].along;
	const struct axis_op *const across = t->sources[0].across;

	for (u32 f = 0; f < t->num_across_freqs; f++) {
		const u32 v = across->factored ? f : across->key.freqs[f];
		float *out = row + f * t->stride;

		for (u32 q = 0; q < t->num_along; q++)
			for (u32 a = 0; a < t->num_along_freqs; a++) {
				const u32 u = along->factored ?
						      a :
						      along->key.freqs[a];
				const float full = v == 0 && u == 0 ? 8 : 0;

				*out++ += t->fill *
					  (full - across->cover[p][v] *
							  along->cover[q][u]);
			}
	}
}

static bool
target_row_ready(const struct target *t, u32 p)
{
	for (u32 s = 0; s < t->num_sources; s++) {
		const struct source *const src = &t->sources[s];
		const struct axis_span *const span = &src->across->out_spans[p];

		if (span->first < span->end && span->end > src->next_row)
			return false;
	}
	return true;
}

/* Finish every output row whose input is there. */
static void
target_advance(struct plan *plan, struct target *t)
{
	const struct dct_kernels *const kernels = plan->kernels;
	const bool needs_fill = t->num_sources != 0 && target_needs_fill(t);
	const bool emit_samples =
		t->along_factored && !needs_fill && !t->hold &&
		kernels->can_emit_samples(&t->emit, t->num_along);

	while (t->num_done < t->num_across) {
		const u32 p = target_row(t, t->num_done);
		float *row = plan->row;

		if (!target_row_ready(t, p))
			return;
		t->num_done++;
		if (t->num_sources == 0) {
			if (!t->hold)
				emit_row(&t->emit, p, NULL, 0, t->num_along, 0);
			continue;
		}
		if (t->hold)
			row = t->held + p * 8 * t->stride;
		target_across(plan, t, p, row);
		if (t->along_factored && !emit_samples && !t->hold_samples)
			kernels->dct_blocks(row, t->stride, t->num_along);
		if (needs_fill)
			target_fill(t, p, row);
		if (!t->hold)
			kernels->emit(&t->emit, p, row, t->stride, t->num_along,
				      t->num_along_freqs, emit_samples);
	}
}

/* Emit the rows held back, now that their mean is known. */
static void
target_release(struct target *t, const struct dct_kernels *kernels)
{
	const size_t row_size = 8 * t->stride;
	double sum = 0;

	/* DC is wanted, so it is the first of both axes. */
	for (u32 p = 0; p < t->num_across; p++)
		for (u32 q = 0; q < t->num_along; q++)
			sum += t->held[p * row_size + q * t->num_along_freqs];
	sum /= (double)t->num_across * t->num_along;
	for (u32 k = 0; k < t->emit.num_channels; k++)
		if (t->emit.row_freq[k] == 0 && t->emit.col_freq[k] == 0)
			t->emit.offset[k] += t->mean_weight * (float)sum;
	for (u32 p = 0; p < t->num_across; p++)
		kernels->emit(&t->emit, p, t->held + p * row_size, t->stride,
			      t->num_along, t->num_along_freqs, false);
}

/* Take the block rows of one MCU row that 'src' needs. */
static enum dctload_status
source_take(struct plan *plan, struct target *t, struct source *src,
	    u32 mcu_row, const s16 *const rows[DCTLOAD_MAX_COMPONENTS],
	    const size_t stride_blocks[DCTLOAD_MAX_COMPONENTS])
{
	const u32 v = plan->info.components[src->parts[0].component].v;

	for (u32 r = 0; r < v; r++) {
		const u32 row = mcu_row * v + r;
		const s16 *blocks[MAX_PARTS] = { NULL };

		if (row < src->across->first_in || row >= src->across->end_in)
			continue;
		if (row != src->next_row)
			return DCTLOAD_BAD_ARGUMENT;
		for (u32 n = 0; n < src->num_parts; n++) {
			const u32 c = src->parts[n].component;

			blocks[n] =
				rows[c] + r * stride_blocks[c] * BLOCK_COEFS;
		}
		source_take_row(plan, t, src, blocks);
		if (t->num_sources == 1)
			target_advance(plan, t);
	}
	return DCTLOAD_OK;
}

enum dctload_status
plan_rows(struct plan *plan, u32 mcu_row,
	  const s16 *const rows[DCTLOAD_MAX_COMPONENTS],
	  const size_t stride_blocks[DCTLOAD_MAX_COMPONENTS])
{
	for (u32 k = 0; k < plan->num_targets; k++) {
		struct target *const t = &plan->targets[k];

		for (u32 s = 0; s < t->num_sources; s++) {
			const enum dctload_status status =
				source_take(plan, t, &t->sources[s], mcu_row,
					    rows, stride_blocks);

			if (status != DCTLOAD_OK)
				return status;
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
		struct target *const t = &plan->targets[k];

		target_advance(plan, t);
		if (t->num_done < t->num_across)
			status = DCTLOAD_BAD_ARGUMENT;
		else if (t->mean_weight != 0 && t->num_sources != 0)
			target_release(t, plan->kernels);
	}
	if (status == DCTLOAD_OK && plan->num_ops != 0)
		status = plan_run_pixels(plan);
	plan->num_targets = 0;
	plan->num_ops = 0;
	return status;
}
