/* SPDX-License-Identifier: MIT */
/*
 * refine_finish.h - what refinement scans found is added to blocks, for
 * progressive_order.c
 */
#ifndef DCTLOAD_REFINE_FINISH_H
#define DCTLOAD_REFINE_FINISH_H

#include "progressive_words.h"

#if ARCH_X86_64
#include <immintrin.h>
#endif

/* The words of a component, those of the highest Al first, as its scans came. */
struct refinements {
	const u64 *negative;
	const u64 *levels[NUM_LEVELS];
	s16 steps[NUM_LEVELS]; /* 1 << Al */
	u32 num_levels;
};

/* Which coefficients of a block are changed. */
static ALWAYS_INLINE u64
changes_of_block(const struct refinements *r, size_t i)
{
	u64 any = 0;

	for (u32 n = 0; n < r->num_levels; n++)
		any |= r->levels[n][i];
	return any;
}

/* Eight lanes; compilers make of it what the CPU has. */
typedef s16 lanes8 __attribute__((vector_size(16)));

static ALWAYS_INLINE lanes8
lanes8_of(u64 word, u32 first)
{
	const lanes8 each = { 1, 2, 4, 8, 16, 32, 64, 128 };
	const lanes8 bits = (s16)(word >> first & 0xFF) - (lanes8){ 0 };

	return (bits & each) == each;
}

static void
refine_portable(s16 *block, const struct refinements *r, size_t i)
{
	const u64 changes = changes_of_block(r, i);

	for (u32 first = 0; first < BLOCK_COEFS; first += 8) {
		const lanes8 found = lanes8_of(r->negative[i], first);
		lanes8 v;

		if ((u8)(changes >> first) == 0)
			continue;
		memcpy(&v, block + first, sizeof(v));
		for (u32 n = 0; n < r->num_levels; n++) {
			const lanes8 sign = v >> 15 | found;
			const lanes8 away =
				((r->steps[n] - (lanes8){ 0 }) ^ sign) - sign;

			v += away & lanes8_of(r->levels[n][i], first);
		}
		memcpy(block + first, &v, sizeof(v));
	}
}

#if ARCH_X86_64
/* Sixteen lanes: all ones where the bit of 'word' from 'first' on is set. */
static ALWAYS_INLINE TARGET("avx2") __m256i lanes_of(u64 word, u32 first)
{
	const __m256i each =
		_mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024,
				  2048, 4096, 8192, 16384, (s16)32768);
	const __m256i bits = _mm256_set1_epi16((s16)(word >> first));

	return _mm256_cmpeq_epi16(_mm256_and_si256(bits, each), each);
}

static ALWAYS_INLINE
	TARGET("avx2") void refine_avx2(s16 *block, const struct refinements *r,
					size_t i)
{
	const u64 changes = changes_of_block(r, i);

	for (u32 first = 0; first < BLOCK_COEFS; first += 16) {
		__m256i *const p = (__m256i *)(void *)(block + first);
		const __m256i found = lanes_of(r->negative[i], first);
		__m256i v;

		if ((u16)(changes >> first) == 0)
			continue;
		v = _mm256_loadu_si256(p);

		for (u32 n = 0; n < r->num_levels; n++) {
			const __m256i sign = _mm256_or_si256(
				_mm256_srai_epi16(v, 15), found);
			const __m256i away = _mm256_sub_epi16(
				_mm256_xor_si256(_mm256_set1_epi16(r->steps[n]),
						 sign),
				sign);

			v = _mm256_add_epi16(
				v,
				_mm256_and_si256(away, lanes_of(r->levels[n][i],
								first)));
		}
		_mm256_storeu_si256(p, v);
	}
}

/* Half a block; how many levels there are is known when this is inlined. */
static ALWAYS_INLINE TARGET("avx512f,avx512bw") void refine_half_avx512(
	s16 *half, const struct refinements *r, size_t i, u32 first,
	u32 num_levels)
{
	const __m512i found = _mm512_movm_epi16((u32)(r->negative[i] >> first));
	__m512i v = _mm512_loadu_si512(half);

	for (u32 n = 0; n < num_levels; n++) {
		const __m512i sign =
			_mm512_or_si512(_mm512_srai_epi16(v, 15), found);
		const __m512i away = _mm512_sub_epi16(
			_mm512_xor_si512(_mm512_set1_epi16(r->steps[n]), sign),
			sign);

		v = _mm512_mask_add_epi16(v, (u32)(r->levels[n][i] >> first), v,
					  away);
	}
	_mm512_storeu_si512(half, v);
}

static ALWAYS_INLINE TARGET("avx512f,avx512bw") void refine_avx512(
	s16 *blocks, const struct refinements *restrict ptr, size_t i,
	size_t end, u32 num_levels)
{
	const struct refinements r = *ptr;

	for (; i < end; i++) {
		s16 *const block = blocks + i * BLOCK_COEFS;
		u64 any = 0;

		for (u32 n = 0; n < num_levels; n++)
			any |= r.levels[n][i];
		if ((u32)any != 0)
			refine_half_avx512(block, &r, i, 0, num_levels);
		if (any >> 32 != 0)
			refine_half_avx512(block + 32, &r, i, 32, num_levels);
	}
}
#endif

#endif /* DCTLOAD_REFINE_FINISH_H */
