/* SPDX-License-Identifier: MIT */
/* output.c - where an image's blocks go: planes, or rows to a plan */

#include "output.h"

#include <stdlib.h>

#include "../clock.h"
#include "../dct/plan.h"
#include "segment.h"

/*
 * Of one image, of those that are decoded side by side: 2 MB before they are packed.
 * With more, a thread would need a lot of memory for large files, and gain nothing.
 */
#define MAX_GATHERED_BLOCKS ((2u << 20) / BLOCK_NBYTES)

/*
 * The extent of the grids: whole planes for progressive scans, which must decode all
 * of them, else the window, or of that one row of MCUs.  Returns their blocks.
 */
static size_t
size_grids(struct image *im)
{
	const struct dctload_info *grids = &im->header.info;
	struct dctload_info window;
	size_t num_blocks = 0;

	im->grid_row = im->grid_col = 0;
	if (!grids->progressive &&
	    (im->job->planes == NULL || job_has_region(im->job))) {
		im->grid_row = im->wanted.first_row;
		im->grid_col = im->wanted.first_col;
		window = im->header.info;
		window_cut_info(&im->wanted, &window);
		grids = &window;
	}
	for (u32 c = 0; c < grids->num_components; c++) {
		const struct dctload_component *const comp =
			&grids->components[c];

		im->grid_width[c] = comp->blocks_w;
		im->grid_height[c] = im->streaming ? comp->v : comp->blocks_h;
		num_blocks += (size_t)im->grid_width[c] * im->grid_height[c];
	}
	return num_blocks;
}

/* Memory of our own for the grids, 'num_blocks' in all. */
static bool
allocate_grids(struct image *im, size_t num_blocks)
{
	s16 *p;

	if (!block_pool_take(im->block_pool, num_blocks, &im->blocks))
		return false;
	p = im->blocks.blocks;
	for (u32 c = 0; c < im->header.info.num_components; c++) {
		im->grid[c] = p;
		p += (size_t)im->grid_width[c] * im->grid_height[c] *
		     BLOCK_COEFS;
	}
	return true;
}

/* The grids, as a plan takes them. */
static struct block_grid
rows_for_plan(const struct image *im)
{
	const struct dctload_info *const info = &im->header.info;
	struct block_grid rows = { .first_col = { 0 } };

	for (u32 c = 0; c < info->num_components; c++) {
		rows.blocks[c] = im->grid[c];
		if (im->packs)
			rows.packed[c] = &im->packed[im->first_packed[c]];
		rows.stride[c] = im->grid_width[c];
		rows.first_col[c] = im->grid_col * info->components[c].h;
	}
	return rows;
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

static size_t
count_blocks(const struct dctload_info *info)
{
	size_t n = 0;

	for (u32 c = 0; c < info->num_components; c++)
		n += (size_t)info->components[c].blocks_w *
		     info->components[c].blocks_h;
	return n;
}

/* What progressive scans keep of blocks, before the first one. */
static bool
begin_words(struct image *im)
{
	const struct dctload_info *const info = &im->header.info;
	struct progressive_scan *const s = &im->progressive;
	const size_t n = count_blocks(info);
	size_t at = 0;

	s->words = im->words;
	memset(s->has_level, 0, sizeof(s->has_level));
	for (u32 c = 0; c < info->num_components; c++) {
		s->first_block[c] = at;
		at += (size_t)info->components[c].blocks_w *
		      info->components[c].blocks_h;
	}
	return words_clear(&im->words->nonzero, n) &&
	       words_clear(&im->words->negative, n);
}

bool
output_add_level(struct image *im)
{
	struct progressive_scan *const s = &im->progressive;
	const u32 al = im->header.scan.al;
	bool exists = false;

	for (u32 c = 0; c < im->header.info.num_components; c++)
		exists |= s->has_level[c][al];
	s->has_level[im->header.scan.component[0]][al] = true;
	return exists || words_clear(&im->words->levels[al],
				     count_blocks(&im->header.info));
}

/* Stores that bypass the cache need whole, aligned cache lines. */
static bool
can_bypass_cache(const struct image *im)
{
	const bool sample = im->job->planes == NULL;
	s16 *const *const to = sample ? im->grid : im->job->planes;
	bool aligned = sample ? !im->streaming : im->job->bypass_cache;

	for (u32 c = 0; aligned && c < im->header.info.num_components; c++)
		aligned = (uintptr_t)to[c] % 64 == 0;
	return aligned;
}

/*
 * The scans of a progressive file go over its blocks again and again, so better in
 * memory of our own, that the image before has left in the cache, than in planes
 * that have to be fetched.  Of larger images neither stays.
 */
#define MAX_CACHED_NBYTES (4u << 20)

static bool
can_order_past_cache(const struct image *im)
{
	const struct dctload_info *const info = &im->header.info;

	return info->progressive && im->job->planes != NULL &&
	       !job_has_region(im->job) &&
	       info_coefs_nbytes(info) <= MAX_CACHED_NBYTES &&
	       can_bypass_cache(im);
}

static bool
can_pack(const struct image *im, size_t num_blocks)
{
	return im->many_open && num_blocks <= MAX_GATHERED_BLOCKS &&
	       packed_pays();
}

/* Nothing is packed yet of any row of blocks in a row of MCUs. */
static bool
begin_packing(struct image *im)
{
	const struct dctload_info *const info = &im->header.info;
	u32 n = 0;

	for (u32 c = 0; c < info->num_components; c++) {
		im->first_packed[c] = n;
		for (u32 r = 0; r < info->components[c].v; r++)
			if (!packed_begin(&im->packed[n++], im->packed_pool))
				return false;
	}
	return true;
}

/*
 * Decide at the first scan.  A sample's rows can be passed on as they come if this
 * scan has all components and is the only one; but then the image needs a plan for
 * as long as it is open.  Where many are, one that is not too large is gathered,
 * packed, and a plan sees all of it at once.
 */
static enum dctload_status
choose_grids(struct image *im)
{
	const struct dctload_info *const info = &im->header.info;
	const bool sample = im->job->planes == NULL;
	const bool single_scan =
		!info->progressive &&
		im->header.scan.num_components == info->num_components;
	enum dctload_status status = DCTLOAD_OK;
	size_t num_blocks;

	im->reorder.bypass_cache = false;
	im->wanted = window_of_all(info);
	if (job_has_region(im->job) &&
	    !window_of_region(info, im->job->region, &im->wanted))
		return DCTLOAD_BAD_REGION;
	if (sample)
		status = plan_window(info, im->job->geometry, im->job->output,
				     &im->wanted);
	if (status != DCTLOAD_OK)
		return status;
	im->copies_window = job_has_region(im->job) && info->progressive;
	im->streaming = im->packs = false;
	im->orders_past_cache = can_order_past_cache(im);
	num_blocks = size_grids(im);
	im->reorder.packs = im->packs =
		sample && single_scan && can_pack(im, num_blocks);
	if (im->packs)
		return begin_packing(im) ? DCTLOAD_OK : DCTLOAD_NO_MEMORY;
	if (sample && single_scan) {
		im->streaming = true;
		num_blocks = size_grids(im);
	}
	if (sample || im->copies_window || im->orders_past_cache) {
		if (!allocate_grids(im, num_blocks))
			return DCTLOAD_NO_MEMORY;
	} else {
		memcpy(im->grid, im->job->planes, sizeof(im->grid));
	}
	im->reorder.bypass_cache = info->progressive ? im->orders_past_cache :
						       can_bypass_cache(im);
	if (single_scan)
		return DCTLOAD_OK;
	if (info->progressive && !begin_words(im))
		return DCTLOAD_NO_MEMORY;
	for (u32 c = 0; c < info->num_components; c++)
		im->progressive.out[c] = im->orders_past_cache ?
						 im->job->planes[c] :
						 im->grid[c];
	for (u32 c = 0; c < info->num_components; c++)
		memset(im->grid[c], 0,
		       (size_t)im->grid_width[c] * im->grid_height[c] *
			       BLOCK_NBYTES);
	return DCTLOAD_OK;
}

/* The bytes are not those that were read before, and the planes may be too small. */
static bool
has_changed(const struct image *im)
{
	return im->job->planes != NULL && im->job->planned != NULL &&
	       !info_has_grids_of(&im->header.info, im->job->planned);
}

/*
 * Each block takes at least a bit, its DC code.  A file too short for that is
 * truncated, and need not be given the memory it claims to need.
 */
static bool
is_too_short(const struct image *im)
{
	const struct dctload_info *const info = &im->header.info;

	return count_blocks(info) / 8 > im->header.in_nbytes &&
	       (im->job->flags & DCTLOAD_ALLOW_TRUNCATED) == 0;
}

static enum dctload_status
begin_plan(struct image *im)
{
	im->plan = plan_take(im->plans);
	if (im->plan == NULL)
		return DCTLOAD_NO_MEMORY;
	return plan_begin(im->plan, &im->header.info, im->job->geometry,
			  im->job->output, im->job->out);
}

enum dctload_status
output_begin(struct image *im)
{
	enum dctload_status status;

	if (has_changed(im))
		return DCTLOAD_BAD_ARGUMENT;
	if (is_too_short(im))
		return image_fail_at(im, im->header.in + im->header.in_nbytes,
				     DCTLOAD_TRUNCATED);
	status = choose_grids(im);
	if (status == DCTLOAD_OK && im->streaming)
		status = begin_plan(im);
	if (status == DCTLOAD_OK && !segment_reserve(im))
		status = DCTLOAD_NO_MEMORY;
	return status;
}

/* Nothing is lost of what a plan will read. */
static enum dctload_status
check_packed(const struct image *im)
{
	const struct dctload_info *const info = &im->header.info;

	for (u32 c = 0; c < info->num_components; c++) {
		const struct dctload_component *const comp =
			&info->components[c];
		size_t num_blocks = 0;

		for (u32 r = 0; r < comp->v; r++) {
			const struct packed_blocks *const packed =
				&im->packed[im->first_packed[c] + r];

			if (packed->failed)
				return DCTLOAD_NO_MEMORY;
			num_blocks += packed->num_blocks;
		}
		if (num_blocks !=
		    (size_t)im->grid_width[c] * im->grid_height[c])
			return DCTLOAD_BAD_ARGUMENT;
	}
	return DCTLOAD_OK;
}

/*
 * A plan sees what was gathered, with the quantisation tables that a component's
 * first scan may have brought.
 */
static enum dctload_status
run_plan(struct image *im)
{
	const struct block_grid grid = rows_for_plan(im);
	struct mcu_window window = im->wanted;
	enum dctload_status status = DCTLOAD_OK;
	u64 start;

	if (im->packs)
		status = check_packed(im);
	if (status == DCTLOAD_OK)
		status = begin_plan(im);
	window.first_row = im->grid_row;
	if (status != DCTLOAD_OK)
		return status;
	start = now_ns();
	status = plan_run(im->plan, &window, &grid, im->job->bypass_cache);
	im->plans->run_ns += now_ns() - start;
	return status;
}

void
output_clear(struct image *im)
{
	block_pool_give(im->block_pool, &im->blocks);
	if (im->packs)
		for (u32 i = 0; i < ARRAY_LEN(im->packed); i++)
			packed_clear(&im->packed[i]);
	/* Some other of the images may be a large progressive one. */
	if (im->header.info.progressive)
		words_shrink(im->words, MAX_CACHED_NBYTES / BLOCK_NBYTES);
}

enum dctload_status
output_finish(struct image *im)
{
	if (im->header.info.progressive)
		progressive_finish(&im->progressive);
	if (im->copies_window)
		copy_window(im);
	if (im->job->planes != NULL)
		return DCTLOAD_OK;
	return im->streaming ? plan_finish(im->plan) : run_plan(im);
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
	const u32 v = scan_rows_per_row(im);
	const bool last = im->mcu_y + 1 == im->mcus_h;
	enum dctload_status status;
	struct block_grid rows;
	u64 start;

	if (!im->streaming || ((im->mcu_y + 1) % v != 0 && !last) ||
	    im->mcu_y / v < im->wanted.first_row ||
	    im->mcu_y / v >= im->wanted.end_row)
		return DCTLOAD_OK;
	rows = rows_for_plan(im);
	start = now_ns();
	status = plan_rows(im->plan, im->mcu_y / v, &rows);
	im->plans->run_ns += now_ns() - start;
	return status;
}
