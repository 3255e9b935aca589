/* SPDX-License-Identifier: MIT */
/* scan.h - the blocks of a sequential scan, several images interleaved */
#ifndef DCTLOAD_SCAN_H
#define DCTLOAD_SCAN_H

#include "../common.h"
#include "bitreader.h"
#include "huffman.h"

/*
 * Why lanes.  Decoding one stream is bound by latency: each table lookup waits
 * for the shift that waits for the lookup before it, some seven cycles in which
 * a CPU could run thirty instructions.  Two images in turn fill the gaps.
 *
 * A lane decodes a run of blocks into a window, in the order of the file, each
 * block 64 coefficients in zigzag order.  So a step may store several
 * coefficients at once: whatever it writes beyond those that count is written
 * again later.  The window must be zero before.
 */

/* One block of an MCU. */
struct scan_slot {
	const u64 *runs;
	const struct huff_codes *dc, *ac;
	s32 *dc_pred;
	const struct scan_slot *next;	/* circular */
};

#define WINDOW_BLOCKS 64

/* A step writes at most this far beyond its block: a run, then four values. */
#define WINDOW_SLACK_COEFS BLOCK_COEFS
STATIC_ASSERT(WINDOW_SLACK_COEFS >= 15 + RUN_NUM_VALUES);

/* How many images to interleave: more need more registers than there are. */
#define SCAN_MAX_LANES 2

struct scan_lane {
	struct bitreader bits;
	u32 k;			/* the next coefficient, in zigzag order */
	s16 *block;		/* the one being decoded, in 'window' */
	const struct scan_slot *slot;	/* its tables */
	u32 blocks_left;	/* of the run, this one included */

	const u8 *start, *end;	/* the segment, without stuffing */
	u64 limit;		/* see scan_set_limit() */
	bool zero_fill;		/* missing data are zeros, not an error */

	enum dctload_status status;
	u64 error_position;	/* in bits from 'start' */

	s32 dc_pred[DCTLOAD_MAX_COMPONENTS];
	struct scan_slot slots[MAX_MCU_BLOCKS];
	_Alignas(64) s16 window[WINDOW_BLOCKS * BLOCK_COEFS +
				WINDOW_SLACK_COEFS];
};

/* A block that ends past 'end' stops the run; 'end' NULL: none does. */
static inline void
scan_set_limit(struct scan_lane *lane, const u8 *end)
{
	lane->limit = end == NULL ? UINT64_MAX : (u64)(uintptr_t)end * 8 + 63;
}

/*
 * Begin the run's first block: 'block', 'slot' and 'blocks_left' say which.  On
 * failure 'status' is set.
 */
void scan_begin_run(struct scan_lane *lane);

/*
 * Decode until a lane has finished its run or cannot go on, and return which.
 * Either 'blocks_left' is 0, or 'status' is not OK: TRUNCATED if data are
 * missing (with 'zero_fill' only between two blocks; 'block' is the second), else
 * what 'error_position' is about.
 */
u32 scan_run(struct scan_lane *const lanes[SCAN_MAX_LANES], u32 num_lanes);

/* ---- for scan_template.h ----------------------------------------------- */

enum scan_outcome { SCAN_BLOCK_GOES_ON, SCAN_BLOCK_DONE, SCAN_FAILED };

/*
 * What the hot loop leaves: a symbol that is not in the run table, or an entry
 * that leads past the block's end.  'entry' is its low half, already taken.
 */
enum scan_outcome scan_finish_step(struct scan_lane *lane, u32 entry);

/* The DC coefficient at 'bits', in all cases; false on failure. */
bool scan_decode_dc(struct scan_lane *lane);

#endif /* DCTLOAD_SCAN_H */
