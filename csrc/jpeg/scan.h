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
 * instructions.  Two images in turn fill the gaps; where vectors can load from
 * sixteen tables, sixteen images are decoded side by side.
 *
 * A lane decodes a run of blocks into a window, in the order of the file, the
 * coefficients of a block in zigzag order, DC as the difference that is coded.
 */

/*
 * A block of a window and its tables.  A step stores four coefficients from
 * anywhere in the block on, so it may spill over its end; nobody reads that.  Size
 * and alignment are such that an address tells where in a block it is.
 */
struct scan_block {
	s16 coefs[BLOCK_COEFS];
	u8 spill[64];
	const huff_run_entry *ac, *next_dc; /* this AC's, the next DC's */
	u8 unused[48];
};
#define SCAN_BLOCK_NBYTES 256
STATIC_ASSERT(sizeof(struct scan_block) == SCAN_BLOCK_NBYTES);
STATIC_ASSERT(SCAN_BLOCK_NBYTES == 2 * BLOCK_NBYTES);
STATIC_ASSERT(sizeof(((struct scan_block *)0)->spill) >=
	      (15 + RUN_MAX_PLACES) * sizeof(s16));

/* One block of an MCU: its tables. */
struct scan_slot {
	struct huff_table *dc, *ac;
	u32 component; /* of the scan */
};

#define WINDOW_BLOCKS 60
STATIC_ASSERT(WINDOW_BLOCKS >= MAX_MCU_BLOCKS);

/*
 * How many images to interleave: more need more registers than there are, which
 * are 15 and 30.  The portable code takes two.
 */
#define SCAN_SCALAR_LANES (ARCH_ARM64 ? 3 : 2)
#define SCAN_MAX_LANES 16

/*
 * While it runs, a lane counts in one number, so that one addition does: bits
 * consumed since the last refill, from bit 8 on the next coefficient's offset in
 * the block, in bytes, and between them a flag for EOB.  See RUN_PROGRESS().
 */
#define PROGRESS_NBITS 0x7F
#define PROGRESS_OFFSET 8
#define PROGRESS_DONE ((u32)BLOCK_NBYTES << PROGRESS_OFFSET | RUN_EOB)
#define PROGRESS_MAX ((u32)BLOCK_NBYTES << PROGRESS_OFFSET | 0xFF)

/* Between refills a lane makes three steps. */
#define STEPS_PER_REFILL 3
STATIC_ASSERT(STEPS_PER_REFILL *RUN_MAX_BITS <= REFILL_MIN_BITS);
STATIC_ASSERT(7 + STEPS_PER_REFILL * RUN_MAX_BITS <= PROGRESS_NBITS);

#define SCAN_MAX_PAIRS 2

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
	u32 max_run;      /* in MCUs */
	bool left_blocks; /* coefficients that are not zero */

	/*
	 * For vectors, the different pairs of tables in 'slots' and which of
	 * them each block of a run has, the first in bit 0.
	 */
	struct scan_slot pairs[SCAN_MAX_PAIRS];
	u64 pair_of_block;
	u32 num_pairs; /* SCAN_MAX_PAIRS + 1: too many */
	_Alignas(SCAN_BLOCK_NBYTES) struct scan_block window[WINDOW_BLOCKS + 1];
};

/*
 * Set up the window for the MCUs that 'slots' describe, at most 'max_mcus' of them
 * at a time, and 'max_run'.
 */
void scan_lay_out(struct scan_lane *lane, u32 max_mcus);

/* Zero what a run that failed has left in the window. */
void scan_clear_window(struct scan_lane *lane);

/*
 * Begin a run of 'num_mcus', 'max_run' at most.  Its blocks are the last ones of
 * the window, so that every run ends at the same place.
 */
void scan_begin_run(struct scan_lane *lane, u32 num_mcus);

/* How many images are worth having open on this CPU. */
u32 scan_num_lanes(void);

/*
 * Lanes that are decoded together.  Set a lane after each scan_begin_run(), and
 * to NULL when its image is finished.
 */
struct scan_group {
	struct scan_lane *lanes[SCAN_MAX_LANES];
	/* Sets of lanes, a bit for each. */
	u32 open;
	u32 scalar; /* of them, those that vectors cannot have */
	u32 moved;  /* not where vectors know them to be */
	u32 turn;   /* the lane to look at first, without vectors */
	struct scan_vectors *vectors; /* NULL: not on this CPU */
};

void scan_set_lane(struct scan_group *group, u32 i, struct scan_lane *lane);

/*
 * Decode until a lane has finished its run, or has 'failed', and return which.
 * There must be a lane.
 */
u32 scan_run(struct scan_group *group);

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

/*
 * Whether the next 'nbits' of the segment, or all that are left, are blocks of MCUs
 * too, from any block of an MCU on: they have no error, and if the segment ends with
 * them it does so after a whole MCU, filled up with ones.
 */
bool scan_goes_on(struct scan_lane *lane, u64 nbits);

/* ---- for the hot loops ------------------------------------------------- */

/*
 * What a hot loop leaves: a symbol that is not in a table, or an entry that led
 * past the block's end; 'offset' is where.  False if the bits are no code or lead
 * past the end indeed; else the lane is ready for its next step.
 */
bool scan_finish_step(struct scan_lane *lane, huff_run_entry entry);

#endif /* DCTLOAD_SCAN_H */
