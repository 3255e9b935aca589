/* SPDX-License-Identifier: MIT */
/* scan_vectors.h - sixteen lanes in the lanes of vectors, where a CPU can */
#ifndef DCTLOAD_SCAN_VECTORS_H
#define DCTLOAD_SCAN_VECTORS_H

#include "scan.h"

bool scan_has_vectors(void);
struct scan_vectors *scan_alloc_vectors(void);
void scan_free_vectors(struct scan_vectors *v);

/*
 * Let vector lane 'i' go on where 'lane' is; NULL: idle.  The lane has no more than
 * SCAN_MAX_PAIRS pairs of tables.
 */
void scan_vectors_set(struct scan_vectors *v, u32 i, struct scan_lane *lane);

/* Bring the lane back to where vector lane 'i' is, which is idle then. */
void scan_vectors_take(struct scan_vectors *v, u32 i);

/* True if 'num_lanes' are enough of them, or there is one to be returned. */
bool scan_vectors_pay(const struct scan_vectors *v, u32 num_lanes);

/* As scan_run(). */
u32 scan_vectors_run(struct scan_vectors *v);

#endif /* DCTLOAD_SCAN_VECTORS_H */
