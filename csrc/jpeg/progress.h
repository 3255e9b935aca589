/* SPDX-License-Identifier: MIT */
/* progress.h - which scans may follow which (T.81 G.1.1.1) */
#ifndef DCTLOAD_PROGRESS_H
#define DCTLOAD_PROGRESS_H

#include "../common.h"
#include "header.h"

/* What the scans so far have coded. */
struct progress {
	/*
	 * coded[c][k] is 0 if nothing is known of zigzag coefficient k of
	 * component c, else 1 + the number of low bits still to come.
	 */
	u8 coded[DCTLOAD_MAX_COMPONENTS][BLOCK_COEFS];
};

/*
 * Check a scan against those before it, and note it.  False if T.81 does not
 * allow it; libjpeg only warns, or refuses, as the case may be.
 */
bool progress_add_scan(struct progress *p, const struct scan_header *scan);

/* True if component 'c' has its DC coefficients, up to some bit. */
bool progress_has_dc(const struct progress *p, u32 c);

/* True if every bit of every coefficient is there. */
bool progress_is_complete(const struct progress *p, u32 num_components);

#endif /* DCTLOAD_PROGRESS_H */
