/* SPDX-License-Identifier: MIT */
/* packed.c - rows of blocks in a fourth of their memory */

#include "packed.h"

#include <stdlib.h>

#include "../cpu.h"
#include "x86/packed_avx512.h"

/* ---- memory ---------------------------------------------------------------- */

/* So many chunks at a time. */
#define SLAB_CHUNKS 16

/* What is kept once no image is open; more is of some that were unusual. */
#define KEPT_SLABS 64

struct packed_slab {
	struct packed_slab *next;
	struct packed_chunk *chunks; /* SLAB_CHUNKS */
};

void
packed_free_pool(struct packed_pool *pool)
{
	struct packed_slab *next;

	for (struct packed_slab *s = pool->slabs; s != NULL; s = next) {
		next = s->next;
		free(s->chunks);
		free(s);
	}
	*pool = (struct packed_pool){ 0 };
}

static bool
add_slab(struct packed_pool *pool)
{
	struct packed_slab *const s = malloc(sizeof(*s));
	void *chunks;

	if (s == NULL)
		return false;
	if (posix_memalign(&chunks, 64,
			   SLAB_CHUNKS * sizeof(struct packed_chunk)) != 0) {
		free(s);
		return false;
	}
	*s = (struct packed_slab){ pool->slabs, chunks };
	pool->slabs = s;
	pool->num_slabs++;
	for (u32 i = SLAB_CHUNKS; i-- != 0;) {
		s->chunks[i].next = pool->free;
		pool->free = &s->chunks[i];
	}
	return true;
}

static struct packed_chunk *
take_chunk(struct packed_pool *pool)
{
	struct packed_chunk *c;

	if (pool->free == NULL && !add_slab(pool))
		return NULL;
	c = pool->free;
	pool->free = c->next;
	c->next = NULL;
	pool->num_used++;
	return c;
}

/* ---- blocks ------------------------------------------------------------------ */

static void
go_on_in(struct packed_blocks *blocks, struct packed_chunk *c)
{
	blocks->last = c;
	blocks->at = c->bytes;
	blocks->last_start = c->bytes + PACKED_LAST_START;
}

bool
packed_begin(struct packed_blocks *blocks, struct packed_pool *pool)
{
	struct packed_chunk *const c = take_chunk(pool);

	*blocks = (struct packed_blocks){ .pool = pool, .first = c };
	if (c == NULL)
		return false;
	go_on_in(blocks, c);
	return true;
}

void
packed_clear(struct packed_blocks *blocks)
{
	struct packed_pool *const pool = blocks->pool;
	struct packed_chunk *next;

	for (struct packed_chunk *c = blocks->first; c != NULL; c = next) {
		next = c->next;
		c->next = pool->free;
		pool->free = c;
		pool->num_used--;
	}
	blocks->first = NULL;
	if (pool != NULL && pool->num_used == 0 && pool->num_slabs > KEPT_SLABS)
		packed_free_pool(pool);
}

void
packed_extend(struct packed_blocks *blocks)
{
	struct packed_chunk *c = take_chunk(blocks->pool);

	if (c == NULL) {
		blocks->failed = true;
		c = blocks->last;
	} else {
		blocks->last->next = c;
	}
	go_on_in(blocks, c);
}

struct packed_reader
packed_read_begin(const struct packed_blocks *blocks)
{
	return (struct packed_reader){ blocks->first, blocks->first->bytes };
}

#if ARCH_X86_64
bool
packed_pays(void)
{
	return cpu_has(CPU_AVX512);
}

TARGET_PACKED void
packed_read(struct packed_reader *reader, s16 *out, u32 num)
{
	const u8 *p = reader->at;

	for (u32 i = 0; i < num; i++, out += BLOCK_COEFS) {
		if (unlikely(p > reader->chunk->bytes + PACKED_LAST_START)) {
			reader->chunk = reader->chunk->next;
			p = reader->chunk->bytes;
		}
		p = unpack_block_avx512(p, out);
	}
	reader->at = p;
}
#else
bool
packed_pays(void)
{
	return false;
}

void
packed_read(struct packed_reader *reader, s16 *out, u32 num)
{
	(void)reader;
	(void)out;
	(void)num;
}
#endif
