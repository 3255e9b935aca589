/* SPDX-License-Identifier: MIT */
/* arena.h - memory that many threads take from and one call gives back */
#ifndef DCTLOAD_ARENA_H
#define DCTLOAD_ARENA_H

#include <pthread.h>

#include "../common.h"

struct arena_chunk;

/*
 * Chunks stay allocated over arena_reset(), so that work repeated on as much
 * data takes no memory from the system and no page faults.
 */
struct arena {
	pthread_mutex_t lock;
	struct arena_chunk *first;
};

void arena_init(struct arena *a);
void arena_destroy(struct arena *a);

/* 64-byte aligned; NULL if there is no memory.  For any thread. */
void *arena_alloc(struct arena *a, size_t nbytes);

/*
 * Everything given out so far is free again.  Chunks that were not used since
 * the last reset, or hold one huge file, go back to the system.  No thread may
 * be allocating.
 */
void arena_reset(struct arena *a);

#endif /* DCTLOAD_ARENA_H */
