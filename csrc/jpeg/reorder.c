/* SPDX-License-Identifier: MIT */
/*
 * reorder.c - zigzag to natural order, while the blocks are in the cache
 *
 * The hot loop stores several coefficients at a time because it stores them in
 * zigzag order; this is where that is paid for.
 */

#include "reorder.h"

#include "../cpu.h"
#include "std_tables.h"

#if ARCH_X86_64
#include "x86/natural_avx2.h"
#include "x86/packed_avx512.h"
#elif ARCH_ARM64
#include "arm/permute_neon.h"
#endif

typedef void (*move_block_fn)(s16 *dst, s16 *src, s32 dc);

/* The loop over blocks; 'move' is known when this is inlined. */
static ALWAYS_INLINE bool
reorder_with(const struct reorder *r, move_block_fn move)
{
	struct scan_block *block = r->blocks;
	bool fits = true;

	for (u32 mcu = 0; mcu < r->num_mcus; mcu++) {
		for (u32 slot = 0; slot < r->num_slots; slot++, block++) {
			s16 *const src = block->coefs;
			const s32 dc = *r->dc_pred[slot] + src[0];

			*r->dc_pred[slot] = dc;
			fits &= dc == (s16)dc;
			if (likely(mcu < r->num_wanted[slot]))
				move(r->dst[slot] + (size_t)mcu * r->step[slot],
				     src, dc);
			else
				memset(src, 0, BLOCK_NBYTES);
		}
	}
	return fits;
}

static ALWAYS_INLINE void
move_portable(s16 *dst, s16 *src, s32 dc)
{
	dst[0] = (s16)dc;
	for (u32 k = 1; k < BLOCK_COEFS; k++)
		dst[zigzag_to_natural[k]] = src[k];
	memset(src, 0, BLOCK_NBYTES);
}

static bool
reorder_portable(const struct reorder *r)
{
	return reorder_with(r, move_portable);
}

#if ARCH_X86_64
#define TARGET_AVX2 TARGET("avx2")

static ALWAYS_INLINE TARGET_AVX2 void
move_avx2(s16 *dst, s16 *src, s32 dc, bool bypass_cache)
{
	const __m256i zero = _mm256_setzero_si256();
	__m256i z[8], rows[4];

	for (u32 i = 0; i < 8; i++)
		z[i] = _mm256_broadcastsi128_si256(
			_mm_load_si128((const __m128i *)(src + 8 * i)));
	z[0] = _mm256_blend_epi16(z[0], _mm256_set1_epi16((s16)dc), 1);
	natural_rows_avx2(rows, z);
	store_rows_avx2(dst, rows, bypass_cache);
	for (u32 i = 0; i < 4; i++)
		_mm256_store_si256((__m256i *)(void *)(src + 16 * i), zero);
}

static ALWAYS_INLINE TARGET_AVX2 void
move_cached_avx2(s16 *dst, s16 *src, s32 dc)
{
	move_avx2(dst, src, dc, false);
}

static ALWAYS_INLINE TARGET_AVX2 void
move_past_cache_avx2(s16 *dst, s16 *src, s32 dc)
{
	move_avx2(dst, src, dc, true);
}

static TARGET_AVX2 bool
reorder_avx2(const struct reorder *r)
{
	return r->bypass_cache ? reorder_with(r, move_past_cache_avx2) :
				 reorder_with(r, move_cached_avx2);
}

#define TARGET_AVX512 TARGET("avx512f,avx512bw")

/* A whole block is two registers, and one instruction picks from both. */
static ALWAYS_INLINE TARGET_AVX512 void
move_avx512(s16 *dst, s16 *src, s32 dc, bool bypass_cache)
{
	const __m512i lo =
		_mm512_mask_set1_epi16(_mm512_load_si512(src), 1, (s16)dc);
	const __m512i hi = _mm512_load_si512(src + 32);
	const __m512i pick_lo = _mm512_load_si512(natural_to_zigzag);
	const __m512i pick_hi = _mm512_load_si512(natural_to_zigzag + 32);
	const __m512i out_lo = _mm512_permutex2var_epi16(lo, pick_lo, hi);
	const __m512i out_hi = _mm512_permutex2var_epi16(lo, pick_hi, hi);

	if (bypass_cache) {
		_mm512_stream_si512((void *)dst, out_lo);
		_mm512_stream_si512((void *)(dst + 32), out_hi);
	} else {
		_mm512_storeu_si512(dst, out_lo);
		_mm512_storeu_si512(dst + 32, out_hi);
	}
	_mm512_store_si512(src, _mm512_setzero_si512());
	_mm512_store_si512(src + 32, _mm512_setzero_si512());
}

static ALWAYS_INLINE TARGET_AVX512 void
move_cached_avx512(s16 *dst, s16 *src, s32 dc)
{
	move_avx512(dst, src, dc, false);
}

static ALWAYS_INLINE TARGET_AVX512 void
move_past_cache_avx512(s16 *dst, s16 *src, s32 dc)
{
	move_avx512(dst, src, dc, true);
}

static TARGET_AVX512 bool
reorder_avx512(const struct reorder *r)
{
	return r->bypass_cache ? reorder_with(r, move_past_cache_avx512) :
				 reorder_with(r, move_cached_avx512);
}

static TARGET_PACKED bool
reorder_packed(const struct reorder *r)
{
	struct scan_block *block = r->blocks;
	bool fits = true;

	for (u32 mcu = 0; mcu < r->num_mcus; mcu++) {
		for (u32 slot = 0; slot < r->num_slots; slot++, block++) {
			struct packed_blocks *const to = r->packed[slot];
			s16 *const src = block->coefs;
			const s32 dc = *r->dc_pred[slot] + src[0];

			*r->dc_pred[slot] = dc;
			fits &= dc == (s16)dc;
			if (likely(mcu < r->num_wanted[slot])) {
				if (unlikely(to->at > to->last_start))
					packed_extend(to);
				to->at = pack_block_avx512(to->at, src, dc);
			}
			_mm512_store_si512(src, _mm512_setzero_si512());
			_mm512_store_si512(src + 32, _mm512_setzero_si512());
		}
	}
	return fits;
}
#elif ARCH_ARM64
static ALWAYS_INLINE void
move_neon(s16 *dst, s16 *src, s32 dc)
{
	uint8x16x4_t lo = load_half_neon(src);
	const uint8x16x4_t hi = load_half_neon(src + 32);

	lo.val[0] = vreinterpretq_u8_s16(
		vsetq_lane_s16((s16)dc, vreinterpretq_s16_u8(lo.val[0]), 0));
	permute_neon(dst, lo, hi, natural_to_zigzag);
	for (u32 v = 0; v < 8; v++)
		vst1q_s16(src + 8 * v, vdupq_n_s16(0));
}

static bool
reorder_neon(const struct reorder *r)
{
	return reorder_with(r, move_neon);
}
#endif

bool
reorder_blocks(const struct reorder *r)
{
#if ARCH_X86_64
	if (r->packs)
		return reorder_packed(r);
	if (cpu_has(CPU_AVX512))
		return reorder_avx512(r);
	if (cpu_has(CPU_AVX2))
		return reorder_avx2(r);
#elif ARCH_ARM64
	if (cpu_has(CPU_NEON))
		return reorder_neon(r);
#endif
	return reorder_portable(r);
}

/*
 * Stores that bypass the cache become visible to other threads in any order, so
 * this comes before anybody is told that the data are there.  Once an image: it
 * waits until they are in memory, a tenth of a microsecond.
 */
void
reorder_finish(const struct reorder *r)
{
#if ARCH_X86_64
	if (r->bypass_cache)
		_mm_sfence();
#else
	(void)r;
#endif
}
