/* SPDX-License-Identifier: MIT */
/* refine.h - words of bits, for scan_refine.h */
#ifndef DCTLOAD_REFINE_H
#define DCTLOAD_REFINE_H

#include "../common.h"

#if ARCH_X86_64
#include <immintrin.h>
#endif

#if ARCH_X86_64
/*
 * Bit i of 'bits' to the place of the i-th bit of 'mask', the lowest first.  The
 * intrinsic wants a target that callers cannot all have.
 */
static ALWAYS_INLINE u64
deposit(u64 bits, u64 mask)
{
	u64 out;

	__asm__("pdep %[mask], %[bits], %[out]"
		: [out] "=r"(out)
		: [mask] "rm"(mask), [bits] "r"(bits));
	return out;
}
#else
#define deposit(bits, mask) (0)
#endif

/* The words of a block. */
struct refine_block {
	u64 *nonzero, *negative, *level;
};

static ALWAYS_INLINE struct refine_block
refine_block_at(const struct refine_block *first, u32 i)
{
	return (struct refine_block){ first->nonzero + i, first->negative + i,
				      first->level + i };
}

/* All bits up to the only one of 'place'; all there are if it has none. */
static ALWAYS_INLINE u64
up_to(u64 place)
{
	return place ^ (place - 1);
}

/* JPEG's bits are MSB-first, and of those of a word the first is the lowest. */
#define REVERSED2(x) (x), (x) + 128, (x) + 64, (x) + 192
#define REVERSED4(x)                                            \
	REVERSED2(x), REVERSED2((x) + 32), REVERSED2((x) + 16), \
		REVERSED2((x) + 48)
#define REVERSED6(x)                                          \
	REVERSED4(x), REVERSED4((x) + 8), REVERSED4((x) + 4), \
		REVERSED4((x) + 12)
static const u8 bits_reversed[256] = { REVERSED6(0), REVERSED6(2), REVERSED6(1),
				       REVERSED6(3) };

/* The first 32 bits of 'bits'. */
static ALWAYS_INLINE u64
reverse_32(u64 bits)
{
	return (u64)bits_reversed[bits >> 56] |
	       (u64)bits_reversed[bits >> 48 & 255] << 8 |
	       (u64)bits_reversed[bits >> 40 & 255] << 16 |
	       (u64)bits_reversed[bits >> 32 & 255] << 24;
}

static ALWAYS_INLINE u64
reverse_bits(u64 bits)
{
	return reverse_32(bits) | reverse_32(bits << 32) << 32;
}

/* What differs from CPU to CPU. */
struct refine_ops {
	/*
	 * Bit i < n <= 64: words[i] has something in 'band', or more than one bit.  Words
	 * are read by eights, and what is behind them makes bits too.
	 */
	u64 (*find_touched)(const u64 *words, u32 n, u64 band);
	u64 (*find_several)(const u64 *words, u32 n, u64 band);
	/* Words 'which' of 'nonzero' go to those of 'level', as far as in 'band'. */
	void (*correct)(u64 *level, const u64 *nonzero, u64 which, u64 band);
	bool has_pdep;
};

static ALWAYS_INLINE u64
find_touched_portable(const u64 *words, u32 n, u64 band)
{
	u64 touched = 0;

	for (u32 i = 0; i < n; i += 8) {
		u64 any = 0;

		for (u32 k = 0; k < 8; k++)
			any |= words[i + k];
		for (u32 k = 0; k < 8 && (any & band) != 0; k++)
			touched |= (u64)((words[i + k] & band) != 0) << (i + k);
	}
	return touched;
}

static ALWAYS_INLINE u64
find_several_portable(const u64 *words, u32 n, u64 band)
{
	u64 several = 0;

	for (u32 i = 0; i < n; i++) {
		const u64 word = words[i] & band;

		several |= (u64)((word & (word - 1)) != 0) << i;
	}
	return several;
}

static ALWAYS_INLINE void
correct_portable(u64 *level, const u64 *nonzero, u64 which, u64 band)
{
	for (; which != 0; which &= which - 1) {
		const u32 i = (u32)__builtin_ctzll(which);

		level[i] |= nonzero[i] & band;
	}
}

static const struct refine_ops ops_portable = {
	.find_touched = find_touched_portable,
	.find_several = find_several_portable,
	.correct = correct_portable,
	.has_pdep = false,
};

#if ARCH_X86_64
/* There is no mask of such lanes but of their sign bits: where a word is zero. */
static ALWAYS_INLINE TARGET("avx2") u64 find_zero_avx2(__m256i words)
{
	const __m256i none = _mm256_cmpeq_epi64(words, _mm256_setzero_si256());

	return (u64)(u32)_mm256_movemask_pd(_mm256_castsi256_pd(none));
}

static ALWAYS_INLINE
	TARGET("avx2") __m256i load_band_avx2(const u64 *words, u64 band)
{
	return _mm256_and_si256(_mm256_loadu_si256((const void *)words),
				_mm256_set1_epi64x((s64)band));
}

static ALWAYS_INLINE
	TARGET("avx2") u64 find_touched_avx2(const u64 *words, u32 n, u64 band)
{
	u64 untouched = 0;

	for (u32 i = 0; i < n; i += 4)
		untouched |= find_zero_avx2(load_band_avx2(words + i, band))
			     << i;
	return ~untouched;
}

static ALWAYS_INLINE
	TARGET("avx2") u64 find_several_avx2(const u64 *words, u32 n, u64 band)
{
	u64 few = 0;

	for (u32 i = 0; i < n; i += 4) {
		const __m256i w = load_band_avx2(words + i, band);
		const __m256i rest = _mm256_and_si256(
			w, _mm256_add_epi64(w, _mm256_set1_epi64x(-1)));

		few |= find_zero_avx2(rest) << i;
	}
	return ~few;
}

static const struct refine_ops ops_avx2 = {
	.find_touched = find_touched_avx2,
	.find_several = find_several_avx2,
	.correct = correct_portable,
	.has_pdep = false,
};

static const struct refine_ops ops_pdep = {
	.find_touched = find_touched_avx2,
	.find_several = find_several_avx2,
	.correct = correct_portable,
	.has_pdep = true,
};

static ALWAYS_INLINE TARGET("avx512f,avx512bw") u64
	find_touched_avx512(const u64 *words, u32 n, u64 band)
{
	const __m512i bands = _mm512_set1_epi64((s64)band);
	u64 touched = 0;

	for (u32 i = 0; i < n; i += 8)
		touched |= (u64)_mm512_test_epi64_mask(
				   _mm512_loadu_si512(words + i), bands)
			   << i;
	return touched;
}

static ALWAYS_INLINE TARGET("avx512f,avx512bw") u64
	find_several_avx512(const u64 *words, u32 n, u64 band)
{
	const __m512i bands = _mm512_set1_epi64((s64)band);
	u64 several = 0;

	for (u32 i = 0; i < n; i += 8) {
		const __m512i w =
			_mm512_and_si512(_mm512_loadu_si512(words + i), bands);
		const __m512i less = _mm512_add_epi64(w, _mm512_set1_epi64(-1));

		several |= (u64)_mm512_test_epi64_mask(w, less) << i;
	}
	return several;
}

static ALWAYS_INLINE
	TARGET("avx512f,avx512bw") void correct_avx512(u64 *level,
						       const u64 *nonzero,
						       u64 which, u64 band)
{
	const __m512i bands = _mm512_set1_epi64((s64)band);

	for (; which != 0; which >>= 8, level += 8, nonzero += 8) {
		const __mmask8 mask = (__mmask8)which;
		const __m512i more = _mm512_and_si512(
			_mm512_maskz_loadu_epi64(mask, nonzero), bands);
		const __m512i w = _mm512_maskz_loadu_epi64(mask, level);

		_mm512_mask_storeu_epi64(level, mask, _mm512_or_si512(w, more));
	}
}

static const struct refine_ops ops_avx512 = {
	.find_touched = find_touched_avx512,
	.find_several = find_several_avx512,
	.correct = correct_avx512,
	.has_pdep = true,
};
#endif

#endif /* DCTLOAD_REFINE_H */
