/* SPDX-License-Identifier: MIT */
/*
 * segment.h - an image's entropy-coded segments
 *
 * A scan is one segment, or several with restart markers between them
 * (T.81 B.2.1).
 */
#ifndef DCTLOAD_SEGMENT_H
#define DCTLOAD_SEGMENT_H

#include "image.h"

/* Note where the file is wrong; returns 'status'. */
enum dctload_status
image_fail_at(struct image *im, const u8 *p, enum dctload_status status);

/* The same; 'position' is in bits from the segment's start. */
enum dctload_status
image_fail_at_bit(struct image *im, u64 position, enum dctload_status status);

/* Memory for the segments of a file whose header has been read. */
bool segment_reserve(struct image *im);

/* The file is done: keep memory of the usual size only. */
void segment_shrink(struct image *im);

/* Have all in memory that the longest run can take. */
void segment_load_run(struct image *im);

/* Count 'num_mcus' of the segment as done, and pass on the rows they end. */
enum dctload_status image_step(struct image *im, u32 num_mcus);

/*
 * Go to the first segment that has an MCU that is needed, from the one that
 * begins where the header stands.  Those before are passed over: the numbers of
 * their markers are checked, their data are not.
 */
enum dctload_status segment_begin(struct image *im);

/* The scan has MCUs that are needed behind this segment. */
bool segment_has_needed_after(const struct image *im);

/* Pass over what is left of a sequential scan. */
void segment_pass_scan(struct image *im);

/*
 * Go past what is left of the segment, and the restart marker that has to
 * follow, to the next segment that is needed.
 */
enum dctload_status
segment_next(struct image *im, const struct bitreader *bits);

/* The scan's last MCU is decoded: is what is left harmless? */
enum dctload_status
segment_check_leftover(struct image *im, const struct bitreader *bits);

/* Data end before the scan does: why is that wrong? */
enum dctload_status segment_fail_early_end(struct image *im);

#endif /* DCTLOAD_SEGMENT_H */
