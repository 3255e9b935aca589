/* SPDX-License-Identifier: MIT */
/* reorder.h - from a lane's window to rows of blocks in natural order */
#ifndef DCTLOAD_REORDER_H
#define DCTLOAD_REORDER_H

#include "../common.h"
#include "packed.h"
#include "scan.h"

/*
 * 'blocks' are 'num_mcus' MCUs of 'num_slots' blocks each.  Block 'slot' of MCU m
 * goes to dst[slot] + m * step[slot] coefficients, if m < num_wanted[slot]; the
 * others only pad MCUs beyond the grid, or are not asked for.
 */
struct reorder {
	struct scan_block *blocks;
	u32 num_mcus, num_slots;
	struct packed_blocks *packed[MAX_MCU_BLOCKS]; /* instead of 'dst' */
	bool packs;
	s16 *dst[MAX_MCU_BLOCKS];
	u32 step[MAX_MCU_BLOCKS];
	u32 num_wanted[MAX_MCU_BLOCKS];
	s32 *dc_pred[MAX_MCU_BLOCKS]; /* the same for a component's blocks */
	bool bypass_cache;            /* nobody reads 'dst' soon */
};

/*
 * Add up the DC differences, move the blocks from zigzag to natural order, and
 * leave their coefficients zero.  False if a DC coefficient left 16 bits.
 */
bool reorder_blocks(const struct reorder *r);

/* Before another thread may read what 'r' has stored. */
void reorder_finish(const struct reorder *r);

#endif /* DCTLOAD_REORDER_H */
