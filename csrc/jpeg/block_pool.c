/* SPDX-License-Identifier: MIT */
/* block_pool.c - memory for the blocks of images that are open side by side */

#include "block_pool.h"

#include <stdlib.h>

/* More is not kept: 4 MB, twice what is gathered of a sequential image. */
#define MAX_KEPT_BLOCKS ((4u << 20) / BLOCK_NBYTES)

void
block_pool_free(struct block_pool *pool)
{
	for (u32 i = 0; i < pool->num_free; i++)
		free(pool->free[i].blocks);
	pool->num_free = 0;
}

/* The place of the smallest that is large enough, else of the largest. */
static u32
best_fit(const struct block_pool *pool, size_t num_blocks)
{
	u32 best = 0;

	for (u32 i = 1; i < pool->num_free; i++) {
		const size_t have = pool->free[best].capacity;
		const size_t other = pool->free[i].capacity;

		if (have < num_blocks ? other > have :
					other >= num_blocks && other < have)
			best = i;
	}
	return best;
}

bool
block_pool_take(struct block_pool *pool, size_t num_blocks,
		struct block_memory *memory_ret)
{
	struct block_memory found = { 0 };
	void *p = NULL;

	if (pool->num_free != 0) {
		const u32 i = best_fit(pool, num_blocks);

		found = pool->free[i];
		pool->free[i] = pool->free[--pool->num_free];
	}
	/* Mostly there is one, the last image's: it must not only ever grow. */
	if (found.capacity < num_blocks || found.capacity > 2 * num_blocks) {
		free(found.blocks);
		found = (struct block_memory){ 0 };
		if (posix_memalign(&p, 64, num_blocks * BLOCK_NBYTES) == 0)
			found = (struct block_memory){ p, num_blocks };
	}
	*memory_ret = found;
	return found.blocks != NULL;
}

void
block_pool_give(struct block_pool *pool, struct block_memory *memory)
{
	if (memory->capacity > MAX_KEPT_BLOCKS ||
	    pool->num_free == ARRAY_LEN(pool->free))
		free(memory->blocks);
	else if (memory->blocks != NULL)
		pool->free[pool->num_free++] = *memory;
	*memory = (struct block_memory){ 0 };
}
