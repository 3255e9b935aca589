/* SPDX-License-Identifier: MIT */
/*
 * image.c - header, scans, segments, runs: what to decode next
 *
 * A file is segments; a scan is one segment of entropy-coded data, or several
 * with restart markers between them; a segment is decoded in runs of as many
 * MCUs as a window holds, across the ends of rows if all columns are wanted.
 */

#include "image.h"

#include <stdlib.h>

#include "../dct/plan.h"
#include "image_tables.h"
#include "output.h"
#include "segment.h"

static enum dctload_status next_scan(struct image *im);
static bool is_complete(const struct image *im);

/* ---- runs of a sequential scan ----------------------------------------- */

/*
 * Set up the next run: to the end of what is needed of the segment, or of the
 * lane's window.  Where some columns are not wanted, a run is wanted as a whole or
 * not at all, and ends with its row.
 */
static void
begin_run(struct image *im)
{
	const struct mcu_window *const w = &im->scan_wanted;
	u32 n = min_u32(im->segment_mcus_needed, im->lane.max_run);

	if (w->first_col != 0 || w->end_col != im->mcus_w) {
		n = min_u32(n, im->mcus_w - im->mcu_x);
		if (im->mcu_x < w->first_col)
			n = min_u32(n, w->first_col - im->mcu_x);
		else if (im->mcu_x < w->end_col)
			n = min_u32(n, w->end_col - im->mcu_x);
	}
	scan_begin_run(&im->lane, n);
	im->run_mcus = n;
}

static bool
place_is_wanted(const struct image *im)
{
	const struct mcu_window *const w = &im->scan_wanted;

	return im->mcu_y >= w->first_row && im->mcu_y < w->end_row &&
	       im->mcu_x >= w->first_col && im->mcu_x < w->end_col;
}

/*
 * Move 'num_mcus' of one row, from the current one on, to where they go; false if
 * a DC left 16 bits.
 */
static bool
flush_piece(struct image *im, struct scan_block *blocks, u32 num_mcus)
{
	const struct dctload_info *const info = &im->header.info;
	const bool interleaved = scan_is_interleaved(&im->header.scan);
	const bool wanted = place_is_wanted(im);
	struct reorder *const r = &im->reorder;

	r->blocks = blocks;
	r->num_mcus = num_mcus;
	for (u32 i = 0; i < r->num_slots; i++) {
		const u32 c = im->slot_component[i];
		const struct dctload_component *const comp =
			&info->components[c];
		const u32 h = interleaved ? comp->h : 1;
		const u32 v = interleaved ? comp->v : 1;
		const u32 x = im->mcu_x * h + im->slot_x[i];
		const u32 y = im->mcu_y * v + im->slot_y[i];
		const u32 row = im->streaming ? y % comp->v :
						y - im->grid_row * comp->v;
		const u32 col = x - im->grid_col * comp->h;

		r->num_wanted[i] = 0;
		if (!wanted || x >= comp->blocks_w || y >= comp->blocks_h)
			continue;
		r->num_wanted[i] = ceil_div_u32(comp->blocks_w - x, h);
		if (im->packs) {
			r->packed[i] =
				&im->packed[im->first_packed[c] + y % comp->v];
			r->packed[i]->num_blocks +=
				min_u32(r->num_wanted[i], r->num_mcus);
			continue;
		}
		r->dst[i] = im->grid[c] + ((size_t)row * im->grid_width[c] +
					   col) * BLOCK_COEFS;
		r->step[i] = h * BLOCK_COEFS;
	}
	return reorder_blocks(r);
}

enum dctload_status
image_step(struct image *im, u32 num_mcus)
{
	enum dctload_status status = DCTLOAD_OK;

	im->segment_mcus_left -= num_mcus;
	if (!im->streaming) {
		/* Nobody waits for a row, and scans of few bytes pass many. */
		im->mcu_x += num_mcus;
		im->mcu_y += im->mcu_x / im->mcus_w;
		im->mcu_x %= im->mcus_w;
		return DCTLOAD_OK;
	}
	while (num_mcus != 0 && status == DCTLOAD_OK) {
		const u32 n = min_u32(num_mcus, im->mcus_w - im->mcu_x);

		num_mcus -= n;
		im->mcu_x += n;
		if (im->mcu_x == im->mcus_w) {
			status = output_row(im);
			im->mcu_x = 0;
			im->mcu_y++;
		}
	}
	return status;
}

/*
 * The last 'num_mcus' of the window are the next ones: move them, and pass on the
 * rows that they end.  '*fits_ret' is false if a DC left 16 bits.
 */
static enum dctload_status
flush_run(struct image *im, u32 num_mcus, bool *fits_ret)
{
	const u32 num_slots = im->lane.num_slots;
	enum dctload_status status = DCTLOAD_OK;

	*fits_ret = true;
	while (num_mcus != 0 && status == DCTLOAD_OK) {
		const u32 n = min_u32(num_mcus, im->mcus_w - im->mcu_x);

		*fits_ret = flush_piece(
			im, im->lane.run_end - (size_t)num_mcus * num_slots, n);
		if (!*fits_ret)
			break;
		num_mcus -= n;
		im->segment_mcus_needed -= n;
		status = image_step(im, n);
	}
	/* What an error left in the window is no part of the next image. */
	im->lane.left_blocks |= num_mcus != 0;
	return status;
}

/* The rest of the scan is missing: its blocks are zero, DC too. */
static enum dctload_status
fill_up_scan(struct image *im)
{
	memset(im->lane.dc_pred, 0, sizeof(im->lane.dc_pred));
	while (im->mcu_y != im->mcus_h) {
		enum dctload_status status;
		bool fits;

		im->segment_mcus_left = im->segment_mcus_needed =
			im->mcus_w - im->mcu_x;
		begin_run(im);
		status = flush_run(im, im->run_mcus, &fits);
		if (status != DCTLOAD_OK)
			return status;
	}
	return DCTLOAD_OK;
}

/*
 * Something is wrong with the run.  If it is only that data are missing, and
 * they may be, what there is has been decoded when this returns.
 */
static enum dctload_status
finish_bad_run(struct image *im)
{
	struct scan_lane *const lane = &im->lane;
	u32 num_mcus;
	bool fits;
	enum dctload_status status = scan_redo_run(lane, &num_mcus);

	lane->left_blocks = true;
	if (status == DCTLOAD_TRUNCATED && !lane->zero_fill)
		return segment_fail_early_end(im);
	if (status != DCTLOAD_TRUNCATED)
		return image_fail_at_bit(im, lane->error_position, status);
	im->header.info.warnings |= DCTLOAD_WARN_TRUNCATED;
	status = flush_run(im, num_mcus, &fits);
	scan_clear_window(lane);
	if (status == DCTLOAD_OK)
		status = fill_up_scan(im);
	return status == DCTLOAD_OK ? next_scan(im) : status;
}

/*
 * Nobody wants the MCUs that are left of a sequential scan.  If it was the last
 * scan that is needed, the file ends here.
 */
static enum dctload_status
leave_scan(struct image *im)
{
	enum dctload_status status = DCTLOAD_OK;

	if (im->mcu_x != 0)
		status = output_row(im);
	if (status != DCTLOAD_OK)
		return status;
	if (is_complete(im)) {
		im->finished = true;
		return output_finish(im);
	}
	segment_pass_scan(im);
	return next_scan(im);
}

/* The lane has stopped, for better or worse. */
static enum dctload_status
finish_run(struct image *im)
{
	struct scan_lane *const lane = &im->lane;
	s32 dc_pred[DCTLOAD_MAX_COMPONENTS];
	enum dctload_status status;
	bool fits;

	if (lane->failed || scan_is_past_end(lane))
		return finish_bad_run(im);
	memcpy(dc_pred, lane->dc_pred, sizeof(dc_pred));
	status = flush_run(im, im->run_mcus, &fits);
	if (!fits) {
		memcpy(lane->dc_pred, dc_pred, sizeof(dc_pred));
		return finish_bad_run(im);
	}
	if (status != DCTLOAD_OK || im->segment_mcus_needed != 0)
		return status;
	if (im->mcu_y == im->mcus_h) {
		status = segment_check_leftover(im, &lane->bits);
		return status == DCTLOAD_OK ? next_scan(im) : status;
	}
	if (segment_has_needed_after(im))
		return segment_next(im, &lane->bits);
	return leave_scan(im);
}

/* ---- scans ------------------------------------------------------------- */

/* The blocks of an MCU, in order, each with its tables. */
static void
lay_out_mcu(struct image *im)
{
	const struct scan_header *const scan = &im->header.scan;
	u32 n = 0;

	for (u32 i = 0; i < scan->num_components; i++) {
		const u32 c = scan->component[i];
		const struct dctload_component *const comp =
			&im->header.info.components[c];
		const u32 h = scan_is_interleaved(scan) ? comp->h : 1;
		const u32 v = scan_is_interleaved(scan) ? comp->v : 1;

		for (u32 j = 0; j < h * v; j++) {
			im->lane.slots[n] = (struct scan_slot){
				.dc = im->tables[2 * i]->table,
				.ac = im->tables[2 * i + 1]->table,
				.component = i,
			};
			im->reorder.dc_pred[n] = &im->lane.dc_pred[i];
			im->slot_component[n] = (u8)c;
			im->slot_x[n] = (u8)(j % h);
			im->slot_y[n] = (u8)(j / h);
			n++;
		}
	}
	im->lane.num_slots = im->reorder.num_slots = n;
	scan_lay_out(&im->lane, im->mcus_w * im->mcus_h);
}

static enum dctload_status
begin_sequential_scan(struct image *im, const struct known_header *known)
{
	const u64 layout = known != NULL ? known->layout : 0;
	const struct scan_header *const scan = &im->header.scan;

	for (u32 i = 0; i < scan->num_components; i++) {
		if (im->coded[scan->component[i]])
			return DCTLOAD_BAD_SCAN;
		im->coded[scan->component[i]] = true;
	}
	if (scan->ss != 0 || scan->se != BLOCK_COEFS - 1 || scan->ah != 0 ||
	    scan->al != 0)
		im->header.info.warnings |= DCTLOAD_WARN_SCAN_PARAMS;
	if (layout == 0 || layout != im->layout)
		lay_out_mcu(im);
	im->layout = layout;
	scan_clear_window(&im->lane);
	return DCTLOAD_OK;
}

static enum dctload_status
decode_progressive_scan(struct image *im)
{
	struct progressive_scan *const s = &im->progressive;

	s->info = &im->header.info;
	s->header = &im->header.scan;
	s->mcus_w = im->mcus_w;
	s->ac = NULL;
	if (s->header->ss != 0 && s->header->ah != 0 && !output_add_level(im))
		return DCTLOAD_NO_MEMORY;
	memcpy(s->grid, im->grid, sizeof(s->grid));
	for (u32 i = 0; i < s->header->num_components; i++) {
		if (im->tables[2 * i] != NULL)
			s->dc[i] = &im->tables[2 * i]->table->codes;
		if (im->tables[2 * i + 1] != NULL)
			s->ac = &im->tables[2 * i + 1]->table->codes;
	}
	for (;;) {
		const u32 mcu = im->mcu_y * im->mcus_w + im->mcu_x;
		const u32 n = im->segment_mcus_needed;
		enum dctload_status status;

		s->bits = im->lane.bits;
		s->start = im->lane.start;
		s->end = im->lane.end;
		s->zero_fill = im->lane.zero_fill;
		status = progressive_decode(s, mcu, n);
		if (status == DCTLOAD_TRUNCATED) {
			if (!s->zero_fill)
				return segment_fail_early_end(im);
			im->cut_short = true;
			im->header.info.warnings |= DCTLOAD_WARN_TRUNCATED;
			return DCTLOAD_OK;
		}
		if (status != DCTLOAD_OK)
			return image_fail_at_bit(im, s->error_position, status);
		status = image_step(im, n);
		if (status != DCTLOAD_OK)
			return status;
		if (im->mcu_y == im->mcus_h)
			return segment_check_leftover(im, &s->bits);
		if (!segment_has_needed_after(im)) {
			segment_pass_scan(im);
			return DCTLOAD_OK;
		}
		status = segment_next(im, &s->bits);
		if (status != DCTLOAD_OK)
			return status;
	}
}

static enum dctload_status
begin_scan(struct image *im, struct known_header *known)
{
	const struct dctload_info *const info = &im->header.info;
	const struct scan_header *const scan = &im->header.scan;
	const u8 *const data = im->header.in + im->header.pos;
	const enum dctload_status status = image_acquire_tables(im, known);

	if (status == DCTLOAD_BAD_HUFFMAN_TABLE)
		return header_fail_table(&im->header, im->header.pos, status);
	if (status != DCTLOAD_OK)
		return image_fail_at(im, data, status);
	im->mcu_x = im->mcu_y = 0;
	im->next_restart = 0;
	im->mcus_w = info_mcus_w(info);
	im->mcus_h = info_mcus_h(info);
	if (!scan_is_interleaved(scan)) {
		im->mcus_w = info->components[scan->component[0]].blocks_w;
		im->mcus_h = info->components[scan->component[0]].blocks_h;
	}
	im->scan_wanted =
		window_in_scan(&im->wanted, info, scan, im->mcus_w, im->mcus_h);
	if (info->progressive ? !progress_add_scan(&im->progress, scan) :
				begin_sequential_scan(im, known) != DCTLOAD_OK)
		return image_fail_at(im, data, DCTLOAD_BAD_SCAN);
	return segment_begin(im);
}

/* ---- the whole file ---------------------------------------------------- */

/* All that the file has to code has been coded. */
static bool
is_complete(const struct image *im)
{
	const struct dctload_info *const info = &im->header.info;

	if (info->progressive)
		return progress_is_complete(&im->progress,
					    info->num_components);
	for (u32 c = 0; c < info->num_components; c++)
		if (!im->coded[c])
			return false;
	return true;
}

static bool
has_every_component(const struct image *im)
{
	const struct dctload_info *const info = &im->header.info;

	for (u32 c = 0; c < info->num_components; c++)
		if (info->progressive ? !progress_has_dc(&im->progress, c) :
					!im->coded[c])
			return false;
	return true;
}

/*
 * Where a scan may have been that the image lacks, as junk or behind an EOI that
 * comes early; 0: nowhere.
 */
static size_t
find_lost_scan(const struct image *im, enum header_event event)
{
	const struct header *const h = &im->header;

	if (is_complete(im))
		return 0;
	if (h->junk_pos == 0 && event == HEADER_EOI &&
	    h->in_nbytes - h->pos >= MIN_SOS_NBYTES)
		return h->pos;
	return h->junk_pos;
}

/* EOI, or the data end, or what is left of them makes no sense. */
static enum dctload_status
finish_file(struct image *im, enum header_event event)
{
	struct header *const h = &im->header;
	const bool may_lack_data =
		(im->job->flags & DCTLOAD_ALLOW_TRUNCATED) != 0;
	const size_t lost = find_lost_scan(im, event);

	if (lost != 0)
		return image_fail_at(im, h->in + lost, DCTLOAD_LOST_SEGMENT);
	if (event == HEADER_EOI) {
		if (h->pos != h->in_nbytes)
			h->info.warnings |= DCTLOAD_WARN_TRAILING;
		if (!has_every_component(im)) {
			if (!may_lack_data)
				return image_fail_at(im, h->in + h->pos - 2,
						     DCTLOAD_NO_SCAN);
			h->info.warnings |= DCTLOAD_WARN_TRUNCATED;
		}
	} else if (is_complete(im)) {
		h->info.warnings |= DCTLOAD_WARN_NO_EOI;
	} else if (may_lack_data) {
		h->info.warnings |= DCTLOAD_WARN_TRUNCATED;
	} else {
		return image_fail_at(im, h->in + h->in_nbytes,
				     DCTLOAD_TRUNCATED);
	}
	return output_finish(im);
}

/* The header has come to the file's first scan, or to an end before it. */
static enum dctload_status
begin_file(struct image *im, enum header_event event,
	   struct known_header *known)
{
	enum dctload_status status;

	if (event != HEADER_SCAN)
		return image_fail_at(im, im->header.in + im->header.pos,
				     event == HEADER_EOI ? DCTLOAD_NO_SCAN :
							   DCTLOAD_TRUNCATED);
	status = output_begin(im);
	if (status == DCTLOAD_OK)
		status = begin_scan(im, known);
	if (status != DCTLOAD_OK || !im->header.info.progressive)
		return status;
	status = decode_progressive_scan(im);
	return status == DCTLOAD_OK ? next_scan(im) : status;
}

/*
 * From one scan to the next that needs a lane.  If there is none, 'finished' is
 * set, and the output is complete.
 */
static enum dctload_status
next_scan(struct image *im)
{
	for (;;) {
		enum header_event event = HEADER_END_OF_DATA;
		enum dctload_status status = header_next(&im->header, &event);

		if (status == DCTLOAD_TRUNCATED) {
			event = HEADER_END_OF_DATA;
			status = DCTLOAD_OK;
		}
		if (status != DCTLOAD_OK)
			return status;
		if (event != HEADER_SCAN) {
			im->finished = true;
			return finish_file(im, event);
		}
		status = begin_scan(im, NULL);
		if (status == DCTLOAD_OK && im->header.info.progressive)
			status = decode_progressive_scan(im);
		if (status != DCTLOAD_OK || !im->header.info.progressive)
			return status;
	}
}

/* ---- from outside ------------------------------------------------------ */

static enum image_state
finish_job(struct image *im, enum dctload_status status)
{
	struct jpeg_job *const job = im->job;

	job->status = status;
	*job->info = im->header.info;
	if (status == DCTLOAD_OK && job_has_region(job))
		window_cut_info(&im->wanted, job->info);
	job->error_offset = im->header.error_offset;
	image_release_tables(im);
	reorder_finish(&im->reorder);
	output_clear(im);
	plan_give(im->plans, im->plan);
	im->plan = NULL;
	segment_shrink(im);
	im->job = NULL;
	return IMAGE_FINISHED;
}

/* 'status' is that of what has just been done; go on to the next run. */
static enum image_state
go_on(struct image *im, enum dctload_status status)
{
	if (status != DCTLOAD_OK || im->finished)
		return finish_job(im, status);
	segment_load_run(im);
	begin_run(im);
	return IMAGE_OPEN;
}

enum image_state
image_begin(struct image *im, struct jpeg_job *job)
{
	struct known_header *known;
	enum header_event event;
	enum dctload_status status;

	im->job = job;
	im->cut_short = false;
	im->finished = false;
	memset(im->coded, 0, sizeof(im->coded));
	memset(&im->progress, 0, sizeof(im->progress));
	status = header_open(im->headers, &im->header, job->in, job->in_nbytes,
			     job->limits, &event, &known);
	if (status == DCTLOAD_OK)
		status = begin_file(im, event, known);
	return go_on(im, status);
}

enum image_state
image_advance(struct image *im)
{
	return go_on(im, finish_run(im));
}

void
image_free_scratch(struct image *im)
{
	free(im->segment);
}
