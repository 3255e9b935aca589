/* SPDX-License-Identifier: MIT */
/* taps.c - from the steps of an axis to the weights of each output sample */

#include <math.h>
#include <stdlib.h>

#include "taps.h"

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
	       grow((void **)&t->weights, &t->weights_capacity, num_weights + 1,
		    sizeof(*t->weights));
}

static void
taps_free(struct taps *t)
{
	free(t->first);
	free(t->num);
	free(t->at);
	free(t->weights);
	memset(t, 0, sizeof(*t));
}

void
taps_scratch_free(struct taps_scratch *scratch)
{
	taps_free(&scratch->result);
	taps_free(&scratch->next);
	taps_free(&scratch->product);
	free(scratch->placed);
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

/* Weights of samples a, a + 1, ..; returns their sum. */
static double
step_weights(const struct comp_step *cs, double centre, s64 a, u32 n, double *w)
{
	const double inv = 1 / cs->stretch;
	const double x0 = ((double)a + 0.5 - centre) * inv;
	double sum = 0;

	if (cs->filter == DCTLOAD_BILINEAR) {
		for (u32 k = 0; k < n; k++) {
			const double weight = 1 - fabs(x0 + k * inv);

			w[k] = weight > 0 ? weight : 0;
			sum += w[k];
		}
		return sum;
	}
	for (u32 k = 0; k < n; k++) {
		w[k] = filter_weight(cs->filter,
				     ((double)a + k + 0.5 - centre) * inv);
		sum += w[k];
	}
	return sum;
}

/* Row 'j', normalised and without zeros at its ends, to 'w'. */
static u32
step_row(const struct comp_step *cs, u32 j, double *w, u32 *first_ret)
{
	double centre, sum, factor;
	u32 n, skip = 0;
	s64 a, b;

	step_window(cs, j, &centre, &a, &b);
	n = (u32)(b - a);
	sum = step_weights(cs, centre, a, n, w);
	*first_ret = 0;
	if (n == 0 || sum < MIN_WEIGHT * cs->stretch)
		return 0;
	while (w[n - 1] == 0)
		n--;
	while (w[skip] == 0)
		skip++;
	n -= skip;
	factor = 1 / sum;
	for (u32 k = 0; k < n; k++)
		w[k] = sum == 1 ? w[k + skip] : w[k + skip] * factor;
	*first_ret = (u32)a + skip;
	return n;
}

static bool
step_taps(struct taps *t, const struct comp_step *cs)
{
	/* A window of 2 x support holds one sample more at most. */
	const double widest =
		fmin(2 * cs->support + 2,
		     (double)(cs->hi > cs->lo ? cs->hi - cs->lo : 0));
	const size_t room = (size_t)widest;

	if (!taps_grow(t, cs->out_size, room * cs->out_size))
		return false;
	for (u32 j = 0; j < cs->out_size; j++) {
		t->at[j] = j * room;
		t->num[j] =
			step_row(cs, j, t->weights + t->at[j], &t->first[j]);
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

/* product = outer x inner */
static bool
taps_multiply(struct taps *product, const struct taps *outer,
	      const struct taps *inner)
{
	size_t at = 0;
	u32 first, end;

	for (u32 j = 0; j < outer->num_rows; j++) {
		product_window(outer, inner, j, &first, &end);
		at += end - first;
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
		for (u32 k = 0; k < outer->num[j]; k++) {
			const u32 row = outer->first[j] + k;
			const double w = outer->weights[outer->at[j] + k];
			const double *const in =
				inner->weights + inner->at[row];
			double *const out = product->weights + at +
					    (inner->first[row] - first);

			for (u32 i = 0; i < inner->num[row]; i++)
				out[i] += w * in[i];
		}
		at += end - first;
	}
	return true;
}

const struct taps *
axis_taps(struct taps_scratch *scratch, const struct axis_key *key)
{
	u32 in_size = key->in_size;

	for (u32 k = 0; k < key->num_steps; k++) {
		const bool last = k + 1 == key->num_steps;
		const struct ratio out = last ? key->out : key->in;
		const u32 out_size =
			last ? key->out_size :
			       ratio_size(key->steps[k].out_size, out);
		struct taps *const to =
			k == 0 ? &scratch->result : &scratch->next;
		struct taps old;
		struct comp_step cs;

		step_to_component(&cs, &key->steps[k], key->in, out, in_size,
				  out_size);
		in_size = out_size;
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
