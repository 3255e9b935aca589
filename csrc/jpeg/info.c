/* SPDX-License-Identifier: MIT */
/* info.c - grids of blocks, and memory for them */

#include "info.h"

void
info_lay_out_grids(struct dctload_info *info)
{
	for (u32 c = 0; c < info->num_components; c++) {
		struct dctload_component *const comp = &info->components[c];

		comp->width = ceil_div_u32(info->width * comp->h, info->h_max);
		comp->height =
			ceil_div_u32(info->height * comp->v, info->v_max);
		comp->blocks_w = ceil_div_u32(comp->width, 8);
		comp->blocks_h = ceil_div_u32(comp->height, 8);
	}
}

bool
info_has_grids_of(const struct dctload_info *info,
		  const struct dctload_info *other)
{
	if (info->num_components != other->num_components)
		return false;
	for (u32 c = 0; c < info->num_components; c++) {
		const struct dctload_component *const a = &info->components[c];
		const struct dctload_component *const b = &other->components[c];

		if (a->h != b->h || a->v != b->v ||
		    a->blocks_w != b->blocks_w || a->blocks_h != b->blocks_h)
			return false;
	}
	return true;
}

static size_t
component_nbytes(const struct dctload_component *comp)
{
	return (size_t)comp->blocks_w * comp->blocks_h * BLOCK_NBYTES;
}

size_t
info_coefs_nbytes(const struct dctload_info *info)
{
	size_t nbytes = 0;

	for (u32 c = 0; c < info->num_components; c++)
		nbytes += component_nbytes(&info->components[c]);
	return nbytes;
}

void
info_place_planes(const struct dctload_info *info, void *memory,
		  s16 *planes[DCTLOAD_MAX_COMPONENTS])
{
	u8 *p = memory;

	for (u32 c = 0; c < DCTLOAD_MAX_COMPONENTS; c++) {
		planes[c] = NULL;
		if (c >= info->num_components)
			continue;
		planes[c] = (s16 *)(void *)p;
		p += component_nbytes(&info->components[c]);
	}
}
