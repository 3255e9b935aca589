/* SPDX-License-Identifier: MIT */
/* taps.c - from the steps of an axis to the weights of each output sample */

#include <math.h>
#include <stdlib.h>

#include "kernels.h"
#include "taps.h"

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

/* So that weights of a row may be written by eights. */
static inline size_t
round_up8(size_t n)
{
	return (n + 7) / 8 * 8;
}

static bool
taps_grow(struct taps *t, u32 num_rows, size_t num_weights)
{
	t->num_rows = num_rows;
	return grow((void **)&t->first, &t->first_capacity, num_rows,
		    sizeof(*t->first)) &&
	       grow((void **)&t->num, &t->num_capacity, num_rows,
		    sizeof(*t->num)) &&
	       grow((void **)&t->at, &t->at_capacity, num_rows,
		    sizeof(*t->at)) &&
	       grow((void **)&t->cover, &t->cover_capacity, num_rows,
		    sizeof(*t->cover)) &&
	       /* Where no row sees anything there is something to point to. */
	       grow((void **)&t->weights, &t->weights_capacity, num_weights + 1,
		    sizeof(*t->weights));
}

static void
taps_free(struct taps *t)
{
	free(t->first);
	free(t->num);
	free(t->at);
	free(t->cover);
	free(t->weights);
	memset(t, 0, sizeof(*t));
}

void
taps_scratch_free(struct taps_scratch *scratch)
{
	taps_free(&scratch->result);
	taps_free(&scratch->next);
	taps_free(&scratch->product);
	free(scratch->next_row);
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
	cs->inv = 1 / cs->stretch;
	cs->support = filter_support(s->filter) * cs->stretch;
	cs->lo = lo > 0 ? (s64)fmin(lo, in_size) : 0;
	cs->hi = hi > 0 ? (s64)fmin(hi, in_size) : 0;
	/* Nothing is seen where 'lo' is above 'hi'. */
	cs->hi = cs->hi > cs->lo ? cs->hi : cs->lo;
	cs->out_size = out_size;
	cs->filter = s->filter;
}

/* Weights of samples a, a + 1, ..; returns their sum. */
static double
step_weights(const struct comp_step *cs, double centre, s64 a, u32 n, float *w)
{
	double sum = 0;

	for (u32 k = 0; k < n; k++) {
		const double weight = filter_weight(
			cs->filter, ((double)a + k + 0.5 - centre) * cs->inv);

		w[k] = (float)weight;
		sum += weight;
	}
	return sum;
}

/* Row 'j', normalised and without zeros at its ends; has eight floats to spare. */
static void
step_row(struct taps *t, const struct comp_step *cs, u32 j)
{
	float *w = t->weights + t->at[j];
	double centre, sum;
	s64 a, b;
	u32 n;

	step_window(cs, j, &centre, &a, &b);
	n = (u32)(b - a);
	sum = step_weights(cs, centre, a, n, w);
	t->num[j] = 0;
	if (n == 0 || sum < MIN_WEIGHT * cs->stretch)
		return;
	for (u32 k = 0; k < n; k++)
		w[k] *= (float)(1 / sum);
	memset(w + n, 0, 8 * sizeof(*w));
	while (w[n - 1] == 0)
		n--;
	for (; *w == 0; w++, a++, n--)
		;
	t->at[j] = (size_t)(w - t->weights);
	t->first[j] = (u32)a;
	t->num[j] = n;
}

static bool
step_taps(struct taps *t, const struct comp_step *cs)
{
	/* A window of 2 x support holds one sample more at most. */
	const double widest =
		fmin(2 * cs->support + 2,
		     (double)(cs->hi > cs->lo ? cs->hi - cs->lo : 0));
	const bool triangle = cs->filter == DCTLOAD_BILINEAR;
	const size_t room = round_up8((size_t)widest) + (triangle ? 0 : 8);

	/* In locals, as the compiler thinks that a store may change them. */
	const u32 num_rows = cs->out_size;
	const u32 *num;
	size_t *at;
	float *cover;

	if (!taps_grow(t, num_rows, room * num_rows))
		return false;
	at = t->at;
	for (u32 j = 0; j < num_rows; j++)
		at[j] = j * room;
	if (triangle) {
		dct_kernels()->triangle_rows(t, cs, (u32)widest);
	} else {
		memset(t->first, 0, num_rows * sizeof(*t->first));
		for (u32 j = 0; j < num_rows; j++)
			step_row(t, cs, j);
	}
	num = t->num;
	cover = t->cover;
	for (u32 j = 0; j < num_rows; j++)
		cover[j] = num[j] != 0;
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

/* product = outer x inner */
static bool
taps_multiply(struct taps *product, const struct taps *outer,
	      const struct taps *inner)
{
	size_t at = 0;
	u32 first, end;

	for (u32 j = 0; j < outer->num_rows; j++) {
		product_window(outer, inner, j, &first, &end);
		at += round_up8(end - first);
	}
	if (!taps_grow(product, outer->num_rows, at))
		return false;
	memset(product->weights, 0, at * sizeof(*product->weights));
	at = 0;
	for (u32 j = 0; j < outer->num_rows; j++) {
		product_window(outer, inner, j, &first, &end);
		product->first[j] = first;
		product->num[j] = end - first;
		product->at[j] = at;
		product->cover[j] = 0;
		for (u32 k = 0; k < outer->num[j]; k++) {
			const u32 row = outer->first[j] + k;
			const float w = outer->weights[outer->at[j] + k];
			const float *const in = inner->weights + inner->at[row];
			float *const out = product->weights + at +
					   (inner->first[row] - first);

			product->cover[j] += w * inner->cover[row];
			for (u32 i = 0; i < inner->num[row]; i++)
				out[i] += w * in[i];
		}
		at += round_up8(end - first);
	}
	return true;
}

/* Step 'k' of 'key', whose input has 'in_size' samples. */
static void
axis_step(struct comp_step *cs, const struct axis_key *key, u32 k, u32 in_size)
{
	const bool last = k + 1 == key->num_steps;
	const struct ratio out = last ? key->out : key->in;
	const u32 out_size =
		last ? key->out_size : ratio_size(key->steps[k].out_size, out);

	step_to_component(cs, &key->steps[k], key->in, out, in_size, out_size);
}

/*
 * The windows of rows are in order, so those of the first and last row bound what
 * all see.  A sample more on each side covers what variants round differently.
 */
void
axis_reach(const struct axis_key *key, u32 *first_ret, u32 *end_ret)
{
	struct comp_step cs[DCTLOAD_MAX_STEPS];
	s64 lo = 0, hi = key->in_size;
	u32 in_size = key->in_size;

	for (u32 k = 0; k < key->num_steps; k++) {
		axis_step(&cs[k], key, k, in_size);
		in_size = cs[k].out_size;
		hi = in_size;
	}
	for (u32 k = key->num_steps; k-- != 0 && lo < hi;) {
		s64 a[2], b[2];
		double centre;

		step_window(&cs[k], (u32)lo, &centre, &a[0], &b[0]);
		step_window(&cs[k], (u32)(hi - 1), &centre, &a[1], &b[1]);
		lo = (a[0] < a[1] ? a[0] : a[1]) - 1;
		hi = (b[0] > b[1] ? b[0] : b[1]) + 1;
		lo = lo < cs[k].lo ? cs[k].lo : lo;
		hi = hi > cs[k].hi ? cs[k].hi : hi;
	}
	*first_ret = lo < hi ? (u32)lo / 8 : 0;
	*end_ret = lo < hi ? (u32)(hi + 7) / 8 : 0;
}

const struct taps *
axis_taps(struct taps_scratch *scratch, const struct axis_key *key)
{
	u32 in_size = key->in_size;

	for (u32 k = 0; k < key->num_steps; k++) {
		struct taps *const to =
			k == 0 ? &scratch->result : &scratch->next;
		struct taps old;
		struct comp_step cs;

		axis_step(&cs, key, k, in_size);
		in_size = cs.out_size;
		if (!step_taps(to, &cs))
			return NULL;
		if (k == 0)
			continue;
		if (!taps_multiply(&scratch->product, to, &scratch->result))
			return NULL;
		old = scratch->result;
		scratch->result = scratch->product;
		scratch->product = old;
	}
	return &scratch->result;
}
