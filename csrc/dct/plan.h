/* SPDX-License-Identifier: MIT */
/*
 * plan.h - one image on its way from coefficients to a tensor
 *
 * Blocks come a row of MCUs at a time, so that they are read while they are in
 * cache:
 *
 *	plan_window()  the MCUs that will be needed
 *	plan_begin()   find or build the operators of this geometry
 *	plan_rows()    for each MCU row of the window, in order
 *	plan_finish()  check that the output is whole
 *
 * A plan belongs to one thread.  It keeps its memory and its operators from
 * image to image.  That is more than a few of them have room for in a cache: a
 * thread takes one when it has rows, and gives it back when they are all done.
 */
#ifndef DCTLOAD_PLAN_H
#define DCTLOAD_PLAN_H

#include "../common.h"

struct mcu_window;
struct packed_blocks;
struct plan;

/* The plans of a thread that nobody has; begins as zeros. */
struct plan_pool {
	struct plan *spare;
	u64 run_ns; /* in plan_rows() and plan_run(), as their callers count */
};

struct plan *plan_take(struct plan_pool *pool); /* NULL: there is no memory */
void plan_give(struct plan_pool *pool, struct plan *plan); /* or NULL */
void plan_free_pool(struct plan_pool *pool);

/*
 * A window of an image.  Component c has its first block, in block row 0 of the
 * window and column first_col[c] of its grid, at blocks[c]; rows are stride[c] blocks
 * long.  Or all components are packed: block row r of a row of MCUs that have v of
 * them is in packed[c][r], behind those of rows before.
 */
struct block_grid {
	const s16 *blocks[DCTLOAD_MAX_COMPONENTS];
	const struct packed_blocks *packed[DCTLOAD_MAX_COMPONENTS];
	size_t stride[DCTLOAD_MAX_COMPONENTS];
	u32 first_col[DCTLOAD_MAX_COMPONENTS];
};

/*
 * The MCUs that the output depends on, and perhaps some next to them.  Where there
 * are none, as when all of it is filling, the first row or column.  Fails if
 * plan_begin() would, but for want of memory.
 */
enum dctload_status
plan_window(const struct dctload_info *info,
	    const struct dctload_geometry *geometry,
	    const struct dctload_output *output, struct mcu_window *window_ret);

/* 'out' as for dctload_transform(). */
enum dctload_status
plan_begin(struct plan *plan, const struct dctload_info *info,
	   const struct dctload_geometry *geometry,
	   const struct dctload_output *output, void *const out[2]);

/* The same for dctload_resample(). */
enum dctload_status
plan_begin_resample(struct plan *plan, const struct dctload_info *info,
		    const struct dctload_geometry *geometry,
		    float *const out[DCTLOAD_MAX_COMPONENTS]);

/*
 * Take MCU row 'mcu_row' of the interleaved image, which is all that 'rows' has.
 * Rows past the component's grid are not read.
 */
enum dctload_status
plan_rows(struct plan *plan, u32 mcu_row, const struct block_grid *rows);

/* BAD_ARGUMENT if a row that was needed has not come. */
enum dctload_status plan_finish(struct plan *plan);

/*
 * All rows of a window that is in memory, then plan_finish().  With 'bypass_cache'
 * nobody reads the output soon.
 */
enum dctload_status plan_run(struct plan *plan, const struct mcu_window *window,
			     const struct block_grid *grid, bool bypass_cache);

/* Those of 'd'; defined with the decoder. */
struct plan_pool *decoder_plans(struct dctload_decoder *d);

#endif /* DCTLOAD_PLAN_H */
