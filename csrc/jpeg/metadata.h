/* SPDX-License-Identifier: MIT */
/* metadata.h - what application segments say about an image */
#ifndef DCTLOAD_METADATA_H
#define DCTLOAD_METADATA_H

#include "../common.h"

/* Note what the segment of 'marker', APPn or COM, says; any bytes will do. */
void metadata_read(struct dctload_info *info, u32 marker, const u8 *data,
		   size_t nbytes);

/* What libjpeg's default_decompress_parms() takes the components for. */
enum dctload_color metadata_guess_color(const struct dctload_info *info);

#endif /* DCTLOAD_METADATA_H */
