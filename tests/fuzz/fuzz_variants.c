/* SPDX-License-Identifier: MIT */
/*
 * fuzz_variants.c - every CPU variant, alone and in a batch, says the same
 *
 * Proves: value, status, offset and info are the portable code's; an image is
 * decoded the same whatever its neighbours in a batch are and wherever they end.
 */

#include "../../csrc/cpu.h"
#include "fuzz.h"

/* Less and less of what the CPU has; the first is the reference. */
static const u32 masks[] = {
	0,
	CPU_BMI2 | CPU_NEON,
	CPU_BMI2 | CPU_AVX2 | CPU_FMA | CPU_F16C,
	CPU_BMI2 | CPU_AVX2 | CPU_FMA | CPU_F16C | CPU_PDEP,
	~0u,
};

#define BATCH_LEN 3

/* Decode the whole file, its first part and the whole again, as one batch. */
static void
decode_batch(struct dctload_engine *engine, const u8 *const in[2],
	     const size_t in_nbytes[2], const struct outcome want[2])
{
	struct dctload_batch *const batch = dctload_alloc_batch(BATCH_LEN);
	struct dctload_limits limits;
	struct dctload_item *items;

	REQUIRE(batch != NULL);
	fuzz_limits(&limits);
	items = dctload_batch_items(batch);
	for (u32 i = 0; i < BATCH_LEN; i++) {
		items[i].in = in[i & 1];
		items[i].in_nbytes = in_nbytes[i & 1];
	}
	REQUIRE(dctload_submit_read(engine, batch, BATCH_LEN, &limits) == 0);
	REQUIRE(dctload_wait(engine, batch, -1) == 0);
	for (u32 i = 0; i < BATCH_LEN; i++)
		if (items[i].status == DCTLOAD_OK)
			fuzz_planes(&items[i].info, 2 + i, items[i].planes);
	REQUIRE(dctload_submit_decode(engine, batch, BATCH_LEN, &limits, 0) ==
		0);
	REQUIRE(dctload_wait(engine, batch, -1) == 0);
	for (u32 i = 0; i < BATCH_LEN; i++) {
		struct outcome got = {
			.status = items[i].status,
			.error_offset = items[i].error_offset,
			.info = items[i].info,
		};

		memcpy(got.planes, items[i].planes, sizeof(got.planes));
		require_equal(&want[i & 1], &got);
	}
	dctload_free_batch(batch);
}

int
LLVMFuzzerTestOneInput(const u8 *whole, size_t in_nbytes)
{
	static struct dctload_engine *engine;
	const size_t sizes[2] = { in_nbytes, in_nbytes - in_nbytes / 4 };
	const u8 *const in[2] = { guard_copy(GUARD_IN, whole, sizes[0]),
				  guard_copy(GUARD_OUT, whole, sizes[1]) };
	struct outcome want[2], got;

	if (engine == NULL)
		engine = dctload_alloc_engine(0);
	REQUIRE(engine != NULL);
	cpu_set_mask_for_tests(masks[0]);
	for (u32 i = 0; i < 2; i++)
		fuzz_decode(in[i], sizes[i], 0, i, &want[i]);
	for (u32 m = 0; m < ARRAY_LEN(masks); m++) {
		cpu_set_mask_for_tests(masks[m]);
		fuzz_decode(in[0], sizes[0], 0, 2, &got);
		require_equal(&want[0], &got);
		decode_batch(engine, in, sizes, want);
	}
	return 0;
}
