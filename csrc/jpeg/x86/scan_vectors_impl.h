/* SPDX-License-Identifier: MIT */
/* scan_vectors_impl.h - sixteen lanes as vectors see them */
#ifndef DCTLOAD_SCAN_VECTORS_IMPL_H
#define DCTLOAD_SCAN_VECTORS_IMPL_H

#include "../scan_vectors.h"

/*
 * What a hot loop needs of its lanes, an array for each thing; see
 * scan_template.h.  Tables are pointers divided by the size of an entry.
 */
typedef u64 lane_words[SCAN_MAX_LANES];

struct scan_vectors {
	_Alignas(64) lane_words progress; /* and the block's address */
	lane_words run_end;               /* as a progress */
	lane_words buf, next;             /* as in struct bitreader */
	lane_words end;                   /* of the input */
	lane_words table;
	lane_words ac; /* of the current block */
	/* Of the next block, and in bit 0 which pair of tables it has. */
	lane_words next_dc, next_ac, pairs;
	lane_words pair_dc[SCAN_MAX_PAIRS], pair_ac[SCAN_MAX_PAIRS];
	lane_words entry; /* the last ones, for the rare cases */

	struct scan_lane *lanes[SCAN_MAX_LANES];
	u32 busy;    /* lanes that are not idle, a bit for each */
	u32 stopped; /* of them, those to be returned */
	/* Where the lane that others know as 'i' is, and the inverse. */
	u8 place[SCAN_MAX_LANES], name[SCAN_MAX_LANES];
	_Alignas(SCAN_BLOCK_NBYTES) struct scan_block idle_block;
	u8 idle_input[2 * sizeof(u64)];
};

/*
 * The address of the next coefficient is a part of the progress, so that going on
 * to the next block is one more addition.
 */
#define PROGRESS_BLOCK 16
#define PROGRESS_ONE_BLOCK ((u64)SCAN_BLOCK_NBYTES << PROGRESS_OFFSET)
STATIC_ASSERT(PROGRESS_ONE_BLOCK == (u64)1 << PROGRESS_BLOCK);

#define GROUP_LEN 8
STATIC_ASSERT(2 * GROUP_LEN == SCAN_MAX_LANES);

/* Decode until there are lanes that 'stopped'. */
void scan_run_avx512(struct scan_vectors *v);

/* The same where all lanes of the second group are idle. */
void scan_run_half_avx512(struct scan_vectors *v);

/*
 * Lanes, as bits from lane 'first' on, whose last entry was no ordinary one, and
 * lanes that are at the end of their runs.
 */
void scan_handle_rare(struct scan_vectors *v, u32 first, u32 rare, u32 ended);

/* Lanes whose input is over. */
void scan_handle_past_end(struct scan_vectors *v, u32 first, u32 past);

#endif /* DCTLOAD_SCAN_VECTORS_IMPL_H */
