/* SPDX-License-Identifier: MIT */
/*
 * random.c - Philox4x64-10, the counter-based generator of Salmon et al.,
 * "Parallel random numbers: as easy as 1, 2, 3" (SC 2011)
 *
 * Ten rounds turn (counter, key) into four words that pass as random, so a
 * sample's draws are a pure function of who it is.  The 64-bit variant takes
 * seeds and sample numbers whole and is the one of numpy.random.Philox.
 */
#include "../common.h"

#define PHILOX_ROUNDS 10
#define PHILOX_WORDS 4

/* The constants of the paper: multipliers, and the key's Weyl sequence. */
#define PHILOX_M0 0xD2E7470EE14C6C93u
#define PHILOX_M1 0xCA5A826395121157u
#define PHILOX_W0 0x9E3779B97F4A7C15u /* golden ratio */
#define PHILOX_W1 0xBB67AE8584CAA73Bu /* sqrt(3) - 1 */

static inline u64
mul_hi_lo(u64 a, u64 b, u64 *lo_ret)
{
	const unsigned __int128 product = (unsigned __int128)a * b;

	*lo_ret = (u64)product;
	return (u64)(product >> 64);
}

static void
philox(const u64 counter[PHILOX_WORDS], u64 key0, u64 key1,
       u64 out[PHILOX_WORDS])
{
	u64 c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];

	for (unsigned round = 0; round < PHILOX_ROUNDS; round++) {
		u64 lo0, lo1;
		const u64 hi0 = mul_hi_lo(PHILOX_M0, c0, &lo0);
		const u64 hi1 = mul_hi_lo(PHILOX_M1, c2, &lo1);

		c0 = hi1 ^ c1 ^ key0;
		c1 = lo1;
		c2 = hi0 ^ c3 ^ key1;
		c3 = lo0;
		key0 += PHILOX_W0;
		key1 += PHILOX_W1;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

/* The 53 bits that a double holds, as a multiple of 2^-53 in [0, 1). */
static double
unit_double(u64 word)
{
	return (double)(word >> 11) * 0x1p-53;
}

void
dctload_uniforms(uint64_t seed, uint64_t epoch, const uint64_t *indices,
		 size_t num_indices, uint32_t num_draws, uint32_t slot,
		 double *out)
{
	for (size_t i = 0; i < num_indices; i++) {
		u64 words[PHILOX_WORDS];

		for (u32 draw = 0; draw < num_draws; draw++) {
			const u64 counter[PHILOX_WORDS] = { indices[i],
							    draw / PHILOX_WORDS,
							    slot, 0 };

			if (draw % PHILOX_WORDS == 0)
				philox(counter, seed, epoch, words);
			*out++ = unit_double(words[draw % PHILOX_WORDS]);
		}
	}
}
