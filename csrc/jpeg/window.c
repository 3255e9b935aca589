/* SPDX-License-Identifier: MIT */
/* window.c - the part of an image that is wanted, in whole MCUs */

#include "window.h"

struct mcu_window
window_of_all(const struct dctload_info *info)
{
	return (struct mcu_window){
		.end_row = info_mcus_h(info),
		.end_col = info_mcus_w(info),
	};
}

bool
window_of_region(const struct dctload_info *info,
		 const struct dctload_region *region,
		 struct mcu_window *window_ret)
{
	const u32 mcu_w = 8u * info->h_max, mcu_h = 8u * info->v_max;

	if (region->width == 0 || region->left >= info->width ||
	    region->width > info->width - region->left || region->height == 0 ||
	    region->top >= info->height ||
	    region->height > info->height - region->top)
		return false;
	*window_ret = (struct mcu_window){
		.first_row = region->top / mcu_h,
		.end_row = ceil_div_u32(region->top + region->height, mcu_h),
		.first_col = region->left / mcu_w,
		.end_col = ceil_div_u32(region->left + region->width, mcu_w),
	};
	return true;
}

void
window_cut_info(const struct mcu_window *w, struct dctload_info *info)
{
	const u32 mcu_w = 8u * info->h_max, mcu_h = 8u * info->v_max;

	info->left = w->first_col * mcu_w;
	info->top = w->first_row * mcu_h;
	info->width = min_u32(info->width, w->end_col * mcu_w) - info->left;
	info->height = min_u32(info->height, w->end_row * mcu_h) - info->top;
	info_lay_out_grids(info);
}

struct mcu_window
window_in_scan(const struct mcu_window *w, const struct dctload_info *info,
	       const struct scan_header *scan, u32 mcus_w, u32 mcus_h)
{
	const struct dctload_component *const comp =
		&info->components[scan->component[0]];
	const u32 h = scan_is_interleaved(scan) ? 1 : comp->h;
	const u32 v = scan_is_interleaved(scan) ? 1 : comp->v;

	return (struct mcu_window){
		.first_row = w->first_row * v,
		.end_row = min_u32(w->end_row * v, mcus_h),
		.first_col = w->first_col * h,
		.end_col = min_u32(w->end_col * h, mcus_w),
	};
}

u64
window_count_needed(const struct mcu_window *w, u32 mcus_w, u64 begin, u64 end)
{
	u64 row, col, last;

	/* The last MCU of the window before 'end', from which to look back. */
	row = (end - 1) / mcus_w;
	col = (end - 1) % mcus_w;
	if (row >= w->end_row) {
		row = w->end_row - 1;
		col = w->end_col - 1;
	} else if (col >= w->end_col) {
		col = w->end_col - 1;
	} else if (col < w->first_col) {
		if (row == 0)
			return 0;
		row--;
		col = w->end_col - 1;
	}
	last = row * mcus_w + col;
	return row >= w->first_row && last >= begin ? last + 1 - begin : 0;
}

enum dctload_status
dctload_window(const struct dctload_info *info,
	       const struct dctload_region *region,
	       struct dctload_info *window_ret)
{
	struct mcu_window w;

	if (window_ret != info)
		*window_ret = *info;
	if (region->width == 0)
		return DCTLOAD_OK;
	if (!window_of_region(info, region, &w))
		return DCTLOAD_BAD_REGION;
	window_cut_info(&w, window_ret);
	return DCTLOAD_OK;
}
