/* SPDX-License-Identifier: MIT */
/* arena.c - memory that many threads take from and one call gives back */
#include <stdlib.h>

#include "arena.h"

#define ARENA_ALIGN 64

/*
 * Small against a batch, large against a file: 64 files of 100 KB fill two
 * chunks.  A larger file gets a chunk of its own.
 */
#define ARENA_CHUNK_NBYTES ((size_t)4 << 20)

struct arena_chunk {
	struct arena_chunk *next;
	size_t capacity, used;
	u8 *memory;
};

void
arena_init(struct arena *a)
{
	pthread_mutex_init(&a->lock, NULL);
	a->first = NULL;
}

static void
chunk_free(struct arena_chunk *c)
{
	free(c->memory);
	free(c);
}

void
arena_destroy(struct arena *a)
{
	struct arena_chunk *next;

	for (struct arena_chunk *c = a->first; c != NULL; c = next) {
		next = c->next;
		chunk_free(c);
	}
	pthread_mutex_destroy(&a->lock);
}

static struct arena_chunk *
chunk_alloc(size_t min_nbytes)
{
	struct arena_chunk *c = malloc(sizeof(*c));

	if (c == NULL)
		return NULL;
	c->next = NULL;
	c->used = 0;
	c->capacity = ARENA_CHUNK_NBYTES;
	if (min_nbytes > c->capacity)
		c->capacity = min_nbytes;
	c->memory = aligned_alloc(ARENA_ALIGN, c->capacity);
	if (c->memory == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

/*
 * The first chunk with room for 'nbytes', made if there is none.  First fit
 * looks at every chunk, of which a batch has a dozen.
 */
static struct arena_chunk *
find_room(struct arena *a, size_t nbytes)
{
	struct arena_chunk **link = &a->first;

	for (; *link != NULL; link = &(*link)->next) {
		if ((*link)->capacity - (*link)->used >= nbytes)
			return *link;
	}
	*link = chunk_alloc(nbytes);
	return *link;
}

void *
arena_alloc(struct arena *a, size_t nbytes)
{
	struct arena_chunk *c;
	void *p = NULL;

	if (nbytes > SIZE_MAX - ARENA_ALIGN)
		return NULL;
	if (nbytes == 0)
		nbytes = 1;
	nbytes = (nbytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);

	pthread_mutex_lock(&a->lock);
	c = find_room(a, nbytes);
	if (c != NULL) {
		p = c->memory + c->used;
		c->used += nbytes;
	}
	pthread_mutex_unlock(&a->lock);
	return p;
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk **link = &a->first;

	while (*link != NULL) {
		struct arena_chunk *c = *link;

		if (c->used == 0 || c->capacity > ARENA_CHUNK_NBYTES) {
			*link = c->next;
			chunk_free(c);
		} else {
			c->used = 0;
			link = &c->next;
		}
	}
}
