/* SPDX-License-Identifier: MIT */
/* metadata.c - JFIF, EXIF and Adobe segments: orientation and colours */

#include "metadata.h"

#include "markers.h"

/* JFIF's APP0: only that it is there matters. */
static void
read_app0(struct dctload_info *info, const u8 *data, size_t nbytes)
{
	if (nbytes >= 14 && memcmp(data, "JFIF", 5) == 0)
		info->has_jfif = 1;
}

static u32
tiff_u16(const u8 *p, bool big_endian)
{
	return big_endian ? load_be16(p) : (u32)p[1] << 8 | p[0];
}

static u32
tiff_u32(const u8 *p, bool big_endian)
{
	const u32 a = tiff_u16(p, big_endian);
	const u32 b = tiff_u16(p + 2, big_endian);

	return big_endian ? a << 16 | b : b << 16 | a;
}

/*
 * EXIF's APP1: the orientation in IFD 0 (tag 0x0112).  Broken EXIF is common and
 * harmless: it means orientation 1.
 */
static void
read_app1(struct dctload_info *info, const u8 *data, size_t nbytes)
{
	const u8 *const tiff = data + 6;
	size_t ifd;
	u32 num_entries;
	bool big_endian;

	if (nbytes < 6 + 8 || memcmp(data, "Exif\0", 5) != 0)
		return;
	nbytes -= 6;
	big_endian = tiff[0] == 'M';
	if (memcmp(tiff, big_endian ? "MM\0*" : "II*\0", 4) != 0)
		return;
	ifd = tiff_u32(tiff + 4, big_endian);
	if (ifd > nbytes || nbytes - ifd < 2)
		return;
	num_entries = tiff_u16(tiff + ifd, big_endian);
	for (size_t at = ifd + 2; num_entries-- != 0 && nbytes - at >= 12;
	     at += 12) {
		const u8 *const entry = tiff + at;
		u32 value;

		if (tiff_u16(entry, big_endian) != 0x0112 ||
		    tiff_u16(entry + 2, big_endian) != 3)
			continue;
		value = tiff_u16(entry + 8, big_endian);
		if (value >= 1 && value <= 8)
			info->orientation = (u8)value;
		return;
	}
}

/* Adobe's APP14: the colour transform. */
static void
read_app14(struct dctload_info *info, const u8 *data, size_t nbytes)
{
	if (nbytes >= 12 && memcmp(data, "Adobe", 5) == 0)
		info->adobe_transform = data[11];
}

void
metadata_read(struct dctload_info *info, u32 marker, const u8 *data,
	      size_t nbytes)
{
	if (marker == MARKER_APP0)
		read_app0(info, data, nbytes);
	else if (marker == MARKER_APP1)
		read_app1(info, data, nbytes);
	else if (marker == MARKER_APP14)
		read_app14(info, data, nbytes);
}

enum dctload_color
metadata_guess_color(const struct dctload_info *info)
{
	const struct dctload_component *const c = info->components;

	switch (info->num_components) {
	case 1:
		return DCTLOAD_GRAY;
	case 3:
		if (info->has_jfif)
			return DCTLOAD_YCBCR;
		if (info->adobe_transform >= 0)
			return info->adobe_transform == 0 ? DCTLOAD_RGB :
							    DCTLOAD_YCBCR;
		if (c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B')
			return DCTLOAD_RGB;
		return DCTLOAD_YCBCR;
	case 4:
		return info->adobe_transform > 0 ? DCTLOAD_YCCK : DCTLOAD_CMYK;
	default:
		return DCTLOAD_UNKNOWN_COLOR;
	}
}
