/* SPDX-License-Identifier: MIT */
/* refine.h - the arithmetic of refinement scans, for scan_progressive.c */
#ifndef DCTLOAD_REFINE_H
#define DCTLOAD_REFINE_H

#include "../common.h"

#if ARCH_X86_64
#include <immintrin.h>
#endif

#define BIT(i) ((u64)1 << (i))

/*
 * T.81 walks over the coefficients one by one: one that is zero counts, any other
 * takes a bit.  Here the walk is arithmetic on words with a bit for each lane.
 * The place where a run of zeros ends is a bit of the word of zeros; the
 * coefficients passed over are a mask, and as many bits of the file are deposited
 * into it.  What a block gets is collected in words and added at the end.
 */
struct refinement {
	u64 grow;        /* one step away from zero */
	u64 plus, minus; /* from zero to one step */
};

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

static ALWAYS_INLINE u64
highest_bit(u64 x)
{
	return BIT(63) >> __builtin_clzll(x);
}

/* The bit of 'mask' that has 'n' above it; 0 if there are no more. */
static ALWAYS_INLINE u64
find_place(u64 mask, u32 n)
{
	const u32 num_bits = (u32)__builtin_popcountll(mask);

	return n < num_bits ? deposit(BIT(num_bits - 1 - n), mask) : 0;
}

/* What differs from CPU to CPU. */
struct refine_ops {
	/* Carry 'r' out on the coefficients of a block that are in 'band'. */
	void (*refine)(s16 *coefs, s16 step, const struct refinement *r,
		       u64 band);
	/*
	 * Bit i < n <= 64: words[i] has something in 'band'.  Words are read by
	 * eights, and what is behind them makes bits too.
	 */
	u64 (*find_touched)(const u64 *words, u32 n, u64 band);
	bool has_pdep;
};

/* Eight lanes; compilers make of it what the CPU has. */
typedef s16 lanes8 __attribute__((vector_size(16)));

static ALWAYS_INLINE lanes8
lanes8_of(u64 word, u32 first)
{
	const lanes8 each = { 1, 2, 4, 8, 16, 32, 64, 128 };
	const lanes8 bits = (s16)(word >> first & 0xFF) - (lanes8){ 0 };

	return (bits & each) == each;
}

static ALWAYS_INLINE void
refine_portable(s16 *coefs, s16 step, const struct refinement *r, u64 band)
{
	const lanes8 steps = step - (lanes8){ 0 };

	for (u32 i = 0; i < BLOCK_COEFS; i += 8) {
		lanes8 v, sign;

		if ((u8)(band >> i) == 0)
			continue;
		memcpy(&v, coefs + i, sizeof(v));
		sign = v >> 15;
		v += (((steps ^ sign) - sign) & lanes8_of(r->grow, i)) +
		     (steps & lanes8_of(r->plus, i)) -
		     (steps & lanes8_of(r->minus, i));
		memcpy(coefs + i, &v, sizeof(v));
	}
}

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

static const struct refine_ops ops_portable = {
	.refine = refine_portable,
	.find_touched = find_touched_portable,
	.has_pdep = false,
};

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
	TARGET("avx2") void refine_avx2(s16 *coefs, s16 step,
					const struct refinement *r, u64 band)
{
	const __m256i steps = _mm256_set1_epi16(step);

	for (u32 i = 0; i < BLOCK_COEFS; i += 16) {
		__m256i *const p = (__m256i *)(void *)(coefs + i);
		__m256i v, away, grow, plus, minus;

		if ((u16)(band >> i) == 0)
			continue;
		v = _mm256_loadu_si256(p);
		away = _mm256_sign_epi16(steps, v);
		grow = _mm256_and_si256(away, lanes_of(r->grow, i));
		plus = _mm256_and_si256(steps, lanes_of(r->plus, i));
		minus = _mm256_and_si256(steps, lanes_of(r->minus, i));
		_mm256_storeu_si256(
			p, _mm256_sub_epi16(
				   _mm256_add_epi16(_mm256_add_epi16(v, grow),
						    plus),
				   minus));
	}
}

/* There is no mask of such lanes but of their sign bits: where a word is zero. */
static ALWAYS_INLINE
	TARGET("avx2") u64 find_touched_avx2(const u64 *words, u32 n, u64 band)
{
	const __m256i bands = _mm256_set1_epi64x((s64)band);
	u64 untouched = 0;

	for (u32 i = 0; i < n; i += 4) {
		const __m256i w = _mm256_and_si256(
			_mm256_loadu_si256((const void *)(words + i)), bands);
		const __m256i none =
			_mm256_cmpeq_epi64(w, _mm256_setzero_si256());

		untouched |=
			(u64)(u32)_mm256_movemask_pd(_mm256_castsi256_pd(none))
			<< i;
	}
	return ~untouched;
}

static const struct refine_ops ops_avx2 = {
	.refine = refine_avx2,
	.find_touched = find_touched_avx2,
	.has_pdep = false,
};

static const struct refine_ops ops_pdep = {
	.refine = refine_avx2,
	.find_touched = find_touched_avx2,
	.has_pdep = true,
};

static ALWAYS_INLINE TARGET("avx512f,avx512bw") void refine_avx512(
	s16 *coefs, s16 step, const struct refinement *r, u64 band)
{
	const __m512i steps = _mm512_set1_epi16(step);

	for (u32 i = 0; i < BLOCK_COEFS; i += 32) {
		const u32 grow = (u32)(r->grow >> i);
		u32 negative, up, down;
		__m512i v;

		if ((u32)(band >> i) == 0)
			continue;
		v = _mm512_loadu_si512(coefs + i);
		negative = _mm512_movepi16_mask(v);
		up = (grow & ~negative) | (u32)(r->plus >> i);
		down = (grow & negative) | (u32)(r->minus >> i);
		_mm512_storeu_si512(coefs + i, _mm512_mask_sub_epi16(
						       _mm512_mask_add_epi16(
							       v, up, v, steps),
						       down, v, steps));
	}
}

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

static const struct refine_ops ops_avx512 = {
	.refine = refine_avx512,
	.find_touched = find_touched_avx512,
	.has_pdep = true,
};
#endif

#endif /* DCTLOAD_REFINE_H */
