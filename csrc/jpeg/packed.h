/* SPDX-License-Identifier: MIT */
/*
 * packed.h - rows of blocks in a fourth of their memory
 *
 * What sixteen images gather before a plan sees it is 10 MB in each thread, several
 * times the L2, and mostly zeros: of the 64 coefficients of a photograph's block 16
 * are not zero, and but for one block in twenty its AC coefficients fit a byte.
 *
 * In zigzag order, where zeros come together, a block is
 *
 *	u16 low	 a bit for each group of four coefficients with a low byte
 *	u16 high	 the same for the high bytes
 *	s16 dc
 *	the groups of low bytes, then those of high bytes
 *
 * where a coefficient is 256 times its high byte plus its low byte, both signed, and
 * DC counts as 0 in the groups.
 */
#ifndef DCTLOAD_PACKED_H
#define DCTLOAD_PACKED_H

#include "../common.h"

/* Room and to spare, for whole vectors are stored. */
#define PACKED_HEADER_NBYTES 6
#define PACKED_MAX_NBYTES (PACKED_HEADER_NBYTES + 2 * BLOCK_COEFS)

/* Of a page; a row of blocks ends in the middle of one on average. */
#define PACKED_CHUNK_NBYTES (4096 - sizeof(void *))

/* A block that begins at or before this place of a chunk fits. */
#define PACKED_LAST_START (PACKED_CHUNK_NBYTES - PACKED_MAX_NBYTES)

struct packed_chunk {
	struct packed_chunk *next;
	u8 bytes[PACKED_CHUNK_NBYTES];
};

/* Chunks for the images of one thread; begins as zeros. */
struct packed_pool {
	struct packed_slab *slabs;
	struct packed_chunk *free; /* the one used last first */
	u32 num_used, num_slabs;
};

void packed_free_pool(struct packed_pool *pool);

/* Blocks one after the other. */
struct packed_blocks {
	struct packed_pool *pool;
	struct packed_chunk *first, *last;
	u8 *at, *last_start; /* in 'last': the next block, if not behind this */
	size_t num_blocks;
	bool failed; /* there was no memory: some are lost */
};

/* Whether this CPU packs blocks in less time than it saves. */
bool packed_pays(void);

/* None yet; false if there is no memory.  'blocks' must hold nothing. */
bool packed_begin(struct packed_blocks *blocks, struct packed_pool *pool);

/* Give the memory back; of nothing, if it is zeros. */
void packed_clear(struct packed_blocks *blocks);

/* Go on in a new chunk, or, without memory, over what is in this one. */
void packed_extend(struct packed_blocks *blocks);

/* Where reading is; any number may read the same blocks. */
struct packed_reader {
	const struct packed_chunk *chunk;
	const u8 *at;
};

struct packed_reader packed_read_begin(const struct packed_blocks *blocks);

/* The next 'num' of them, in natural order, to where 64-byte lines begin. */
void packed_read(struct packed_reader *reader, s16 *out, u32 num);

#endif /* DCTLOAD_PACKED_H */
