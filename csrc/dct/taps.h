/* SPDX-License-Identifier: MIT */
/* taps.h - the resampling matrix R of one axis, by its non-zero entries */
#ifndef DCTLOAD_TAPS_H
#define DCTLOAD_TAPS_H

#include "resample.h"

/*
 * Row t holds weights[at[t]..], num[t] of them, from column first[t] on, and behind
 * them zeros up to a multiple of eight.  Their sum, what the row makes of a column of
 * ones, is cover[t].
 */
struct taps {
	u32 num_rows;
	u32 *first, *num;
	size_t *at;
	float *cover, *weights;
	size_t first_capacity, num_capacity, at_capacity, cover_capacity;
	size_t weights_capacity;
};

/* Memory that is used again for the next axis. */
struct taps_scratch {
	struct taps result, next, product;
	size_t *next_row; /* of axis_build() */
	size_t next_row_capacity;
};

/* One step in the coordinates of one component. */
struct comp_step {
	double start, step;
	double stretch; /* of the filter: max(|step|, 1) */
	double inv;     /* 1 / stretch */
	double support; /* half-width of the stretched filter */
	s64 lo, hi;     /* samples seen: [lo, hi) */
	u32 out_size;
	u32 filter;
};

/*
 * A position that sees less than this part of its filter sees nothing.  It lies
 * outside, or on the negative lobes of a filter, where dividing by the sum of
 * weights would have no sense.
 */
#define MIN_WEIGHT 1e-3

/* Whole numbers next to 'x'; whatever is far outside any axis will do there. */
static inline s64
floor_s64(double x)
{
	/* So that what is no number is bounded too. */
	const double above = x > -1e15 ? x : -1e15;
	const double bounded = above < 1e15 ? above : 1e15;
	const s64 i = (s64)bounded;

	return i - (bounded < (double)i);
}

static inline s64
ceil_s64(double x)
{
	return -floor_s64(-x);
}

/* The window of samples that row 'j' may see, before weights are looked at. */
static inline void
step_window(const struct comp_step *cs, u32 j, double *centre_ret, s64 *a_ret,
	    s64 *b_ret)
{
	const double centre = cs->start + cs->step * (j + 0.5);
	const s64 a = ceil_s64(centre - cs->support - 0.5);
	const s64 b = floor_s64(centre + cs->support - 0.5) + 1;

	*centre_ret = centre;
	*a_ret = a < cs->lo ? cs->lo : a > cs->hi ? cs->hi : a;
	*b_ret = b > cs->hi ? cs->hi : b < *a_ret ? *a_ret : b;
}

/*
 * Input blocks [*first_ret, *end_ret) that the operator of 'key' may read; none if
 * they are equal.
 */
void axis_reach(const struct axis_key *key, u32 *first_ret, u32 *end_ret);

/* All steps multiplied; NULL if there is no memory. */
const struct taps *
axis_taps(struct taps_scratch *scratch, const struct axis_key *key);

void taps_scratch_free(struct taps_scratch *scratch);

#endif /* DCTLOAD_TAPS_H */
