/* SPDX-License-Identifier: MIT */
/*
 * plan.h - one image on its way from coefficients to a tensor
 *
 * Blocks come a row of MCUs at a time, so that they are read while they are in
 * cache:
 *
 *	plan_begin()   find or build the operators of this geometry
 *	plan_rows()    for each MCU row that plan_window_needed() names, in order
 *	plan_finish()  check that the output is whole
 *
 * A plan belongs to one thread.  It keeps its memory and its operators from
 * image to image.
 */
#ifndef DCTLOAD_PLAN_H
#define DCTLOAD_PLAN_H

#include "../common.h"

struct mcu_window;
struct plan;

struct plan *plan_alloc(void); /* NULL if there is no memory */
void plan_free(struct plan *plan);

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
 * The MCUs that are needed.  Where there are none, as when all of the output is
 * filling, the first row or column.
 */
void plan_window_needed(const struct plan *plan, struct mcu_window *window_ret);

/*
 * Take MCU row 'mcu_row' of the interleaved image: rows[c] points to v rows of
 * blocks of component c, each 'stride_blocks[c]' blocks after the one before.
 * Rows and columns past the component's grid, and columns out of the window that
 * is needed, are not read.
 */
enum dctload_status
plan_rows(struct plan *plan, u32 mcu_row,
	  const s16 *const rows[DCTLOAD_MAX_COMPONENTS],
	  const size_t stride_blocks[DCTLOAD_MAX_COMPONENTS]);

/* BAD_ARGUMENT if a row that was needed has not come. */
enum dctload_status plan_finish(struct plan *plan);

/* The rows that are needed of whole planes, then plan_finish(). */
enum dctload_status plan_run(struct plan *plan, const struct dctload_info *info,
			     const s16 *const planes[DCTLOAD_MAX_COMPONENTS]);

/* The plan that 'd' has for the public calls; defined with the decoder. */
struct plan *decoder_plan(struct dctload_decoder *d);

#endif /* DCTLOAD_PLAN_H */
