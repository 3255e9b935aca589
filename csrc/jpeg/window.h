/* SPDX-License-Identifier: MIT */
/* window.h - the part of an image that is wanted, in whole MCUs */
#ifndef DCTLOAD_WINDOW_H
#define DCTLOAD_WINDOW_H

#include "../common.h"
#include "header.h"

/* MCU rows [first_row, end_row), columns [first_col, end_col); never empty. */
struct mcu_window {
	u32 first_row, end_row;
	u32 first_col, end_col;
};

/* All MCUs of the interleaved image. */
struct mcu_window window_of_all(const struct dctload_info *info);

/* The MCUs that 'region' touches; false if it is not inside the image. */
bool window_of_region(const struct dctload_info *info,
		      const struct dctload_region *region,
		      struct mcu_window *window_ret);

/* Make 'info' that of the window. */
void window_cut_info(const struct mcu_window *w, struct dctload_info *info);

/* The same window in the MCUs of 'scan', of which there are w by h. */
struct mcu_window
window_in_scan(const struct mcu_window *w, const struct dctload_info *info,
	       const struct scan_header *scan, u32 mcus_w, u32 mcus_h);

/*
 * Of MCUs [begin, end) in the order of the scan, those up to the last one that
 * is in the window; 0 if none is.
 */
u64
window_count_needed(const struct mcu_window *w, u32 mcus_w, u64 begin, u64 end);

#endif /* DCTLOAD_WINDOW_H */
