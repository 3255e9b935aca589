/* SPDX-License-Identifier: MIT */
/* segment.c - entropy-coded segments: the next one, and how one may end */

#include "segment.h"

#include <stdlib.h>

#include "unstuff.h"

/* ---- errors ------------------------------------------------------------ */

enum dctload_status
image_fail_at(struct image *im, const u8 *p, enum dctload_status status)
{
	im->header.error_offset = (size_t)(p - im->header.in);
	return status;
}

/* 'position' is in bits from the segment's start. */
enum dctload_status
image_fail_at_bit(struct image *im, u64 position, enum dctload_status status)
{
	return image_fail_at(im,
			     unstuff_locate(im->segment_in, im->segment_in_end,
					    position / 8),
			     status);
}

/* ---- segments ---------------------------------------------------------- */

/* Room for the longest segment and what is stored or read past it. */
bool
segment_reserve(struct image *im)
{
	const size_t nbytes =
		im->header.in_nbytes + UNSTUFF_SLACK + SEGMENT_SLACK;

	if (nbytes <= im->segment_capacity)
		return true;
	free(im->segment);
	im->segment_capacity = 0;
	im->segment = malloc(nbytes + nbytes / 4);
	if (im->segment == NULL)
		return false;
	im->segment_capacity = nbytes + nbytes / 4;
	return true;
}

/* The marker that ended the segment; 0 at the end of the data. */
static u32
marker_after_segment(const struct image *im)
{
	const u8 *p = im->segment_in_end;
	const u8 *const end = im->header.in + im->header.in_nbytes;

	while (p != end && *p == 0xFF)
		p++;
	return p != end ? *p : 0;
}

/* What is missing may be missing: the caller wants what there is. */
static bool
segment_may_be_cut_short(const struct image *im)
{
	const u32 marker = marker_after_segment(im);

	return (im->job->flags & DCTLOAD_ALLOW_TRUNCATED) != 0 &&
	       (marker == 0 || marker == MARKER_EOI);
}

/*
 * MCUs [begin, end): how many have to be decoded?  Refinement counts on every
 * block that comes before in the scan, so progressive scans all stop at one place
 * and leave nothing out.
 */
static u32
count_needed(const struct image *im, u64 begin, u64 end)
{
	const struct mcu_window *const w = &im->scan_wanted;
	const u64 all = (u64)(w->end_row - 1) * im->mcus_w + w->end_col;

	if (!im->header.info.progressive)
		return (u32)window_count_needed(w, im->mcus_w, begin, end);
	if (end > all)
		end = all;
	return begin < end ? (u32)(end - begin) : 0;
}

static u64
scan_position(const struct image *im)
{
	return (u64)im->mcu_y * im->mcus_w + im->mcu_x;
}

bool
segment_has_needed_after(const struct image *im)
{
	const u64 begin = scan_position(im) + im->segment_mcus_left;
	const u64 end = (u64)im->mcus_w * im->mcus_h;

	return begin < end && count_needed(im, begin, end) != 0;
}

/* The MCUs of the segment that begins here. */
static void
count_mcus(struct image *im)
{
	const u32 interval = im->header.restart_interval;
	const u64 begin = scan_position(im);
	u64 n = (u64)im->mcus_w * im->mcus_h - begin;

	if (interval != 0 && interval < n)
		n = interval;
	im->segment_mcus_left = (u32)n;
	im->segment_mcus_needed = count_needed(im, begin, begin + n);
}

/* Copy the segment that begins where the header stands, for the lane. */
static void
open_segment(struct image *im)
{
	const u8 *p = im->header.in + im->header.pos;
	const u8 *const end = im->header.in + im->header.in_nbytes;
	struct scan_lane *const lane = &im->lane;
	size_t nbytes;

	im->segment_in = p;
	nbytes = unstuff_segment(&p, end, im->segment);
	memset(im->segment + nbytes, 0, SEGMENT_SLACK);
	im->segment_in_end = p;
	im->header.pos = (size_t)(p - im->header.in);

	lane->start = im->segment;
	lane->end = im->segment + nbytes;
	lane->zero_fill = segment_may_be_cut_short(im);
	memset(lane->dc_pred, 0, sizeof(lane->dc_pred));
	bits_seek(&lane->bits, lane->start, 0);
}

/* The restart marker that has to follow is there: go past it. */
static bool
pass_restart(struct image *im)
{
	if (marker_after_segment(im) != MARKER_RST0 + im->next_restart)
		return false;
	im->next_restart = (im->next_restart + 1) % 8;
	while (im->header.in[im->header.pos] == 0xFF)
		im->header.pos++;
	im->header.pos++;
	return true;
}

/* Look for the marker that ends the segment. */
static void
find_segment_end(struct image *im)
{
	const u8 *const p = im->header.in + im->header.pos;
	const u8 *const end = im->header.in + im->header.in_nbytes;

	im->segment_in = p;
	im->segment_in_end = unstuff_find_marker(p, end);
	im->header.pos = (size_t)(im->segment_in_end - im->header.in);
}

enum dctload_status
segment_begin(struct image *im)
{
	for (;;) {
		const size_t pos = im->header.pos;
		enum dctload_status status;

		count_mcus(im);
		if (im->segment_mcus_needed != 0)
			break;
		find_segment_end(im);
		if (pass_restart(im)) {
			status = image_step(im, im->segment_mcus_left);
			if (status != DCTLOAD_OK)
				return status;
			continue;
		}
		if (!segment_may_be_cut_short(im))
			return segment_fail_early_end(im);
		/* What is missing may begin in here. */
		im->header.pos = pos;
		im->segment_mcus_needed = im->segment_mcus_left;
		break;
	}
	open_segment(im);
	return DCTLOAD_OK;
}

void
segment_pass_scan(struct image *im)
{
	u32 marker;

	find_segment_end(im);
	while ((marker = marker_after_segment(im)) >= MARKER_RST0 &&
	       marker <= MARKER_RST7) {
		im->header.pos += 2;
		find_segment_end(im);
	}
}

/*
 * Bytes of the file behind a scan: few enough for libjpeg's bit buffer to swallow
 * them without a word, or one over and over, as careless writers pad.
 */
static bool
is_harmless(const u8 *p, const u8 *end)
{
	const size_t nbytes = (size_t)(end - p);

	return nbytes < 8 || memcmp(p, p + 1, nbytes - 1) == 0;
}

/*
 * Bits left in a segment whose MCUs are all decoded.  A last byte is filled up
 * with anything.  Whole bytes more are junk to libjpeg; if the last byte was not
 * filled up with ones, or they are many, they rather are the rest of damaged data.
 */
enum dctload_status
segment_check_leftover(struct image *im, const struct bitreader *bits)
{
	const u64 position = bits_position(bits, im->lane.start);
	const u64 nbits = (u64)(im->lane.end - im->lane.start) * 8;
	const u32 padding = (u32)(-position & 7);
	const u8 last = im->lane.start[position / 8];
	const u8 *junk;

	if (nbits - position < 8)
		return DCTLOAD_OK;
	junk = unstuff_locate(im->segment_in, im->segment_in_end,
			      (position + padding) / 8);
	if ((padding != 0 && (u8)(last | 0xFF << padding) != 0xFF) ||
	    !is_harmless(junk, im->segment_in_end))
		return image_fail_at_bit(im, position, DCTLOAD_EXCESS_DATA);
	im->header.info.warnings |= DCTLOAD_WARN_JUNK;
	return DCTLOAD_OK;
}

/* Data end before the scan does: why is that wrong? */
enum dctload_status
segment_fail_early_end(struct image *im)
{
	const u32 marker = marker_after_segment(im);

	if (marker >= MARKER_RST0 && marker <= MARKER_RST7)
		return image_fail_at(im, im->segment_in_end,
				     DCTLOAD_BAD_RESTART);
	return image_fail_at(im, im->segment_in_end, DCTLOAD_TRUNCATED);
}

/* Go past the restart marker that has to follow, to the next segment. */
enum dctload_status
segment_next(struct image *im, const struct bitreader *bits)
{
	enum dctload_status status;
	const u64 position = bits_position(bits, im->lane.start);

	if (im->segment_mcus_left == 0 &&
	    (u64)(im->lane.end - im->lane.start) * 8 - position >= 8)
		return image_fail_at_bit(im, position, DCTLOAD_BAD_RESTART);
	if (!pass_restart(im)) {
		if (!segment_may_be_cut_short(im))
			return segment_fail_early_end(im);
		/* What is missing may begin in the rest of this segment. */
		im->segment_mcus_needed = im->segment_mcus_left;
		if (im->segment_mcus_left != 0)
			return DCTLOAD_OK;
		/* As libjpeg: the next MCU is made of zero bits. */
	}
	status = image_step(im, im->segment_mcus_left);
	return status == DCTLOAD_OK ? segment_begin(im) : status;
}
