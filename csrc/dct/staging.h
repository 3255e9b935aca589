/* SPDX-License-Identifier: MIT */
/*
 * staging.h - output that is made in cache and then written past it
 *
 * The batch that a sample belongs to is larger than a cache, and what it held last
 * is of no use.  An ordinary store reads each line before it changes it; one that
 * does not must have the whole line at once, but emission makes a line in pieces.
 * So a component is made in memory that stays in L2 and moved at the end.
 */
#ifndef DCTLOAD_STAGING_H
#define DCTLOAD_STAGING_H

#include "emit.h"

struct staging {
	u8 *memory;
	size_t capacity;
	u8 *out; /* where the emission belongs; NULL: nothing is staged */
};

/* Have 'e' write to 'staging', if it is in one piece and not too large. */
void staging_begin(struct staging *staging, struct emission *e);

/* Move what it has written to where it belongs, for all threads to see. */
void staging_end(struct staging *staging, struct emission *e);

#endif /* DCTLOAD_STAGING_H */
