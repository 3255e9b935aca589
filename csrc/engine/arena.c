/* SPDX-License-Identifier: MIT */
/* arena.c - memory that many threads take from and one call gives back */
#include <stdlib.h>
#include <sys/mman.h>

#include "arena.h"

#define ARENA_ALIGN 64

/*
 * Small against a batch, large against a file: 64 files of 100 KB fill two
 * chunks.  A larger file gets a chunk of its own.
 */
#define ARENA_CHUNK_NBYTES ((size_t)4 << 20)

/* As much as the batches that are read ahead; more goes back to the system. */
#define POOL_MAX_CHUNKS 8

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

struct arena_chunk {
	struct arena_chunk *next;
	size_t capacity, used;
	u8 *memory;
};

/*
 * Straight from the system: malloc() would take it from the heap of whichever
 * thread is reading, each with room for the most that it ever held.
 */
static struct arena_chunk *
chunk_alloc(size_t capacity)
{
	struct arena_chunk *c = malloc(sizeof(*c));
	void *memory;

	if (c == NULL)
		return NULL;
	memory = mmap(NULL, capacity, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		free(c);
		return NULL;
	}
	*c = (struct arena_chunk){ .capacity = capacity, .memory = memory };
	return c;
}

static void
chunk_free(struct arena_chunk *c)
{
	(void)munmap(c->memory, c->capacity);
	free(c);
}

static void
free_list(struct arena_chunk *first)
{
	struct arena_chunk *next;

	for (struct arena_chunk *c = first; c != NULL; c = next) {
		next = c->next;
		chunk_free(c);
	}
}

/* ---- the pool --------------------------------------------------------------- */

void
chunk_pool_init(struct chunk_pool *pool)
{
	pthread_mutex_init(&pool->lock, NULL);
	pool->first = NULL;
	pool->num_chunks = 0;
}

void
chunk_pool_destroy(struct chunk_pool *pool)
{
	free_list(pool->first);
	pthread_mutex_destroy(&pool->lock);
}

static struct arena_chunk *
pool_take(struct chunk_pool *pool)
{
	struct arena_chunk *c;

	pthread_mutex_lock(&pool->lock);
	c = pool->first;
	if (c != NULL) {
		pool->first = c->next;
		pool->num_chunks--;
	}
	pthread_mutex_unlock(&pool->lock);
	return c;
}

static void
pool_give(struct chunk_pool *pool, struct arena_chunk *c)
{
	bool kept = false;

	c->used = 0;
	pthread_mutex_lock(&pool->lock);
	if (c->capacity == ARENA_CHUNK_NBYTES &&
	    pool->num_chunks < POOL_MAX_CHUNKS) {
		c->next = pool->first;
		pool->first = c;
		pool->num_chunks++;
		kept = true;
	}
	pthread_mutex_unlock(&pool->lock);
	if (!kept)
		chunk_free(c);
}

/* ---- the arena -------------------------------------------------------------- */

void
arena_init(struct arena *a)
{
	pthread_mutex_init(&a->lock, NULL);
	a->first = NULL;
}

void
arena_destroy(struct arena *a)
{
	free_list(a->first);
	pthread_mutex_destroy(&a->lock);
}

/*
 * The first chunk with room for 'nbytes', one more if there is none.  First fit
 * looks at every chunk, of which a batch has a dozen.
 */
static struct arena_chunk *
find_room(struct arena *a, struct chunk_pool *pool, size_t nbytes)
{
	struct arena_chunk **link = &a->first;
	struct arena_chunk *c = NULL;

	for (; *link != NULL; link = &(*link)->next) {
		if ((*link)->capacity - (*link)->used >= nbytes)
			return *link;
	}
	if (nbytes <= ARENA_CHUNK_NBYTES)
		c = pool_take(pool);
	if (c == NULL)
		c = chunk_alloc(nbytes > ARENA_CHUNK_NBYTES ?
					nbytes :
					ARENA_CHUNK_NBYTES);
	if (c != NULL) {
		c->next = NULL;
		*link = c;
	}
	return c;
}

void *
arena_alloc(struct arena *a, struct chunk_pool *pool, size_t nbytes)
{
	struct arena_chunk *c;
	void *p = NULL;

	if (nbytes > SIZE_MAX - ARENA_ALIGN)
		return NULL;
	if (nbytes == 0)
		nbytes = 1;
	nbytes = (nbytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);

	pthread_mutex_lock(&a->lock);
	c = find_room(a, pool, nbytes);
	if (c != NULL) {
		p = c->memory + c->used;
		c->used += nbytes;
	}
	pthread_mutex_unlock(&a->lock);
	return p;
}

void
arena_reset(struct arena *a, struct chunk_pool *pool)
{
	struct arena_chunk *c = a->first;

	/* First: a fork in between must not find a chunk in two places. */
	a->first = NULL;
	while (c != NULL) {
		struct arena_chunk *next = c->next;

		pool_give(pool, c);
		c = next;
	}
}
