/* SPDX-License-Identifier: MIT */
/*
 * progressive_order.c - blocks of progressive scans get what refinement found, and go
 * from zigzag to natural order
 *
 * To memory of their own they go past the cache: the planes are nobody's for now.
 */

#include "../cpu.h"
#include "refine_finish.h"
#include "scan_progressive.h"
#include "std_tables.h"

#if ARCH_X86_64
#include "x86/natural_avx2.h"
#elif ARCH_ARM64
#include "arm/permute_neon.h"
#endif

/* Most blocks have few coefficients. */
static void
order_blocks(s16 *out, const s16 *in, const u64 *nonzero, size_t num_blocks)
{
	for (size_t i = 0; i < num_blocks; i++) {
		s16 coefs[BLOCK_COEFS];

		memcpy(coefs, in + i * BLOCK_COEFS, sizeof(coefs));
		memset(out, 0, BLOCK_NBYTES);
		out[0] = coefs[0];
		for (u64 left = nonzero[i]; left != 0; left &= left - 1) {
			const u32 k = (u32)__builtin_ctzll(left);

			out[zigzag_to_natural[k]] = coefs[k];
		}
		out += BLOCK_COEFS;
	}
}

#if ARCH_X86_64
static TARGET("avx2") void order_blocks_avx2(s16 *out, const s16 *in,
					     size_t num_blocks)
{
	const bool bypass_cache = out != in;

	for (; num_blocks-- != 0; in += BLOCK_COEFS, out += BLOCK_COEFS) {
		__m256i z[8], rows[4];

		for (u32 i = 0; i < 8; i++)
			z[i] = _mm256_broadcastsi128_si256(
				_mm_loadu_si128((const void *)(in + 8 * i)));
		natural_rows_avx2(rows, z);
		store_rows_avx2(out, rows, bypass_cache);
	}
}

static TARGET("avx512f,avx512bw") void order_blocks_avx512(s16 *out,
							   const s16 *in,
							   size_t num_blocks)
{
	const bool bypass_cache = out != in;
	const __m512i pick_lo = _mm512_load_si512(natural_to_zigzag);
	const __m512i pick_hi = _mm512_load_si512(natural_to_zigzag + 32);

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
	for (; num_blocks-- != 0; in += BLOCK_COEFS, out += BLOCK_COEFS)
		permute_neon(out, load_half_neon(in), load_half_neon(in + 32),
			     natural_to_zigzag);
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

#if ARCH_X86_64
static TARGET("avx512f,avx512bw") void refine_blocks_avx512(
	s16 *blocks, const struct refinements *r, size_t i, size_t end)
{
	/* As files are written by cjpeg and jpegtran. */
	if (r->num_levels == 1)
		refine_avx512(blocks, r, i, end, 1);
	else if (r->num_levels == 2)
		refine_avx512(blocks, r, i, end, 2);
	else
		refine_avx512(blocks, r, i, end, r->num_levels);
}

static TARGET("avx2") void refine_blocks_avx2(s16 *blocks,
					      const struct refinements *r,
					      size_t i, size_t end)
{
	for (; i < end; i++)
		refine_avx2(blocks + i * BLOCK_COEFS, r, i);
}
#endif

static void
refine_grid(s16 *blocks, const struct refinements *r, size_t i, size_t end)
{
#if ARCH_X86_64
	if (cpu_has(CPU_AVX512)) {
		refine_blocks_avx512(blocks, r, i, end);
		return;
	}
	if (cpu_has(CPU_AVX2)) {
		refine_blocks_avx2(blocks, r, i, end);
		return;
	}
#endif
	for (; i < end; i++)
		refine_portable(blocks + i * BLOCK_COEFS, r, i);
}

/* What refinement scans found of component 'c'. */
static struct refinements
collect_refinements(const struct progressive_scan *s, u32 c)
{
	const size_t first = s->first_block[c];
	struct refinements r = {
		.negative = s->words->negative.words + first,
		.num_levels = 0,
	};

	for (u32 al = NUM_LEVELS; al-- != 0;) {
		if (!s->has_level[c][al])
			continue;
		r.levels[r.num_levels] = s->words->levels[al].words + first;
		r.steps[r.num_levels++] = (s16)(1 << al);
	}
	return r;
}

/* So many blocks are in L1 from one step to the next. */
#define BLOCKS_AT_ONCE 64

void
progressive_finish(struct progressive_scan *s)
{
	for (u32 c = 0; c < s->info->num_components; c++) {
		const struct dctload_component *const comp =
			&s->info->components[c];
		const size_t num = (size_t)comp->blocks_w * comp->blocks_h;
		const struct refinements r = collect_refinements(s, c);
		const u64 *const nonzero =
			s->words->nonzero.words + s->first_block[c];

		for (size_t i = 0, end; i < num; i = end) {
			end = num - i > BLOCKS_AT_ONCE ? i + BLOCKS_AT_ONCE :
							 num;
			if (r.num_levels != 0)
				refine_grid(s->grid[c], &r, i, end);
			order_grid(s->out[c] + i * BLOCK_COEFS,
				   s->grid[c] + i * BLOCK_COEFS, nonzero + i,
				   end - i);
		}
	}
}
