/* SPDX-License-Identifier: MIT */
/*
 * block_pool.h - memory for the blocks of images that are open side by side
 *
 * Sixteen images that each kept memory for the largest so far would take several
 * times what sixteen images need at a time, in every thread.
 */
#ifndef DCTLOAD_BLOCK_POOL_H
#define DCTLOAD_BLOCK_POOL_H

#include "scan.h"

struct block_memory {
	s16 *blocks; /* NULL: none */
	size_t capacity;
};

/* What no image has now; one thread's. */
struct block_pool {
	struct block_memory free[SCAN_MAX_LANES];
	u32 num_free;
};

void block_pool_free(struct block_pool *pool);

/* Room for 'num_blocks', 64-byte aligned; false if there is no memory. */
bool block_pool_take(struct block_pool *pool, size_t num_blocks,
		     struct block_memory *memory_ret);

/* It may be none. */
void block_pool_give(struct block_pool *pool, struct block_memory *memory);

#endif /* DCTLOAD_BLOCK_POOL_H */
