/* SPDX-License-Identifier: MIT */
/* output.c - where an image's blocks go: planes, or rows to a plan */

#include "output.h"

#include <stdlib.h>

#include "../dct/plan.h"
#include "segment.h"

/* Memory for 'num_blocks' blocks in 'blocks'. */
static bool
reserve_blocks(struct image *im, size_t num_blocks)
{
	void *p = NULL;

	if (num_blocks <= im->blocks_capacity)
		return true;
	free(im->blocks);
	im->blocks = NULL;
	im->blocks_capacity = 0;
	if (posix_memalign(&p, 64, num_blocks * BLOCK_NBYTES) != 0)
		return false;
	im->blocks = p;
	im->blocks_capacity = num_blocks;
	return true;
}

/* Grids of our own: whole planes, or one row of MCUs. */
static bool
allocate_grids(struct image *im)
{
	const struct dctload_info *const info = &im->header.info;
	size_t first[DCTLOAD_MAX_COMPONENTS], num_blocks = 0;

	for (u32 c = 0; c < info->num_components; c++) {
		const struct dctload_component *const comp =
			&info->components[c];

		im->grid_width[c] = comp->blocks_w;
		im->grid_height[c] = im->streaming ? comp->v : comp->blocks_h;
		first[c] = num_blocks;
		num_blocks += (size_t)im->grid_width[c] * im->grid_height[c];
	}
	if (!reserve_blocks(im, num_blocks))
		return false;
	for (u32 c = 0; c < info->num_components; c++)
		im->grid[c] = im->blocks + first[c] * BLOCK_COEFS;
	return true;
}

/* The grids of the window are the job's planes. */
static void
use_planes(struct image *im)
{
	const struct dctload_info *grids = &im->header.info;
	struct dctload_info window;

	if (job_has_region(im->job)) {
		window = im->header.info;
		window_cut_info(&im->wanted, &window);
		grids = &window;
	}
	im->grid_row = im->wanted.first_row;
	im->grid_col = im->wanted.first_col;
	for (u32 c = 0; c < grids->num_components; c++) {
		im->grid[c] = im->job->planes[c];
		im->grid_width[c] = grids->components[c].blocks_w;
		im->grid_height[c] = grids->components[c].blocks_h;
	}
}

/* The window of grids of our own to the job's planes. */
static void
copy_window(const struct image *im)
{
	struct dctload_info window = im->header.info;

	window_cut_info(&im->wanted, &window);
	for (u32 c = 0; c < window.num_components; c++) {
		const struct dctload_component *const comp =
			&window.components[c];
		const size_t stride = (size_t)im->grid_width[c] * BLOCK_COEFS;
		const s16 *src =
			im->grid[c] + im->wanted.first_row * comp->v * stride +
			im->wanted.first_col * comp->h * (size_t)BLOCK_COEFS;
		s16 *dst = im->job->planes[c];

		for (u32 y = 0; y < comp->blocks_h; y++) {
			memcpy(dst, src, comp->blocks_w * BLOCK_NBYTES);
			dst += (size_t)comp->blocks_w * BLOCK_COEFS;
			src += stride;
		}
	}
}

/* The words that progressive scans keep of each block, all zero. */
static bool
reserve_nonzero(struct image *im)
{
	const struct dctload_info *const info = &im->header.info;
	size_t n = 0, at = 0;

	for (u32 c = 0; c < info->num_components; c++)
		n += (size_t)info->components[c].blocks_w *
		     info->components[c].blocks_h;
	if (n > im->nonzero_capacity) {
		free(im->nonzero);
		im->nonzero = malloc(n * sizeof(*im->nonzero));
		im->nonzero_capacity = im->nonzero != NULL ? n : 0;
	}
	if (im->nonzero_capacity < n)
		return false;
	memset(im->nonzero, 0, n * sizeof(*im->nonzero));
	for (u32 c = 0; c < info->num_components; c++) {
		im->progressive.nonzero[c] = im->nonzero + at;
		at += (size_t)info->components[c].blocks_w *
		      info->components[c].blocks_h;
	}
	return true;
}

/* Stores that bypass the cache need whole, aligned cache lines. */
static bool
can_bypass_cache(const struct image *im)
{
	bool aligned = im->job->bypass_cache;

	for (u32 c = 0; c < im->header.info.num_components; c++)
		aligned &= (uintptr_t)im->grid[c] % 64 == 0;
	return aligned;
}

/*
 * Decide at the first scan.  Rows can be passed on as they come if this scan has
 * all components and is the only one.
 */
static enum dctload_status
choose_grids(struct image *im)
{
	const struct dctload_info *const info = &im->header.info;
	const bool single_scan =
		!info->progressive &&
		im->header.scan.num_components == info->num_components;

	im->reorder.bypass_cache = false;
	im->wanted = window_of_all(info);
	im->grid_row = im->grid_col = 0;
	if (job_has_region(im->job) &&
	    !window_of_region(info, im->job->region, &im->wanted))
		return DCTLOAD_BAD_REGION;
	im->copies_window = job_has_region(im->job) && info->progressive;
	im->streaming = im->job->planes == NULL && single_scan;
	if (im->job->planes == NULL)
		plan_window_needed(im->plan, &im->wanted);
	if (im->job->planes == NULL || im->copies_window) {
		if (!allocate_grids(im))
			return DCTLOAD_NO_MEMORY;
	} else {
		use_planes(im);
		im->reorder.bypass_cache = can_bypass_cache(im);
	}
	if (single_scan)
		return DCTLOAD_OK;
	if (info->progressive && !reserve_nonzero(im))
		return DCTLOAD_NO_MEMORY;
	for (u32 c = 0; c < info->num_components; c++)
		memset(im->grid[c], 0,
		       (size_t)im->grid_width[c] * im->grid_height[c] *
			       BLOCK_NBYTES);
	return DCTLOAD_OK;
}

/*
 * Each block takes at least a bit, its DC code.  A file too short for that is
 * truncated, and need not be given the memory it claims to need.
 */
static bool
is_too_short(const struct image *im)
{
	const struct dctload_info *const info = &im->header.info;
	u64 num_blocks = 0;

	for (u32 c = 0; c < info->num_components; c++)
		num_blocks += (u64)info->components[c].blocks_w *
			      info->components[c].blocks_h;
	return num_blocks / 8 > im->header.in_nbytes &&
	       (im->job->flags & DCTLOAD_ALLOW_TRUNCATED) == 0;
}

enum dctload_status
output_begin(struct image *im)
{
	enum dctload_status status = DCTLOAD_OK;

	if (is_too_short(im))
		return image_fail_at(im, im->header.in + im->header.in_nbytes,
				     DCTLOAD_TRUNCATED);
	if (im->job->planes == NULL)
		status = plan_begin(im->plan, &im->header.info,
				    im->job->geometry, im->job->output,
				    im->job->out);
	if (status == DCTLOAD_OK)
		status = choose_grids(im);
	if (status == DCTLOAD_OK && !segment_reserve(im))
		status = DCTLOAD_NO_MEMORY;
	return status;
}

/*
 * Whole planes are there; a plan still has to see them, and the quantisation
 * tables that a component's first scan brought after the plan was begun.
 */
enum dctload_status
output_finish(struct image *im)
{
	enum dctload_status status;

	if (im->header.info.progressive)
		progressive_finish(&im->progressive);
	if (im->copies_window)
		copy_window(im);
	if (im->job->planes != NULL)
		return DCTLOAD_OK;
	if (im->streaming)
		return plan_finish(im->plan);
	status = plan_begin(im->plan, &im->header.info, im->job->geometry,
			    im->job->output, im->job->out);
	if (status != DCTLOAD_OK)
		return status;
	return plan_run(im->plan, &im->header.info,
			(const s16 *const *)im->grid);
}

/* Rows of the scan's MCUs to a row of the image's: 1 if it is interleaved. */
static u32
scan_rows_per_row(const struct image *im)
{
	return scan_is_interleaved(&im->header.scan) ?
		       1 :
		       im->header.info.components[0].v;
}

/* A row of MCUs is whole: pass it on if somebody waits for it. */
enum dctload_status
output_row(struct image *im)
{
	const struct dctload_info *const info = &im->header.info;
	const u32 v = scan_rows_per_row(im);
	const bool last = im->mcu_y + 1 == im->mcus_h;
	const s16 *rows[DCTLOAD_MAX_COMPONENTS] = { NULL };
	size_t stride[DCTLOAD_MAX_COMPONENTS] = { 0 };

	if (!im->streaming || ((im->mcu_y + 1) % v != 0 && !last) ||
	    im->mcu_y / v < im->wanted.first_row ||
	    im->mcu_y / v >= im->wanted.end_row)
		return DCTLOAD_OK;
	for (u32 c = 0; c < info->num_components; c++) {
		rows[c] = im->grid[c];
		stride[c] = im->grid_width[c];
	}
	return plan_rows(im->plan, im->mcu_y / v, rows, stride);
}
