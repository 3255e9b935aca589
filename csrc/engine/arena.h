/* SPDX-License-Identifier: MIT */
/* arena.h - memory that many threads take from and one call gives back */
#ifndef DCTLOAD_ARENA_H
#define DCTLOAD_ARENA_H

#include <pthread.h>

#include "../common.h"

struct arena_chunk;

/*
 * Chunks that no arena uses now.  Batches that are decoded leave theirs to those
 * that are read next, so there are as many as are in use at a time, and the one
 * used last, which is still in a cache, goes first.
 */
struct chunk_pool {
	pthread_mutex_t lock;
	struct arena_chunk *first;
	u32 num_chunks;
};

void chunk_pool_init(struct chunk_pool *pool);
void chunk_pool_destroy(struct chunk_pool *pool);

struct arena {
	pthread_mutex_t lock;
	struct arena_chunk *first;
};

void arena_init(struct arena *a);

/* To the system, not to a pool, which may be gone. */
void arena_destroy(struct arena *a);

/* 64-byte aligned; NULL if there is no memory.  For any thread. */
void *arena_alloc(struct arena *a, struct chunk_pool *pool, size_t nbytes);

/* Everything given out so far is free again.  No thread may be allocating. */
void arena_reset(struct arena *a, struct chunk_pool *pool);

#endif /* DCTLOAD_ARENA_H */
