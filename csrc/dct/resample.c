/* SPDX-License-Identifier: MIT */
/* resample.c - from steps to filter taps, from taps to DCT-domain operators */

#include <math.h>
#include <stdlib.h>

#include "kernels.h"

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

/* The rows of a resampling matrix: row t is weights[at[t]..] from first[t]. */
struct taps {
	u32 num_rows;
	u32 *first, *num;
	size_t *at;
	double *weights;
};

/*
 * A position that sees less than this part of its filter sees nothing.  It lies
 * outside, or on the negative lobes of a filter, where dividing by the sum of
 * weights would have no sense.
 */
#define MIN_WEIGHT 1e-3

/* One step in the coordinates of one component. */
struct comp_step {
	double start, step;
	double stretch; /* of the filter: max(|step|, 1) */
	double support; /* half-width of the stretched filter */
	s64 lo, hi;     /* samples seen: [lo, hi) */
	u32 out_size;
	u32 filter;
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

/* ---- filters ----------------------------------------------------------- */

static double
sinc(double x)
{
	if (x == 0)
		return 1;
	if (x == rint(x))
		return 0; /* so that copying samples is exact */
	x *= 3.14159265358979323846;
	return sin(x) / x;
}

static double
filter_weight(u32 filter, double x)
{
	const double a = fabs(x);

	switch (filter) {
	case DCTLOAD_BOX:
		return x > -0.5 && x <= 0.5 ? 1 : 0;
	case DCTLOAD_BILINEAR:
		return a < 1 ? 1 - a : 0;
	case DCTLOAD_BICUBIC:
		if (a < 1)
			return (1.5 * a - 2.5) * a * a + 1;
		return a < 2 ? ((-0.5 * a + 2.5) * a - 4) * a + 2 : 0;
	default:
		return a < 3 ? sinc(x) * sinc(x / 3) : 0;
	}
}

static double
filter_support(u32 filter)
{
	static const double support[] = { 0.5, 1, 2, 3 };

	return support[filter];
}

/* ---- taps -------------------------------------------------------------- */

static void
taps_free(struct taps *t)
{
	free(t->first);
	free(t->num);
	free(t->at);
	free(t->weights);
	memset(t, 0, sizeof(*t));
}

static bool
taps_alloc(struct taps *t, u32 num_rows, size_t num_weights)
{
	memset(t, 0, sizeof(*t));
	if (num_weights > SIZE_MAX / 2 / sizeof(*t->weights))
		return false;
	t->num_rows = num_rows;
	t->first = malloc(num_rows * sizeof(*t->first));
	t->num = malloc(num_rows * sizeof(*t->num));
	t->at = malloc(num_rows * sizeof(*t->at));
	t->weights = malloc((num_weights + 1) * sizeof(*t->weights));
	if (t->first == NULL || t->num == NULL || t->at == NULL ||
	    t->weights == NULL) {
		taps_free(t);
		return false;
	}
	return true;
}

/*
 * Sample j of the output covers [j, j + 1) / out of the step's output axis, and
 * a position P of its input axis is at sample P * in.
 */
static void
step_to_component(struct comp_step *cs, const struct dctload_step *s,
		  struct ratio in, struct ratio out, u32 in_size, u32 out_size)
{
	const double scale =
		(double)(in.num * out.den) / (double)(in.den * out.num);
	const double lo = floor(s->lo * in.num / in.den);
	const double hi = ceil(s->hi * in.num / in.den);

	cs->start = s->start * in.num / in.den;
	cs->step = s->step * scale;
	cs->stretch = fmax(fabs(cs->step), 1);
	cs->support = filter_support(s->filter) * cs->stretch;
	cs->lo = lo > 0 ? (s64)fmin(lo, in_size) : 0;
	cs->hi = hi > 0 ? (s64)fmin(hi, in_size) : 0;
	cs->out_size = out_size;
	cs->filter = s->filter;
}

/* The window of samples that row 'j' may see, before weights are looked at. */
static void
step_window(const struct comp_step *cs, u32 j, double *centre_ret, s64 *a_ret,
	    s64 *b_ret)
{
	const double centre = cs->start + cs->step * (j + 0.5);
	const double a = ceil(centre - cs->support - 0.5);
	const double b = floor(centre + cs->support - 0.5) + 1;

	*centre_ret = centre;
	*a_ret = a > (double)cs->lo ? (s64)fmin(a, (double)cs->hi) : cs->lo;
	*b_ret = b < (double)cs->hi ? (s64)fmax(b, (double)*a_ret) : cs->hi;
	if (*b_ret < *a_ret)
		*b_ret = *a_ret;
}

/* Weights of samples [a, b), normalised; drops zeros at both ends. */
static u32
step_row(const struct comp_step *cs, double centre, s64 a, s64 b, double *w,
	 u32 *first_ret)
{
	const double inv = 1 / cs->stretch;
	double sum = 0;
	u32 n = 0, skip = 0;

	for (s64 i = a; i < b; i++) {
		const double x = ((double)i + 0.5 - centre) * inv;
		const double weight = filter_weight(cs->filter, x);

		w[n++] = weight;
		sum += weight;
	}
	if (sum < MIN_WEIGHT * cs->stretch) {
		*first_ret = 0;
		return 0;
	}
	while (w[n - 1] == 0)
		n--;
	while (w[skip] == 0)
		skip++;
	n -= skip;
	for (u32 k = 0; k < n; k++)
		w[k] = w[k + skip] / sum;
	*first_ret = (u32)a + skip;
	return n;
}

static bool
step_taps(struct taps *t, const struct comp_step *cs)
{
	size_t at = 0;
	double centre;
	s64 a, b;

	for (u32 j = 0; j < cs->out_size; j++) {
		step_window(cs, j, &centre, &a, &b);
		at += (size_t)(b - a);
	}
	if (!taps_alloc(t, cs->out_size, at))
		return false;
	at = 0;
	for (u32 j = 0; j < cs->out_size; j++) {
		step_window(cs, j, &centre, &a, &b);
		t->at[j] = at;
		t->num[j] = step_row(cs, centre, a, b, t->weights + at,
				     &t->first[j]);
		at += t->num[j];
	}
	return true;
}

/* The columns that row 'j' of outer x inner touches. */
static void
product_window(const struct taps *outer, const struct taps *inner, u32 j,
	       u32 *first_ret, u32 *end_ret)
{
	u32 first = UINT32_MAX, end = 0;

	for (u32 k = 0; k < outer->num[j]; k++) {
		const u32 row = outer->first[j] + k;

		if (inner->num[row] == 0)
			continue;
		first = min_u32(first, inner->first[row]);
		end = max_u32(end, inner->first[row] + inner->num[row]);
	}
	*first_ret = end == 0 ? 0 : first;
	*end_ret = end;
}

/* 'outer' becomes the matrix product outer x inner. */
static bool
taps_multiply(struct taps *outer, const struct taps *inner)
{
	struct taps product;
	size_t at = 0;
	u32 first, end;

	for (u32 j = 0; j < outer->num_rows; j++) {
		product_window(outer, inner, j, &first, &end);
		at += end - first;
	}
	if (!taps_alloc(&product, outer->num_rows, at))
		return false;
	memset(product.weights, 0, at * sizeof(*product.weights));
	at = 0;
	for (u32 j = 0; j < outer->num_rows; j++) {
		product_window(outer, inner, j, &first, &end);
		product.first[j] = first;
		product.num[j] = end - first;
		product.at[j] = at;
		for (u32 k = 0; k < outer->num[j]; k++) {
			const u32 row = outer->first[j] + k;
			const double w = outer->weights[outer->at[j] + k];
			const double *const in =
				inner->weights + inner->at[row];
			double *const out = product.weights + at +
					    (inner->first[row] - first);

			for (u32 i = 0; i < inner->num[row]; i++)
				out[i] += w * in[i];
		}
		at += end - first;
	}
	taps_free(outer);
	*outer = product;
	return true;
}

/* The sample matrix of a whole axis. */
static bool
axis_taps(struct taps *t, const struct axis_key *key)
{
	u32 in_size = key->in_size;

	for (u32 k = 0; k < key->num_steps; k++) {
		const struct dctload_step *const s = &key->steps[k];
		const bool last = k + 1 == key->num_steps;
		const struct ratio out = last ? key->out : key->in;
		const u32 out_size =
			last ? key->out_size : ratio_size(s->out_size, out);
		struct comp_step cs;
		struct taps next;
		bool ok;

		step_to_component(&cs, s, key->in, out, in_size, out_size);
		if (k == 0) {
			if (!step_taps(t, &cs))
				return false;
		} else {
			ok = step_taps(&next, &cs) && taps_multiply(&next, t);
			taps_free(t);
			if (!ok) {
				taps_free(&next);
				return false;
			}
			*t = next;
		}
		in_size = out_size;
	}
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
axis_build_blocks(struct axis_op *op, const struct taps *t)
{
	size_t num_coefs = 0;
	float dt[8][8];

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
	if (!grow((void **)&op->coefs, &op->coefs_capacity, num_coefs + 1,
		  sizeof(*op->coefs)))
		return DCTLOAD_NO_MEMORY;
	wanted_dct(&op->key, dt);
	for (u32 o = 0; o < op->num_out; o++) {
		const struct axis_span *const span = &op->out_spans[o];

		for (u32 i = span->first; i < span->end; i++)
			block_matrix(t, &op->key, o, i, (const float (*)[8])dt,
				     op->coefs[span->at + (i - span->first)]);
	}
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

			for (u32 k = 0; k < 8 && f < op->key.num_freqs; k++)
				sum += ones[k] *
				       dct_matrix_t_f32[k][op->key.freqs[f]];
			op->cover[o][f] = (float)sum;
		}
	}
	return true;
}

enum dctload_status
axis_build(struct axis_op *op, const struct axis_key *key)
{
	enum dctload_status status;
	struct taps t = { 0 };

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
	if (!axis_taps(&t, &op->key)) {
		taps_free(&t);
		return DCTLOAD_NO_MEMORY;
	}
	status = axis_build_blocks(op, &t);
	if (status == DCTLOAD_OK && !axis_build_cover(op, &t))
		status = DCTLOAD_NO_MEMORY;
	taps_free(&t);
	op->key = *key;
	op->valid = status == DCTLOAD_OK;
	return status;
}

/* How far each input block reaches, as output blocks in 'first', 'num_vecs'. */
static void
columns_reach(struct axis_op *op)
{
	for (u32 j = 0; j < op->num_in; j++)
		op->columns[j] = (struct axis_column){ .first = UINT32_MAX };
	for (u32 o = 0; o < op->num_out; o++)
		for (u32 j = op->out_spans[o].first; j < op->out_spans[o].end;
		     j++) {
			struct axis_column *const col = &op->columns[j];

			col->first = min_u32(col->first, o);
			col->num_vecs = max_u32(col->num_vecs, o + 1);
		}
}

enum dctload_status
axis_make_columns(struct axis_op *op)
{
	const u32 nf = op->key.num_freqs;
	size_t at = 0;

	if (op->has_columns)
		return DCTLOAD_OK;
	if (!grow((void **)&op->columns, &op->columns_capacity, op->num_in,
		  sizeof(*op->columns)))
		return DCTLOAD_NO_MEMORY;
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
	}
	/* A row is written 8 floats at a time, past its end too. */
	if (!grow((void **)&op->rows, &op->rows_capacity, at + 8,
		  sizeof(*op->rows)))
		return DCTLOAD_NO_MEMORY;
	memset(op->rows, 0, (at + 8) * sizeof(*op->rows));
	for (u32 o = 0; o < op->num_out; o++) {
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
	memset(op, 0, sizeof(*op));
}
