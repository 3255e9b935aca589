/* SPDX-License-Identifier: MIT */
/* scan.h - the blocks of a sequential scan, several images interleaved */
#ifndef DCTLOAD_SCAN_H
#define DCTLOAD_SCAN_H

#include "../common.h"
#include "bitreader.h"
#include "huffman.h"

/*
 * Why lanes.  Decoding one stream is bound by latency: each table lookup waits
 * for the one before it, some nine cycles in which a CPU could run forty
 * instructions.  Two images in turn fill the gaps.
 *
 * A lane decodes a run of blocks into a window, in the order of the file, the
 * coefficients of a block in zigzag order, DC as the difference that is coded.
 */

/*
 * A block of a window and its tables.  A step stores four coefficients from
 * anywhere in the block on, so it may spill over its end, into the next block's
 * 'spill'; nobody reads that.
 */
struct scan_block {
	u8 spill[48];
	const huff_run_entry *ac, *next_dc; /* this AC's, the next DC's */
	s16 coefs[BLOCK_COEFS];
};
STATIC_ASSERT(sizeof(struct scan_block) % 64 == 0);
STATIC_ASSERT(sizeof(((struct scan_block *)0)->spill) >=
	      (15 + RUN_NUM_VALUES) * sizeof(s16));

/* One block of an MCU: its tables. */
struct scan_slot {
	struct huff_table *dc, *ac;
	u32 component; /* of the scan */
};

#define WINDOW_BLOCKS 40
STATIC_ASSERT(WINDOW_BLOCKS >= MAX_MCU_BLOCKS);

/* How many images to interleave: more need more registers than there are. */
#define SCAN_MAX_LANES 2

struct scan_lane {
	struct bitreader bits;
	struct scan_block *block;
	u32 offset; /* of the next coefficient in it, in bytes */
	const huff_run_entry *table; /* of the next symbol */
	struct scan_block *run_begin, *run_end;

	const u8 *start, *end; /* the segment, without stuffing */
	u64 run_position;      /* where in it the run begins, in bits */
	bool failed;           /* scan_redo_run() tells why */
	bool zero_fill;        /* missing data are zeros, not an error */
	u64 error_position;    /* the last symbol, in bits from 'start' */

	s32 dc_pred[DCTLOAD_MAX_COMPONENTS]; /* before the run */
	struct scan_slot slots[MAX_MCU_BLOCKS];
	u32 num_slots;
	_Alignas(64) struct scan_block window[WINDOW_BLOCKS + 1];
};

/* Set up the window for the MCUs that 'slots' describe. */
void scan_begin(struct scan_lane *lane);

/*
 * Begin a run of 'num_mcus', as many as fit the window at most.  Its blocks are
 * the last ones of the window, so that every run ends at the same place.
 */
u32 scan_max_run(const struct scan_lane *lane);
void scan_begin_run(struct scan_lane *lane, u32 num_mcus);

/*
 * Decode until a lane has finished its run, or has 'failed', and return which.
 */
u32 scan_run(struct scan_lane *const lanes[SCAN_MAX_LANES], u32 num_lanes);

/* The run took bits from behind the segment's end. */
static inline bool
scan_is_past_end(const struct scan_lane *lane)
{
	return bits_position(&lane->bits, lane->start) >
	       (u64)(lane->end - lane->start) * 8;
}

/*
 * Decode the run again, slowly, block by block, to see what is wrong.
 *
 * TRUNCATED if data are missing.  With 'zero_fill' the MCU in which they end is
 * completed with zero bits, as libjpeg does, and '*num_mcus_ret' is the number
 * of MCUs that the run has then.  Else 'error_position' is set.
 */
enum dctload_status scan_redo_run(struct scan_lane *lane, u32 *num_mcus_ret);

/* ---- for scan_template.h ----------------------------------------------- */

/*
 * What the hot loop leaves: a symbol that is not in a table, or an entry that
 * led past the block's end; 'offset' is where.  False if the bits are no code or
 * lead past the end indeed; else the lane is ready for its next step.
 */
bool scan_finish_step(struct scan_lane *lane, const huff_run_entry entry);

#endif /* DCTLOAD_SCAN_H */
