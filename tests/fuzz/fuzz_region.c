/* SPDX-License-Identifier: MIT */
/*
 * fuzz_region.c - a region against the whole
 *
 * Proves: where the whole file decodes, with or without truncation allowed, any
 * region of it does, to the same blocks; no access outside of the memory that the
 * window takes, whatever is wrong with the file.
 */

#include "fuzz.h"

/* A region of the image, by the bytes of the file: FNV-1a. */
static struct dctload_region
choose_region(const struct dctload_info *info, const u8 *in, size_t in_nbytes)
{
	struct dctload_region r;
	u64 h = 0xCBF29CE484222325u;

	for (size_t i = 0; i < in_nbytes; i++)
		h = (h ^ in[i]) * 0x100000001B3u;
	r.left = (u32)(h >> 8 & 0xFFFF) % info->width;
	r.top = (u32)(h >> 24 & 0xFFFF) % info->height;
	r.width = 1 + (u32)(h >> 40 & 0xFFF) % (info->width - r.left);
	r.height = 1 + (u32)(h >> 52) % (info->height - r.top);
	return r;
}

/* The planes of 'part', one after the other in 'memory', are 'whole's. */
static void
require_window(const struct dctload_info *part, const s16 *memory,
	       const struct outcome *whole)
{
	for (u32 c = 0; c < part->num_components; c++) {
		const struct dctload_component *const comp =
			&part->components[c];
		const struct dctload_component *const all =
			&whole->info.components[c];
		const size_t y0 = part->top / (8u * part->v_max) * comp->v;
		const size_t x0 = part->left / (8u * part->h_max) * comp->h;

		for (size_t y = 0; y < comp->blocks_h; y++) {
			const s16 *const row =
				whole->planes[c] +
				((y0 + y) * all->blocks_w + x0) * BLOCK_COEFS;

			REQUIRE(memcmp(memory, row,
				       comp->blocks_w * BLOCK_NBYTES) == 0);
			memory += comp->blocks_w * BLOCK_COEFS;
		}
	}
}

static void
check_region(const u8 *in, size_t in_nbytes, u32 flags)
{
	struct dctload_decoder *const d = dctload_alloc_decoder();
	struct dctload_limits limits;
	struct dctload_region region;
	struct dctload_info info;
	struct outcome whole;
	enum dctload_status status;
	size_t nbytes, error_offset;
	u8 *memory;

	REQUIRE(d != NULL);
	fuzz_limits(&limits);
	if (dctload_read_info(in, in_nbytes, &limits, &info, NULL) !=
	    DCTLOAD_OK) {
		dctload_free_decoder(d);
		return;
	}
	fuzz_decode(in, in_nbytes, flags, 0, &whole);
	region = choose_region(&info, in, in_nbytes);
	status = dctload_decode_region(d, in, in_nbytes, &limits, flags,
				       &region, NULL, 0, &nbytes, &info,
				       &error_offset);
	REQUIRE(status == DCTLOAD_OK && nbytes != 0);
	memory = guard_alloc(GUARD_PLANES + DCTLOAD_MAX_COMPONENTS, nbytes);
	status = dctload_decode_region(d, in, in_nbytes, &limits, flags,
				       &region, memory, nbytes, &nbytes, &info,
				       &error_offset);
	REQUIRE(error_offset <= in_nbytes);
	if (whole.status == DCTLOAD_OK) {
		REQUIRE(status == DCTLOAD_OK);
		require_window(&info, (const s16 *)(const void *)memory,
			       &whole);
	}
	dctload_free_decoder(d);
}

int
LLVMFuzzerTestOneInput(const u8 *in, size_t in_nbytes)
{
	const u8 *const copy = guard_copy(GUARD_IN, in, in_nbytes);

	check_region(copy, in_nbytes, 0);
	check_region(copy, in_nbytes, DCTLOAD_ALLOW_TRUNCATED);
	return 0;
}
