/* SPDX-License-Identifier: MIT */
/*
 * fuzz_header.c - dctload_read_info() on anything, with any limits
 *
 * Proves: no access outside the input; the sizes that come out are consistent
 * and within the limits.  The first bytes of the input choose the limits.
 */

#include "fuzz.h"

static void
check_info(const struct dctload_info *info, const struct dctload_limits *limits)
{
	u64 nbytes = 0;

	REQUIRE(info->width >= 1 && info->width <= 65535);
	REQUIRE(info->height >= 1 && info->height <= 65535);
	REQUIRE((u64)info->width * info->height <= limits->max_pixels);
	REQUIRE(info->num_components >= 1);
	REQUIRE(info->num_components <= DCTLOAD_MAX_COMPONENTS);
	REQUIRE(info->num_components <= limits->max_components);
	REQUIRE(info->orientation >= 1 && info->orientation <= 8);
	REQUIRE(info->color <= DCTLOAD_YCCK);
	REQUIRE(info->num_scans == 0);
	for (u32 c = 0; c < info->num_components; c++) {
		const struct dctload_component *comp = &info->components[c];
		const u32 blocks_w =
			(info->width * comp->h - 1) / (8u * info->h_max) + 1;
		const u32 blocks_h =
			(info->height * comp->v - 1) / (8u * info->v_max) + 1;

		REQUIRE(comp->h >= 1 && comp->h <= info->h_max);
		REQUIRE(comp->v >= 1 && comp->v <= info->v_max);
		REQUIRE(comp->blocks_w == blocks_w);
		REQUIRE(comp->blocks_h == blocks_h);
		nbytes += plane_nbytes(info, c);
	}
	REQUIRE(info->h_max <= 4 && info->v_max <= 4);
	REQUIRE(nbytes <= limits->max_output_nbytes);
}

int
LLVMFuzzerTestOneInput(const u8 *in, size_t in_nbytes)
{
	struct dctload_limits limits;
	struct dctload_info info;
	enum dctload_status status;
	size_t offset;
	u8 choice;

	if (in_nbytes == 0)
		return 0;
	/* From the end, so that the file keeps its beginning. */
	choice = in[in_nbytes - 1];
	in = guard_copy(GUARD_IN, in, in_nbytes);
	dctload_default_limits(&limits);
	if (choice & 1)
		limits.max_pixels = 1u << (choice >> 3);
	if (choice & 2)
		limits.max_output_nbytes = (u64)128 << (choice >> 3);
	if (choice & 4)
		limits.max_components = choice >> 3 & 7;
	status = dctload_read_info(in, in_nbytes, &limits, &info, &offset);
	REQUIRE(dctload_status_text(status) != NULL);
	if (status == DCTLOAD_OK) {
		check_info(&info, &limits);
		touch(&info, sizeof(info));
	} else {
		REQUIRE(offset <= in_nbytes);
		touch(&offset, sizeof(offset));
	}
	return 0;
}
