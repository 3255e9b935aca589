/* SPDX-License-Identifier: MIT */
/* taps.h - the resampling matrix R of one axis, by its non-zero entries */
#ifndef DCTLOAD_TAPS_H
#define DCTLOAD_TAPS_H

#include "resample.h"

/* Row t holds weights[at[t]..], num[t] of them, from column first[t] on. */
struct taps {
	u32 num_rows;
	u32 *first, *num;
	size_t *at;
	double *weights;
	size_t first_capacity, num_capacity, at_capacity, weights_capacity;
};

/* Memory that is used again for the next axis. */
struct taps_scratch {
	struct taps result, next, product;
	u32 *placed; /* of axis_build() */
	size_t placed_capacity;
};

/* All steps multiplied; NULL if there is no memory. */
const struct taps *
axis_taps(struct taps_scratch *scratch, const struct axis_key *key);

void taps_scratch_free(struct taps_scratch *scratch);

#endif /* DCTLOAD_TAPS_H */
