/* SPDX-License-Identifier: MIT */
/* reorder.h - from a lane's window to rows of blocks in natural order */
#ifndef DCTLOAD_REORDER_H
#define DCTLOAD_REORDER_H

#include "../common.h"
#include "markers.h"

/*
 * A window holds 'num_mcus' MCUs of 'num_slots' blocks each.  Block 'slot' of MCU
 * m goes to dst[slot] + m * step[slot] coefficients, if m < num_wanted[slot]; the
 * others only pad MCUs beyond the grid, or are not asked for.
 */
struct reorder {
	s16 *window;
	u32 num_mcus, num_slots;
	s16 *dst[MAX_MCU_BLOCKS];
	u32 step[MAX_MCU_BLOCKS];
	u32 num_wanted[MAX_MCU_BLOCKS];
};

/* Move the blocks, from zigzag to natural order, and leave the window zero. */
void reorder_window(const struct reorder *r);

#endif /* DCTLOAD_REORDER_H */
