/* SPDX-License-Identifier: MIT */
/* resample.c - from steps to filter taps, from taps to DCT-domain operators */

#include <math.h>
#include <stdlib.h>

#include "kernels.h"
#include "taps.h"

#define ROW0 DCT_C4, DCT_C1, DCT_C2, DCT_C3, DCT_C4, DCT_C5, DCT_C6, DCT_C7
#define ROW1 DCT_C4, DCT_C3, DCT_C6, -DCT_C7, -DCT_C4, -DCT_C1, -DCT_C2, -DCT_C5
#define ROW2 DCT_C4, DCT_C5, -DCT_C6, -DCT_C1, -DCT_C4, DCT_C7, DCT_C2, DCT_C3
#define ROW3 DCT_C4, DCT_C7, -DCT_C2, -DCT_C5, DCT_C4, DCT_C3, -DCT_C6, -DCT_C1
#define ROW4 DCT_C4, -DCT_C7, -DCT_C2, DCT_C5, DCT_C4, -DCT_C3, -DCT_C6, DCT_C1
#define ROW5 DCT_C4, -DCT_C5, -DCT_C6, DCT_C1, -DCT_C4, -DCT_C7, DCT_C2, -DCT_C3
#define ROW6 DCT_C4, -DCT_C3, DCT_C6, DCT_C7, -DCT_C4, DCT_C1, -DCT_C2, DCT_C5
#define ROW7 DCT_C4, -DCT_C1, DCT_C2, -DCT_C3, DCT_C4, -DCT_C5, DCT_C6, -DCT_C7
#define ZEROS 0, 0, 0, 0, 0, 0, 0, 0

const float dct_matrix_t_f32[8][8] = {
	{ ROW0 }, { ROW1 }, { ROW2 }, { ROW3 },
	{ ROW4 }, { ROW5 }, { ROW6 }, { ROW7 },
};

const float dct_matrix_twice[16][16] = {
	{ ROW0 },        { ROW1 },        { ROW2 },        { ROW3 },
	{ ROW4 },        { ROW5 },        { ROW6 },        { ROW7 },
	{ ZEROS, ROW0 }, { ZEROS, ROW1 }, { ZEROS, ROW2 }, { ZEROS, ROW3 },
	{ ZEROS, ROW4 }, { ZEROS, ROW5 }, { ZEROS, ROW6 }, { ZEROS, ROW7 },
};

const float dct_gains[8] = { DCT_C4, DCT_C1, DCT_C2, DCT_C1,
			     DCT_C4, DCT_C1, DCT_C2, DCT_C1 };

bool
grow(void **array, size_t *capacity, size_t n, size_t size)
{
	void *p;

	if (n <= *capacity)
		return true;
	if (n > SIZE_MAX / 2 / size)
		return false;
	p = aligned_alloc(64, (n * size + 63) & ~(size_t)63);
	if (p == NULL)
		return false;
	free(*array);
	*array = p;
	*capacity = n;
	return true;
}

bool
grow_tiles(float **tiles, size_t *capacity, size_t n)
{
	const size_t old = *capacity;

	if (!grow((void **)tiles, capacity, n + EMIT_SLACK, sizeof(**tiles)))
		return false;
	if (*capacity != old)
		memset(*tiles, 0, *capacity * sizeof(**tiles));
	return true;
}

/* ---- operators --------------------------------------------------------- */

/* The row of R of an output row; past the last sample it is repeated. */
static inline u32
tap_row(const struct taps *t, u32 out_row)
{
	return min_u32(out_row, t->num_rows - 1);
}

/*
 * If output block 'o' copies the samples of an input block in order (+1) or
 * reversed (-1), else 0.  Then the operator is diagonal with entries 1 or (-1)^u,
 * and taking it as such keeps whole numbers whole.
 */
static int
block_copies(const struct taps *t, u32 o)
{
	const u32 base = t->first[tap_row(t, 8 * o)] & ~7u;
	bool same = true, reversed = true;

	for (u32 k = 0; k < 8; k++) {
		const u32 row = tap_row(t, 8 * o + k);

		if (t->num[row] != 1 || t->weights[t->at[row]] != 1)
			return 0;
		same &= t->first[row] == base + k;
		reversed &= t->first[row] == base + 7 - k;
	}
	return same ? 1 : reversed ? -1 : 0;
}

static bool
axis_copies(const struct taps *t, u32 num_out)
{
	for (u32 o = 0; o < num_out; o++)
		if (block_copies(t, o) == 0)
			return false;
	return true;
}

enum dctload_status
axis_check_steps(const struct dctload_step *steps, u32 num_steps)
{
	if (num_steps > DCTLOAD_MAX_STEPS)
		return DCTLOAD_BAD_ARGUMENT;
	for (u32 k = 0; k < num_steps; k++) {
		const struct dctload_step *const s = &steps[k];

		if (!isfinite(s->lo) || !isfinite(s->hi) ||
		    !isfinite(s->start) || !isfinite(s->step) || s->step == 0 ||
		    s->out_size == 0 || s->out_size > AXIS_MAX_SIZE ||
		    s->filter > DCTLOAD_LANCZOS)
			return DCTLOAD_BAD_ARGUMENT;
	}
	return DCTLOAD_OK;
}

/* An output row meets input blocks [first, end). */
static inline void
meet_blocks(struct axis_column *columns, u32 first, u32 end)
{
	columns[first].num++;
	if (end <= first + 2) {
		/* One block or two, in no order that could be predicted. */
		columns[first + 1].num += end == first + 2;
		columns[first + 1].num_begun += end == first + 2;
		return;
	}
	for (u32 j = first + 1; j < end; j++) {
		columns[j].num++;
		columns[j].num_begun++;
	}
}

/*
 * Rows that are met, in the columns' counts, the rest in 'empty'; and where the
 * rows of each output block find what they meet.
 */
static void
count_rows(struct axis_op *op, const struct taps *t)
{
	op->num_empty = 0;
	op->first_in = op->num_in;
	op->end_in = 0;
	memset(op->columns, 0, (op->num_in + 1) * sizeof(*op->columns));
	for (u32 o = 0; o < op->num_out; o++) {
		struct axis_span span = { .first = op->num_in };

		for (u32 k = 0; k < 8; k++) {
			const u32 row = tap_row(t, 8 * o + k);
			const u32 s = t->first[row], num = t->num[row];

			if (num == 0) {
				op->empty[op->num_empty++] = 8 * o + k;
				continue;
			}
			meet_blocks(op->columns, s / 8, (s + num + 7) / 8);
			span.first = min_u32(span.first, s / 8);
			span.end = max_u32(span.end, (s + num + 7) / 8);
		}
		op->out_spans[o] = span;
		op->first_in = min_u32(op->first_in, span.first);
		op->end_in = max_u32(op->end_in, span.end);
	}
	if (op->end_in == 0)
		op->first_in = 0;
}

/* Do output blocks become complete in descending order? */
static bool
is_backwards(const struct axis_op *op)
{
	const struct axis_span *const spans = op->out_spans;
	u32 first = 0, last = op->num_out - 1;

	while (first < last && spans[first].end == 0)
		first++;
	while (last > first && spans[last].end == 0)
		last--;
	return spans[last].end < spans[first].end ||
	       (spans[last].end == spans[first].end &&
		spans[last].first < spans[first].first);
}

/*
 * Widen spans so that their bounds are in order: taps that are zero by chance
 * and blocks without any would break it.
 */
static void
order_spans(struct axis_op *op)
{
	struct axis_span *const spans = op->out_spans;
	const u32 last = op->num_out - 1;
	u32 first = op->end_in, end = 0;

	op->backwards = is_backwards(op);
	for (u32 k = 0; k <= last; k++) {
		const u32 o = op->backwards ? last - k : k;

		end = max_u32(end, spans[o].end);
		spans[o].end = end;
	}
	for (u32 k = 0; k <= last; k++) {
		const u32 o = op->backwards ? k : last - k;

		first = min_u32(first, spans[o].first);
		spans[o].first = min_u32(first, spans[o].end);
	}
}

/*
 * Where the rows of each column begin, and in it those of either kind; returns
 * how many there are in all.
 */
static size_t
place_columns(struct axis_op *op, size_t *next)
{
	size_t at = 0;

	for (u32 j = 0; j < op->num_in; j++) {
		op->columns[j].at = at;
		next[2 * j] = at + op->columns[j].num_begun;
		next[2 * j + 1] = at;
		at += op->columns[j].num;
	}
	next[2 * op->num_in] = next[2 * op->num_in + 1] = at;
	return at;
}

/* An operator that copies: rows are amplitudes. */
static void
fill_copies(struct axis_op *op, const struct taps *t, size_t *next)
{
	for (u32 o = 0; o < op->num_out; o++) {
		const int sign = block_copies(t, o);

		for (u32 u = 0; u < 8; u++) {
			const u32 row = tap_row(t, 8 * o);
			const size_t at = next[t->first[row] / 8 * 2]++;

			op->rows[at] = 8 * o + u;
			memset(op->coefs[at], 0, sizeof(op->coefs[at]));
			op->coefs[at][u] = sign < 0 && u % 2 == 1 ? -1 : 1;
		}
	}
}

static void
set_cover(struct axis_op *op, const struct taps *t)
{
	const u32 num_rows = 8 * op->num_out;
	float *const cover = op->cover;
	bool all = true;

	memcpy(cover, t->cover,
	       min_u32(t->num_rows, num_rows) * sizeof(*cover));
	for (u32 r = t->num_rows; r < num_rows; r++)
		cover[r] = t->cover[t->num_rows - 1];
	for (u32 r = 0; r < num_rows; r++)
		all &= fabsf(cover[r] - 1) < 1e-6f;
	op->covers_all = all;
}

static enum dctload_status
axis_link(struct axis_op *op, struct taps_scratch *scratch,
	  const struct taps *t)
{
	const u32 num_rows = 8 * op->num_out;
	size_t total;

	op->copies = op->key.may_copy != 0 && axis_copies(t, op->num_out);
	if (!grow((void **)&op->out_spans, &op->spans_capacity, op->num_out,
		  sizeof(*op->out_spans)) ||
	    !grow((void **)&op->cover, &op->cover_capacity, num_rows,
		  sizeof(*op->cover)) ||
	    !grow((void **)&op->empty, &op->empty_capacity, num_rows,
		  sizeof(*op->empty)) ||
	    !grow((void **)&op->columns, &op->columns_capacity, op->num_in + 1,
		  sizeof(*op->columns)) ||
	    !grow((void **)&scratch->next_row, &scratch->next_row_capacity,
		  2 * (op->num_in + 1), sizeof(*scratch->next_row)))
		return DCTLOAD_NO_MEMORY;
	count_rows(op, t);
	order_spans(op);
	set_cover(op, t);
	total = place_columns(op, scratch->next_row);
	if (!grow((void **)&op->rows, &op->rows_capacity, total + 1,
		  sizeof(*op->rows)) ||
	    !grow((void **)&op->coefs, &op->coefs_capacity, total + 1,
		  sizeof(*op->coefs)))
		return DCTLOAD_NO_MEMORY;
	if (op->copies)
		fill_copies(op, t, scratch->next_row);
	else
		dct_kernels()->fill_rows(op, t, scratch->next_row);
	return DCTLOAD_OK;
}

enum dctload_status
axis_build(struct axis_op *op, struct taps_scratch *scratch,
	   const struct axis_key *key)
{
	enum dctload_status status;
	const struct taps *t;

	op->valid = false;
	op->key = *key;
	op->num_in = ceil_div_u32(key->in_size, 8);
	op->num_out = ceil_div_u32(key->out_size, 8);
	if (key->num_steps == 0) {
		/* Keep the axis: one step that copies it. */
		op->key.num_steps = 1;
		op->key.steps[0] = (struct dctload_step){
			.hi = key->luma_size,
			.step = 1,
			.out_size = key->luma_size,
			.filter = DCTLOAD_BILINEAR,
		};
	}
	t = axis_taps(scratch, &op->key);
	if (t == NULL)
		return DCTLOAD_NO_MEMORY;
	status = axis_link(op, scratch, t);
	op->key = *key;
	op->valid = status == DCTLOAD_OK;
	return status;
}

void
axis_free(struct axis_op *op)
{
	free(op->out_spans);
	free(op->cover);
	free(op->empty);
	free(op->columns);
	free(op->rows);
	free(op->coefs);
	memset(op, 0, sizeof(*op));
}
