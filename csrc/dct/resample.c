/* SPDX-License-Identifier: MIT */
/* resample.c - from steps to filter taps, from taps to DCT-domain operators */

#include <math.h>
#include <stdlib.h>

#include "kernels.h"
#include "taps.h"

/* D[u][k] = c(u) cos(pi (2 k + 1) u / 16), c(0) = sqrt(1/8), else 1/2. */
#define C1 0.49039264020161522f
#define C2 0.46193976625564337f
#define C3 0.41573480615127262f
#define C4 0.35355339059327376f
#define C5 0.27778511650980111f
#define C6 0.19134171618254489f
#define C7 0.09754516100806413f

const float dct_matrix_t_f32[8][8] = {
	{ C4, C1, C2, C3, C4, C5, C6, C7 },
	{ C4, C3, C6, -C7, -C4, -C1, -C2, -C5 },
	{ C4, C5, -C6, -C1, -C4, C7, C2, C3 },
	{ C4, C7, -C2, -C5, C4, C3, -C6, -C1 },
	{ C4, -C7, -C2, C5, C4, -C3, -C6, C1 },
	{ C4, -C5, -C6, C1, -C4, -C7, C2, -C3 },
	{ C4, -C3, C6, C7, -C4, C1, -C2, C5 },
	{ C4, -C1, C2, -C3, C4, -C5, C6, -C7 },
};

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

/* ---- operators --------------------------------------------------------- */

/* The rows of output block 'o'; past the last sample it is repeated. */
static inline u32
block_row(const struct taps *t, u32 o, u32 k)
{
	return min_u32(8 * o + k, t->num_rows - 1);
}

static void
block_span(const struct taps *t, u32 o, struct axis_span *span)
{
	u32 first = UINT32_MAX, end = 0;

	for (u32 k = 0; k < 8; k++) {
		const u32 row = block_row(t, o, k);

		if (t->num[row] == 0)
			continue;
		first = min_u32(first, t->first[row] / 8);
		end = max_u32(end, (t->first[row] + t->num[row] + 7) / 8);
	}
	span->first = end == 0 ? 0 : first;
	span->end = end;
}

/*
 * If output block 'o' copies the samples of block 'i' in order (+1) or reversed
 * (-1), else 0.  Then M is diagonal with entries 1 or (-1)^u, and taking them
 * as such keeps whole numbers whole.
 */
static int
block_copies(const struct taps *t, u32 o, u32 i)
{
	bool same = true, reversed = true;

	for (u32 k = 0; k < 8; k++) {
		const u32 row = block_row(t, o, k);

		if (t->num[row] != 1 || t->weights[t->at[row]] != 1)
			return 0;
		same &= t->first[row] == 8 * i + k;
		reversed &= t->first[row] == 8 * i + 7 - k;
	}
	return same ? 1 : reversed ? -1 : 0;
}

/* The wanted rows of D as [sample][frequency], zero past them. */
static void
wanted_dct(const struct axis_key *key, float dt[8][8])
{
	memset(dt, 0, 8 * sizeof(dt[0]));
	for (u32 k = 0; k < 8; k++)
		for (u32 f = 0; f < key->num_freqs; f++)
			dt[k][f] = dct_matrix_t_f32[k][key->freqs[f]];
}

/* M[o,i] = D (R[o,i] D^T), as [in frequency][out frequency]. */
static void
block_matrix(const struct taps *t, const struct axis_key *key, u32 o, u32 i,
	     const float dt[8][8], float m[8][8])
{
	const int copies = block_copies(t, o, i);
	float r[8][8] = { 0 };

	if (copies != 0) {
		memset(m, 0, 8 * sizeof(m[0]));
		for (u32 f = 0; f < key->num_freqs; f++) {
			const u32 u = key->freqs[f];

			m[u][f] = copies < 0 && u % 2 == 1 ? -1 : 1;
		}
		return;
	}
	for (u32 k = 0; k < 8; k++) {
		const u32 row = block_row(t, o, k);
		const double *const w = t->weights + t->at[row];
		const u32 first = max_u32(t->first[row], 8 * i);
		const u32 end = min_u32(t->first[row] + t->num[row], 8 * i + 8);

		for (u32 s = first; s < end; s++)
			r[k][s % 8] = (float)w[s - t->first[row]];
	}
	dct_kernels()->matrix(m, (const float (*)[8])r, dt);
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

static enum dctload_status
axis_build_spans(struct axis_op *op, const struct taps *t)
{
	size_t num_coefs = 0;

	op->num_in = ceil_div_u32(op->key.in_size, 8);
	op->num_out = ceil_div_u32(op->key.out_size, 8);
	op->first_in = op->num_in;
	op->end_in = 0;
	if (!grow((void **)&op->out_spans, &op->spans_capacity, op->num_out,
		  sizeof(*op->out_spans)))
		return DCTLOAD_NO_MEMORY;
	for (u32 o = 0; o < op->num_out; o++) {
		struct axis_span *const span = &op->out_spans[o];

		block_span(t, o, span);
		span->at = num_coefs;
		num_coefs += span->end - span->first;
		if (span->first < span->end) {
			op->first_in = min_u32(op->first_in, span->first);
			op->end_in = max_u32(op->end_in, span->end);
		}
	}
	if (op->end_in == 0)
		op->first_in = 0;
	op->num_coefs = num_coefs;
	return DCTLOAD_OK;
}

static enum dctload_status
axis_build_blocks(struct axis_op *op, const struct taps *t)
{
	float dt[8][8];

	if (!grow((void **)&op->coefs, &op->coefs_capacity, op->num_coefs + 1,
		  sizeof(*op->coefs)))
		return DCTLOAD_NO_MEMORY;
	wanted_dct(&op->key, dt);
	for (u32 o = 0; o < op->num_out; o++) {
		const struct axis_span *const span = &op->out_spans[o];

		for (u32 i = span->first; i < span->end; i++)
			block_matrix(t, &op->key, o, i, (const float (*)[8])dt,
				     op->coefs[span->at + (i - span->first)]);
	}
	op->factored = false;
	return DCTLOAD_OK;
}

/* Whether every output block is a copy of an input block. */
static bool
axis_copies(const struct axis_op *op, const struct taps *t)
{
	for (u32 o = 0; o < op->num_out; o++)
		if (op->out_spans[o].end != op->out_spans[o].first + 1 ||
		    block_copies(t, o, op->out_spans[o].first) == 0)
			return false;
	return true;
}

/* R D^T, row by row. */
static enum dctload_status
axis_build_halves(struct axis_op *op, const struct taps *t)
{
	const struct dct_kernels *const kernels = dct_kernels();
	const u32 num_rows = 8 * op->num_out;
	size_t at = 0;

	if (!grow((void **)&op->half_rows, &op->half_rows_capacity, num_rows,
		  sizeof(*op->half_rows)))
		return DCTLOAD_NO_MEMORY;
	for (u32 k = 0; k < num_rows; k++) {
		struct axis_half *const half = &op->half_rows[k];
		const u32 row = block_row(t, 0, k);

		half->first = t->first[row] / 8;
		half->end = (t->first[row] + t->num[row] + 7) / 8;
		if (t->num[row] == 0)
			half->end = half->first;
		half->at = at;
		at += half->end - half->first;
	}
	if (!grow((void **)&op->halves, &op->halves_capacity, at + 1,
		  sizeof(*op->halves)))
		return DCTLOAD_NO_MEMORY;
	for (u32 k = 0; k < num_rows; k++) {
		const u32 row = block_row(t, 0, k);

		kernels->half(op->halves + op->half_rows[k].at,
			      t->weights + t->at[row], t->first[row],
			      t->num[row]);
	}
	op->factored = true;
	return DCTLOAD_OK;
}

/* What the operator makes of an axis of ones. */
static bool
axis_build_cover(struct axis_op *op, const struct taps *t)
{
	if (!grow((void **)&op->cover, &op->cover_capacity, op->num_out,
		  sizeof(*op->cover)))
		return false;
	op->covers_all = true;
	for (u32 o = 0; o < op->num_out; o++) {
		double ones[8] = { 0 };

		for (u32 k = 0; k < 8; k++) {
			const u32 row = block_row(t, o, k);

			for (u32 n = 0; n < t->num[row]; n++)
				ones[k] += t->weights[t->at[row] + n];
			op->covers_all &= fabs(ones[k] - 1) < 1e-9;
		}
		for (u32 f = 0; f < 8; f++) {
			double sum = 0;

			for (u32 k = 0; k < 8; k++)
				sum += ones[k] * dct_matrix_t_f32[k][f];
			op->cover[o][f] = (float)sum;
		}
	}
	return true;
}

enum dctload_status
axis_build(struct axis_op *op, struct taps_scratch *scratch,
	   const struct axis_key *key)
{
	enum dctload_status status;
	const struct taps *t;

	op->valid = false;
	op->has_columns = false;
	op->key = *key;
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
	status = axis_build_spans(op, t);
	if (status == DCTLOAD_OK && !axis_build_cover(op, t))
		status = DCTLOAD_NO_MEMORY;
	if (status == DCTLOAD_OK)
		status = key->may_factor != 0 && !axis_copies(op, t) ?
				 axis_build_halves(op, t) :
				 axis_build_blocks(op, t);
	op->key = *key;
	op->valid = status == DCTLOAD_OK;
	return status;
}

/* Output blocks, or their samples, that input block 'j' reaches. */
static void
column_reach(struct axis_column *col, u32 o)
{
	col->first = min_u32(col->first, o);
	col->num_vecs = max_u32(col->num_vecs, o + 1);
}

static void
columns_reach(struct axis_op *op)
{
	for (u32 j = 0; j < op->num_in; j++)
		op->columns[j] = (struct axis_column){ .first = UINT32_MAX };
	if (op->factored) {
		for (u32 k = 0; k < 8 * op->num_out; k++)
			for (u32 j = op->half_rows[k].first;
			     j < op->half_rows[k].end; j++)
				column_reach(&op->columns[j], k);
		return;
	}
	for (u32 o = 0; o < op->num_out; o++)
		for (u32 j = op->out_spans[o].first; j < op->out_spans[o].end;
		     j++)
			column_reach(&op->columns[j], o);
}

/* Fill in 'rows', which is zero. */
static void
columns_copy(struct axis_op *op, u32 nf)
{
	for (u32 k = 0; k < 8 * op->num_out && op->factored; k++) {
		const struct axis_half *const half = &op->half_rows[k];

		for (u32 j = half->first; j < half->end; j++) {
			const struct axis_column *const col = &op->columns[j];
			const float *const m =
				op->halves[half->at + (j - half->first)];
			float *const row = op->rows + col->at + k - col->first;

			for (u32 u = 0; u < 8; u++)
				row[u * VEC_FLOATS * col->num_vecs] = m[u];
		}
	}
	for (u32 o = 0; o < op->num_out && !op->factored; o++) {
		const struct axis_span *const span = &op->out_spans[o];

		for (u32 j = span->first; j < span->end; j++) {
			const struct axis_column *const col = &op->columns[j];
			const float (*const m)[8] =
				op->coefs[span->at + (j - span->first)];
			float *const row =
				op->rows + col->at + o * nf - col->first;

			for (u32 u = 0; u < 8; u++)
				memcpy(row + u * VEC_FLOATS * col->num_vecs,
				       m[u], nf * sizeof(float));
		}
	}
}

enum dctload_status
axis_make_columns(struct axis_op *op)
{
	const u32 nf = op->factored ? 1 : op->key.num_freqs;
	const u32 num_masks = op->num_in / 32 + 1;
	size_t at = 0;

	if (op->has_columns)
		return DCTLOAD_OK;
	if (!grow((void **)&op->columns, &op->columns_capacity, op->num_in,
		  sizeof(*op->columns)) ||
	    !grow((void **)&op->width_masks, &op->masks_capacity, num_masks,
		  sizeof(*op->width_masks)))
		return DCTLOAD_NO_MEMORY;
	memset(op->width_masks, 0, num_masks * sizeof(*op->width_masks));
	columns_reach(op);
	for (u32 j = 0; j < op->num_in; j++) {
		struct axis_column *const col = &op->columns[j];
		const u32 reach = col->num_vecs > col->first ?
					  col->num_vecs - col->first :
					  0;

		col->first = reach == 0 ? 0 : col->first * nf;
		col->num_vecs = ceil_div_u32(reach * nf, VEC_FLOATS);
		col->at = at;
		at += (size_t)col->num_vecs * VEC_FLOATS * 8;
		if (reach != 0)
			op->width_masks[j / 32][min_u32(col->num_vecs, 3) -
						1] |= (u64)3 << j % 32 * 2;
	}
	if (!grow((void **)&op->rows, &op->rows_capacity, at + 8,
		  sizeof(*op->rows)))
		return DCTLOAD_NO_MEMORY;
	memset(op->rows, 0, (at + 8) * sizeof(*op->rows));
	columns_copy(op, nf);
	op->has_columns = true;
	return DCTLOAD_OK;
}

void
axis_free(struct axis_op *op)
{
	free(op->out_spans);
	free(op->coefs);
	free(op->cover);
	free(op->columns);
	free(op->rows);
	free(op->half_rows);
	free(op->halves);
	free(op->width_masks);
	memset(op, 0, sizeof(*op));
}
