/* SPDX-License-Identifier: MIT */
/* image.h - one image on its way from bytes to rows of blocks */
#ifndef DCTLOAD_IMAGE_H
#define DCTLOAD_IMAGE_H

#include "../common.h"
#include "block_pool.h"
#include "decoder.h"
#include "header.h"
#include "header_cache.h"
#include "huffman_cache.h"
#include "packed.h"
#include "progress.h"
#include "reorder.h"
#include "scan.h"
#include "scan_progressive.h"
#include "window.h"

struct plan;
struct plan_pool;

/*
 * An open image holds one lane.  Between two calls of image_advance() the lane
 * decodes the run that was set up for it; progressive scans need no lane and are
 * decoded whole inside image_begin() or image_advance().
 */
struct image {
	struct scan_lane lane;
	struct jpeg_job *job;
	struct header header;
	struct huff_cache *cache;
	struct header_cache *headers;
	struct plan_pool *plans; /* for jobs with an output */
	struct plan *plan;       /* while it has one */
	bool many_open;          /* a plan for each would be too many */

	u8 *segment; /* see segment.c */
	size_t segment_capacity;
	struct block_pool *block_pool;
	struct block_memory blocks;      /* of 'grid', if it is our own */
	struct progressive_words *words; /* for one image at a time */

	/*
	 * Where component c's blocks go: 'grid' is whole planes, those of the
	 * window, or, when rows are handed to a plan as they come, one row of
	 * MCUs of it.  It begins with MCU 'grid_row', 'grid_col'.
	 */
	s16 *grid[DCTLOAD_MAX_COMPONENTS];
	u32 grid_width[DCTLOAD_MAX_COMPONENTS]; /* in blocks */
	u32 grid_height[DCTLOAD_MAX_COMPONENTS];
	u32 grid_row, grid_col;
	bool streaming;
	bool copies_window; /* 'grid' is our own, the planes are the job's */
	bool orders_past_cache; /* so they are too; see output.c */
	struct mcu_window wanted;

	/*
	 * With 'packs' they go here instead.  Component c has one of these for
	 * each row of blocks in a row of MCUs, from 'first_packed' on.
	 */
	bool packs;
	struct packed_blocks packed[MAX_MCU_BLOCKS];
	u32 first_packed[DCTLOAD_MAX_COMPONENTS];
	struct packed_pool *packed_pool;

	/* The scan. */
	u64 layout; /* of the lane: see struct known_header; 0: its own */
	struct huff_slot *tables[2 * DCTLOAD_MAX_COMPONENTS];
	u32 mcus_w, mcus_h, mcu_x, mcu_y;
	u32 run_mcus; /* that the lane is decoding */
	struct reorder reorder;
	u8 slot_component[MAX_MCU_BLOCKS]; /* index into the frame */
	u8 slot_x[MAX_MCU_BLOCKS], slot_y[MAX_MCU_BLOCKS];
	struct mcu_window scan_wanted; /* in the scan's MCUs */
	u32 segment_mcus_left;         /* not yet decoded or passed over */
	u32 segment_mcus_needed;       /* of them, until the last wanted */
	u32 next_restart;
	const u8 *segment_in,
		*segment_in_end; /* in the file; NULL: not yet seen */
	const u8 *segment_read;  /* in between, or the end */
	u64 segment_dropped;     /* bytes without stuffing */
	bool cut_short;          /* data are missing, and that is allowed */
	bool finished;

	bool coded[DCTLOAD_MAX_COMPONENTS];
	struct progress progress;
	struct progressive_scan progressive;
};

enum image_state { IMAGE_OPEN, IMAGE_FINISHED };

/*
 * Begin 'job'.  If the image stays open, its lane has a run to decode; if it is
 * finished, the job has its results.
 */
enum image_state image_begin(struct image *image, struct jpeg_job *job);

/* The lane has stopped: pass on its blocks and set up what comes next. */
enum image_state image_advance(struct image *image);

void image_free_scratch(struct image *image);

#endif /* DCTLOAD_IMAGE_H */
