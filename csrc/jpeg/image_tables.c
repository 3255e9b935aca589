/* SPDX-License-Identifier: MIT */
/* image_tables.c - the Huffman tables that an image's scan uses */

#include "image_tables.h"

void
image_release_tables(struct image *im)
{
	for (u32 i = 0; i < ARRAY_LEN(im->tables); i++) {
		huff_release(im->cache, im->tables[i]);
		im->tables[i] = NULL;
	}
}

/* Cb and Cr have the same tables in nearly every file: look them up once. */
static bool
share_tables(struct image *im, u32 i)
{
	const struct scan_header *const scan = &im->header.scan;

	if (i == 0 || scan->dc_slot[i] != scan->dc_slot[i - 1] ||
	    scan->ac_slot[i] != scan->ac_slot[i - 1])
		return false;
	for (u32 k = 2 * i; k < 2 * i + 2; k++) {
		im->tables[k] = im->tables[k - 2];
		huff_share(im->tables[k]);
	}
	return true;
}

static bool
is_narrow(const struct scan_header *scan)
{
	return scan->se < scan->ss + HUFF_NARROW_BAND;
}

/* The tables of component 'i' of the scan, as far as the scan uses them. */
static enum dctload_status
acquire_tables(struct image *im, u32 i)
{
	const struct scan_header *const scan = &im->header.scan;
	const bool progressive = im->header.info.progressive != 0;
	const bool needs_dc = !progressive || (scan->ss == 0 && scan->ah == 0);
	const bool needs_ac = !progressive || scan->ss != 0;
	struct huff_slot **const ac = &im->tables[2 * i + 1];
	enum dctload_status status = DCTLOAD_OK;

	if (share_tables(im, i))
		return DCTLOAD_OK;
	if ((needs_dc && scan->dc_slot[i] >= NUM_TABLE_SLOTS) ||
	    (needs_ac && scan->ac_slot[i] >= NUM_TABLE_SLOTS))
		return DCTLOAD_BAD_HUFFMAN_TABLE;
	/* AC first: the runs of a DC table go on with it. */
	if (needs_ac)
		status = huff_acquire(
			im->cache,
			&(struct huff_key){
				.ref = &im->header.ac[scan->ac_slot[i]],
				.with_runs = !progressive,
				.is_narrow = progressive && is_narrow(scan) },
			ac);
	if (status == DCTLOAD_OK && needs_dc)
		status = huff_acquire(
			im->cache,
			&(struct huff_key){
				.ref = &im->header.dc[scan->dc_slot[i]],
				.is_dc = true,
				.with_runs = !progressive,
				.ac = progressive ? NULL : (*ac)->table },
			&im->tables[2 * i]);
	return status;
}

enum dctload_status
image_acquire_tables(struct image *im, struct known_header *known)
{
	const u32 num_components = im->header.scan.num_components;

	image_release_tables(im);
	if (known != NULL && known->layout != 0 &&
	    huff_acquire_hinted(im->cache, known->tables, 2 * num_components,
				im->tables))
		return DCTLOAD_OK;
	for (u32 i = 0; i < num_components; i++) {
		const enum dctload_status status = acquire_tables(im, i);

		if (status != DCTLOAD_OK)
			return status;
	}
	if (known == NULL)
		return DCTLOAD_OK;
	for (u32 i = 0; i < 2 * num_components; i++)
		known->tables[i] = huff_hint_of(im->tables[i]);
	known->layout = ++im->headers->num_layouts;
	return DCTLOAD_OK;
}
