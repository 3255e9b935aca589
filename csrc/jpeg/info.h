/* SPDX-License-Identifier: MIT */
/* info.h - what follows from an image's size, sampling and colour */
#ifndef DCTLOAD_INFO_H
#define DCTLOAD_INFO_H

#include "../common.h"

/* Bytes of the coefficients that 'info' describes. */
size_t info_coefs_nbytes(const struct dctload_info *info);

/* Point planes[] into 'memory', component after component. */
void info_place_planes(const struct dctload_info *info, void *memory,
		       s16 *planes[DCTLOAD_MAX_COMPONENTS]);

/* The grids are as many and as large, also those of any region. */
bool info_has_grids_of(const struct dctload_info *info,
		       const struct dctload_info *other);

/* Sizes and grids of the components, from the image's size and sampling. */
void info_lay_out_grids(struct dctload_info *info);

static inline u32
info_mcus_w(const struct dctload_info *info)
{
	return ceil_div_u32(info->width, 8u * info->h_max);
}

static inline u32
info_mcus_h(const struct dctload_info *info)
{
	return ceil_div_u32(info->height, 8u * info->v_max);
}

/* Whether Y, Cb and Cr are a linear map of the components, so of coefficients too. */
static inline bool
info_is_linear(const struct dctload_info *info)
{
	return info->color != DCTLOAD_CMYK && info->color != DCTLOAD_YCCK;
}

#endif /* DCTLOAD_INFO_H */
