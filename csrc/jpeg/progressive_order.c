/* SPDX-License-Identifier: MIT */
/*
 * progressive_order.c - blocks from the lanes of progressive scans to natural order
 *
 * To memory of their own they go past the cache: the planes are nobody's for now.
 */

#include "../cpu.h"
#include "scan_progressive.h"
#include "std_tables.h"

#if ARCH_X86_64
#include "x86/natural_avx2.h"
#elif ARCH_ARM64
#include "arm/permute_neon.h"
#endif

/* Blocks from lanes to natural order; most of them have few coefficients. */
static void
order_blocks(s16 *out, const s16 *in, const u64 *nonzero, size_t num_blocks)
{
	for (size_t i = 0; i < num_blocks; i++) {
		s16 lanes[BLOCK_COEFS];

		memcpy(lanes, in + i * BLOCK_COEFS, sizeof(lanes));
		memset(out, 0, BLOCK_NBYTES);
		out[0] = lanes[DC_LANE];
		for (u64 left = nonzero[i]; left != 0; left &= left - 1) {
			const u32 lane = (u32)__builtin_ctzll(left);

			out[zigzag_to_natural[LANE(lane)]] = lanes[lane];
		}
		out += BLOCK_COEFS;
	}
}

#if ARCH_X86_64
static TARGET("avx2") void order_blocks_avx2(s16 *out, const s16 *in,
					     size_t num_blocks)
{
	const bool bypass_cache = out != in;
	const __m256i backwards = _mm256_broadcastsi128_si256(_mm_setr_epi8(
		14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1));

	for (; num_blocks-- != 0; in += BLOCK_COEFS, out += BLOCK_COEFS) {
		__m256i z[8], rows[4];

		for (u32 i = 0; i < 8; i++)
			z[i] = _mm256_shuffle_epi8(
				_mm256_broadcastsi128_si256(_mm_loadu_si128(
					(const void *)(in + 8 * (7 - i)))),
				backwards);
		natural_rows_avx2(rows, z);
		store_rows_avx2(out, rows, bypass_cache);
	}
}

static TARGET("avx512f,avx512bw") void order_blocks_avx512(s16 *out,
							   const s16 *in,
							   size_t num_blocks)
{
	const bool bypass_cache = out != in;
	const __m512i last = _mm512_set1_epi16(LANE(0));
	const __m512i pick_lo =
		_mm512_sub_epi16(last, _mm512_load_si512(natural_to_zigzag));
	const __m512i pick_hi = _mm512_sub_epi16(
		last, _mm512_load_si512(natural_to_zigzag + 32));

	for (; num_blocks-- != 0; in += BLOCK_COEFS, out += BLOCK_COEFS) {
		const __m512i lo = _mm512_loadu_si512(in);
		const __m512i hi = _mm512_loadu_si512(in + 32);
		const __m512i upper =
			_mm512_permutex2var_epi16(lo, pick_lo, hi);
		const __m512i lower =
			_mm512_permutex2var_epi16(lo, pick_hi, hi);

		if (bypass_cache) {
			_mm512_stream_si512((void *)out, upper);
			_mm512_stream_si512((void *)(out + 32), lower);
		} else {
			_mm512_storeu_si512(out, upper);
			_mm512_storeu_si512(out + 32, lower);
		}
	}
}
#elif ARCH_ARM64
static void
order_blocks_neon(s16 *out, const s16 *in, size_t num_blocks)
{
	u16 lane_of[BLOCK_COEFS];

	for (u32 i = 0; i < BLOCK_COEFS; i++)
		lane_of[i] = (u16)LANE(natural_to_zigzag[i]);
	for (; num_blocks-- != 0; in += BLOCK_COEFS, out += BLOCK_COEFS)
		permute_neon(out, load_half_neon(in), load_half_neon(in + 32),
			     lane_of);
}
#endif

/* The best for this CPU. */
static void
order_grid(s16 *out, const s16 *in, const u64 *nonzero, size_t num_blocks)
{
#if ARCH_X86_64
	if (cpu_has(CPU_AVX512)) {
		order_blocks_avx512(out, in, num_blocks);
		return;
	}
	if (cpu_has(CPU_AVX2)) {
		order_blocks_avx2(out, in, num_blocks);
		return;
	}
#elif ARCH_ARM64
	if (cpu_has(CPU_NEON)) {
		order_blocks_neon(out, in, num_blocks);
		return;
	}
#endif
	order_blocks(out, in, nonzero, num_blocks);
}

void
progressive_finish(struct progressive_scan *s)
{
	for (u32 c = 0; c < s->info->num_components; c++) {
		const struct dctload_component *const comp =
			&s->info->components[c];

		order_grid(s->out[c], s->grid[c], s->nonzero[c],
			   (size_t)comp->blocks_w * comp->blocks_h);
	}
}
