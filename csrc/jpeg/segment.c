/* SPDX-License-Identifier: MIT */
/*
 * segment.c - entropy-coded segments: the next one, and how one may end
 *
 * A lane reads bytes without stuffing, with zeros behind the last one.  They come
 * into memory piece by piece, so that it takes as much for a file of any size:
 *
 *	     segment_in        segment_read         segment_in_end
 *	file |     dropped | in memory | not yet read      | marker
 *
 * Progressive scans want whole segments, one image at a time.
 */

#include "segment.h"

#include <assert.h>
#include <stdlib.h>

#include "unstuff.h"

/* ---- errors ------------------------------------------------------------ */

enum dctload_status
image_fail_at(struct image *im, const u8 *p, enum dctload_status status)
{
	im->header.error_offset = (size_t)(p - im->header.in);
	return status;
}

/* 'position' is in bits from the first one in memory. */
enum dctload_status
image_fail_at_bit(struct image *im, u64 position, enum dctload_status status)
{
	return image_fail_at(
		im,
		unstuff_locate(im->segment_in,
			       im->header.in + im->header.in_nbytes,
			       im->segment_dropped + position / 8),
		status);
}

/* ---- memory -------------------------------------------------------------- */

/* The longest code and extra bits for every coefficient, and what a refill reads. */
#define RUN_NBYTES \
	(WINDOW_BLOCKS * 64 * (MAX_CODE_BITS + MAX_EXTRA_BITS) / 8 + 16)

/*
 * Of sequential scans.  What is left moves to the front when less than RUN_NBYTES
 * are, so that with three times as much a third of all bytes are moved.
 */
#define PIECE_NBYTES (3 * RUN_NBYTES)
#define SLACK (UNSTUFF_SLACK + SEGMENT_SLACK)

bool
segment_reserve(struct image *im)
{
	size_t nbytes = im->header.in_nbytes;

	if (!im->header.info.progressive && nbytes > PIECE_NBYTES)
		nbytes = PIECE_NBYTES;
	if (nbytes + SLACK <= im->segment_capacity)
		return true;
	free(im->segment);
	im->segment = NULL; /* for a child, should the process fork here */
	im->segment_capacity = 0;
	im->segment = malloc(nbytes + SLACK);
	if (im->segment == NULL)
		return false;
	im->segment_capacity = nbytes + SLACK;
	return true;
}

void
segment_shrink(struct image *im)
{
	if (im->segment_capacity <= PIECE_NBYTES + SLACK)
		return;
	free(im->segment);
	im->segment = NULL;
	im->segment_capacity = 0;
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

/* All of the segment is in memory, or has been. */
static bool
is_loaded(const struct image *im)
{
	return im->segment_read == im->segment_in_end;
}

/* Read on as long as there is room for what the lane gets. */
static void
load_more(struct image *im)
{
	struct scan_lane *const lane = &im->lane;
	u8 *out = im->segment + (lane->end - lane->start);
	const size_t room =
		im->segment_capacity - SLACK - (size_t)(out - im->segment);
	const bool end_is_known = im->segment_in_end != NULL;
	const u8 *const end = end_is_known ?
				      im->segment_in_end :
				      im->header.in + im->header.in_nbytes;
	const u8 *stop;

	stop = (size_t)(end - im->segment_read) > room ?
		       im->segment_read + room :
		       end;
	out += unstuff_segment(&im->segment_read, stop, out);
	if (im->segment_read != end && *im->segment_read == 0xFF) {
		/* A marker, or stuffing: 'stop' is in it, or where it begins. */
		const u8 *p = im->segment_read;

		while (p != end && *p == 0xFF)
			p++;
		if (p == end || *p != 0) {
			im->segment_in_end = im->segment_read;
		} else if (im->segment_read != stop) {
			*out++ = 0xFF;
			im->segment_read = p + 1;
		}
	}
	if (im->segment_read == end)
		im->segment_in_end = end;
	if (!end_is_known)
		im->header.pos = (size_t)(im->segment_read - im->header.in);
	lane->end = out;
	if (is_loaded(im)) {
		memset(out, 0, SEGMENT_SLACK);
		lane->zero_fill = segment_may_be_cut_short(im);
	}
}

void
segment_load_run(struct image *im)
{
	struct scan_lane *const lane = &im->lane;
	const u64 position = bits_position(&lane->bits, lane->start);
	const size_t done = (size_t)(position / 8);
	const size_t left = (size_t)(lane->end - lane->start) - done;

	if (is_loaded(im) || left >= RUN_NBYTES)
		return;
	memmove(im->segment, im->segment + done, left);
	im->segment_dropped += done;
	lane->end = lane->start + left;
	/* Of fill bytes, any number are one byte of data. */
	do
		load_more(im);
	while (!is_loaded(im) &&
	       (size_t)(lane->end - lane->start) < RUN_NBYTES);
	bits_seek(&lane->bits, lane->start, position % 8);
}

/* Begin with the segment where the header stands. */
static void
open_segment(struct image *im)
{
	struct scan_lane *const lane = &im->lane;

	im->segment_in = im->segment_read = im->header.in + im->header.pos;
	im->segment_in_end = NULL;
	im->segment_dropped = 0;
	lane->start = lane->end = im->segment;
	lane->zero_fill = false;
	load_more(im);
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

/* Look for the marker that ends the segment, from where the header stands. */
static void
find_segment_end(struct image *im)
{
	const u8 *const p = im->header.in + im->header.pos;
	const u8 *const end = im->header.in + im->header.in_nbytes;

	im->segment_in_end = unstuff_find_marker(p, end);
	im->header.pos = (size_t)(im->segment_in_end - im->header.in);
}

/*
 * Bits of the segment behind the lane's position, which is in bits from the first
 * one in memory; what has not been read is at least a byte.
 */
static u64
count_leftover(struct image *im, u64 position)
{
	const u64 nbits = (u64)(im->lane.end - im->lane.start) * 8;

	assert(position <= nbits); /* scans look, or a cut one would be whole */
	if (im->segment_in_end == NULL)
		find_segment_end(im);
	return nbits - position + (is_loaded(im) ? 0 : 8);
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
		im->segment_in = im->header.in + pos;
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

/* Enough to tell MCUs from anything else. */
#define TELLING_NBITS (256 * 8)

/*
 * Damaged data may come to the last MCU too early.  What is left of them then is
 * MCUs, which is no accident: of random bytes it is a few in a hundred.
 */
static bool
is_rest_of_data(struct image *im)
{
	if (im->header.info.progressive)
		return true; /* there is no telling */
	segment_load_run(im);
	return scan_goes_on(&im->lane, TELLING_NBITS);
}

/*
 * Bits left in a segment whose MCUs are all decoded.  A last byte is filled up
 * with anything.  Whole bytes more are junk to libjpeg; if the last byte was not
 * filled up with ones, or they look like it, they rather are the rest of damaged
 * data.
 */
static enum dctload_status
check_last_segment(struct image *im, const struct bitreader *bits)
{
	const u64 position = bits_position(bits, im->lane.start);
	const u32 padding = (u32)(-position & 7);
	const u8 last = im->lane.start[position / 8];
	const u64 offset = im->segment_dropped * 8 + position;
	const u8 *junk;

	if (count_leftover(im, position) < 8)
		return DCTLOAD_OK;
	junk = unstuff_locate(im->segment_in, im->segment_in_end,
			      (offset + padding) / 8);
	if ((padding == 0 || (u8)(last | 0xFF << padding) == 0xFF) &&
	    (is_harmless(junk, im->segment_in_end) || !is_rest_of_data(im))) {
		header_note_junk(&im->header, (size_t)(junk - im->header.in),
				 (size_t)(im->segment_in_end - junk));
		return DCTLOAD_OK;
	}
	return image_fail_at_bit(im, offset - im->segment_dropped * 8,
				 DCTLOAD_EXCESS_DATA);
}

/*
 * A restart marker behind the last segment is harmless if another marker follows
 * at once: some encoders write one after every interval, the last included.  With
 * data behind it there are more segments than the frame's size and the restart
 * interval leave room for, so one of these is damaged, and most blocks are in the
 * wrong place.  To libjpeg the data are extraneous bytes, as any other junk.
 */
static enum dctload_status
check_no_more_segments(struct image *im)
{
	const u8 *const end = im->header.in + im->header.in_nbytes;
	const u8 *p = im->segment_in_end;

	for (;;) {
		while (p != end && *p == 0xFF)
			p++;
		if (p == end || *p < MARKER_RST0 || *p > MARKER_RST7)
			return DCTLOAD_OK;
		p++;
		if (unstuff_find_marker(p, end) != p)
			return image_fail_at(im, p, DCTLOAD_EXCESS_DATA);
	}
}

enum dctload_status
segment_check_leftover(struct image *im, const struct bitreader *bits)
{
	const enum dctload_status status = check_last_segment(im, bits);

	return status == DCTLOAD_OK ? check_no_more_segments(im) : status;
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
	const u64 leftover = count_leftover(im, position);

	if (im->segment_mcus_left == 0 && leftover >= 8)
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
