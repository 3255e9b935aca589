/* SPDX-License-Identifier: MIT */
/*
 * scan_progressive.c - spectral selection and successive approximation
 * (T.81 annex G)
 */

#include "scan_progressive.h"

#include "../cpu.h"
#include "scan_refine.h"

/* ---- DC ---------------------------------------------------------------- */

static ALWAYS_INLINE enum dctload_status
decode_dc(struct progressive_scan *s, struct bitreader *br, u32 i, s32 *pred,
	  s16 *dc)
{
	const u32 found = peek_symbol(s, br, s->dc[i]);
	const u32 len = found & 0xFF, size = found >> 8;
	s32 value;

	if (unlikely(found == 0))
		return fail(s, br, DCTLOAD_BAD_CODE);
	*pred += huff_extend(br->buf << len, size);
	bits_consume(br, len + size);
	value = (s32)((u32)*pred << s->header->al);
	if (unlikely(*pred != (s16)*pred || value != (s16)value))
		return fail(s, br, DCTLOAD_BAD_COEFFICIENT);
	*dc = (s16)value;
	return DCTLOAD_OK;
}

/* A block of an MCU, in a row of them. */
struct dc_slot {
	s16 *block; /* of the next MCU */
	u32 step;   /* to the one after, in coefficients */
	u32 num;    /* MCUs of the row that have it; in others it is padding */
	u32 i;      /* its component of the scan */
};

/* The blocks of MCU (x, y): how many. */
static u32
lay_out_dc_slots(const struct progressive_scan *s, u32 x, u32 y,
		 struct dc_slot slots[MAX_MCU_BLOCKS])
{
	const bool interleaved = scan_is_interleaved(s->header);
	u32 n = 0;

	for (u32 i = 0; i < s->header->num_components; i++) {
		const u32 c = s->header->component[i];
		const struct dctload_component *const comp =
			&s->info->components[c];
		const u32 h = interleaved ? comp->h : 1;
		const u32 v = interleaved ? comp->v : 1;

		for (u32 j = 0; j < h * v; j++) {
			const u32 row = y * v + j / h, col = j % h;
			const bool exists =
				row < comp->blocks_h && col < comp->blocks_w;

			slots[n++] = (struct dc_slot){
				.block = s->grid[c] +
					 ((size_t)row * comp->blocks_w +
					  (size_t)x * h + col) *
						 BLOCK_COEFS,
				.step = h * BLOCK_COEFS,
				.num = exists ? ceil_div_u32(comp->blocks_w -
								     col,
							     h) :
						0,
				.i = i,
			};
		}
	}
	return n;
}

/* MCUs [x, end) of a row. */
static ALWAYS_INLINE enum dctload_status
decode_dc_row(struct progressive_scan *s, struct bitreader *br,
	      struct dc_slot *slots, u32 num_slots, u32 x, u32 end,
	      s32 pred[DCTLOAD_MAX_COMPONENTS])
{
	const bool first = s->header->ah == 0;
	enum dctload_status status = DCTLOAD_OK;

	for (; x < end && status == DCTLOAD_OK; x++) {
		for (u32 n = 0; n < num_slots; n++) {
			struct dc_slot *const slot = &slots[n];
			s16 padding = 0;
			s16 *const dc = x < slot->num ? slot->block : &padding;

			slot->block += slot->step;
			if (!first) {
				bits_refill(br);
				*dc = (s16)(*dc | (s32)next_bits(br, 1)
							  << s->header->al);
				continue;
			}
			status = decode_dc(s, br, slot->i, &pred[slot->i], dc);
			if (unlikely(status != DCTLOAD_OK))
				return status;
		}
		status = check_end(s, br);
	}
	return status;
}

/*
 * Blocks that follow each other, a bit each, 32 at a time and as long as there are
 * some: how many.
 */
static ALWAYS_INLINE u32
refine_dc_blocks(const struct progressive_scan *s, struct bitreader *br,
		 s16 *block, u32 max)
{
	u32 n = 0;

	for (; max - n >= 32 && s->end - br->next > 8; n += 32) {
		u32 bits;

		bits_refill(br);
		bits = next_bits(br, 32);
		for (u32 i = 0; i < 32; i++, block += BLOCK_COEFS)
			block[0] = (s16)(block[0] | (s32)(bits >> (31 - i) & 1)
							    << s->header->al);
	}
	return n;
}

static ALWAYS_INLINE enum dctload_status
decode_dc_mcus(struct progressive_scan *s, struct bitreader *br, u32 mcu,
	       u32 end)
{
	s32 pred[DCTLOAD_MAX_COMPONENTS] = { 0 };
	enum dctload_status status = DCTLOAD_OK;
	struct dc_slot slots[MAX_MCU_BLOCKS];

	if (!scan_is_interleaved(s->header) && s->header->ah != 0)
		mcu += refine_dc_blocks(s, br,
					s->grid[s->header->component[0]] +
						(size_t)mcu * BLOCK_COEFS,
					end - mcu);
	while (mcu < end && status == DCTLOAD_OK) {
		const u32 x = mcu % s->mcus_w, y = mcu / s->mcus_w;
		const u32 n = min_u32(s->mcus_w - x, end - mcu);
		const u32 num_slots = lay_out_dc_slots(s, x, y, slots);

		status = decode_dc_row(s, br, slots, num_slots, x, x + n, pred);
		mcu += n;
	}
	return status;
}

/* ---- AC, first scan of a band (T.81 G.1.2.2) --------------------------- */

static ALWAYS_INLINE enum dctload_status
decode_ac_first(struct progressive_scan *s, struct bitreader *br, u32 k,
		const struct ac_block *block, u32 *eob_run)
{
	const u32 al = s->header->al, se = s->header->se;

	for (; k <= se; k++) {
		const u32 found = peek_symbol(s, br, s->ac);
		const u32 run = found >> 12, size = found >> 8 & 15;
		u32 len = found & 0xFF;
		s32 value;

		if (unlikely(found == 0))
			return fail(s, br, DCTLOAD_BAD_CODE);
		k += run;
		if (size == 0) {
			if (run != 15) {
				*eob_run = take_eob_run(br, len, run) - 1;
				break;
			}
			bits_consume(br, len);
			continue; /* sixteen zeros */
		}
		if (unlikely(k > se)) {
			bits_consume(br, len);
			len = 0;
			if (!is_forgiven(s, br))
				return fail(s, br, DCTLOAD_BAD_RUN);
			k = min_u32(k, BLOCK_COEFS - 1);
		}
		value = (s32)((u32)huff_extend(br->buf << len, size) << al);
		bits_consume(br, len + size);
		if (unlikely(value != (s16)value))
			return fail(s, br, DCTLOAD_BAD_COEFFICIENT);
		block->coefs[k] = (s16)value;
		*block->nonzero |= BIT(k);
	}
	return DCTLOAD_OK;
}

/* ---- a segment --------------------------------------------------------- */

static ALWAYS_INLINE enum dctload_status
decode_first_blocks(struct progressive_scan *s, struct bitreader *br, u32 i,
		    u32 end, const struct progressive_loops *loops)
{
	const bool by_steps = s->end - s->start > STEPS_NBYTES;
	const u32 ss = s->header->ss;
	enum dctload_status status = DCTLOAD_OK;
	struct first_steps steps;
	struct first_loop loop = { .end = s->end - STEPS_NBYTES_LEFT,
				   .steps = &steps,
				   .block = first_ac_block(s),
				   .num_blocks = end,
				   .ss = ss,
				   .se = s->header->se,
				   .al = s->header->al };

	if (by_steps)
		make_first_steps(&steps, s->ac, 15u - s->header->al,
				 (size_t)(s->end - s->start));
	while (i < end && status == DCTLOAD_OK) {
		struct ac_block block;
		u32 eob_run = 0; /* blocks to come without coefficients */
		u32 eobs, k = ss;

		if (by_steps) {
			loop.bits = *br;
			loop.i = i;
			loop.k = ss;
			loops->first(&loop);
			*br = loop.bits;
			if (loop.i >= end)
				break;
			i = (u32)loop.i;
			k = (u32)loop.k;
		}
		block = ac_block_at(&loop.block, i);
		bits_refill(br);
		eobs = s->ac->eobs[br->buf >> (64 - EOB_TABLE_BITS)];
		if (k == ss && eobs != 0 && EOB_NUM_BLOCKS(eobs) <= end - i) {
			bits_consume(br, EOB_NBITS(eobs));
			i += EOB_NUM_BLOCKS(eobs);
		} else {
			status = decode_ac_first(s, br, k, &block, &eob_run);
			i += 1 + min_u32(eob_run, end - i - 1);
		}
		if (status == DCTLOAD_OK)
			status = check_end(s, br);
	}
	return status;
}

/* The bit reader is a local, so that it stays in registers. */
static ALWAYS_INLINE enum dctload_status
decode_segment(struct progressive_scan *s, u32 mcu, u32 end,
	       const struct refine_ops *ops,
	       const struct progressive_loops *loops)
{
	struct bitreader br = s->bits;
	enum dctload_status status;

	if (s->header->ss == 0)
		status = decode_dc_mcus(s, &br, mcu, end);
	else if (s->header->ah == 0)
		status = decode_first_blocks(s, &br, mcu, end, loops);
	else
		status = decode_refined_blocks(s, &br, mcu, end, ops, loops);
	s->bits = br;
	return status;
}

/* All that is made for a kind of CPU. */
#define DECODE_SEGMENT(variant, target, first_target)                      \
	static NOINLINE first_target void decode_first_##variant(          \
		struct first_loop *loop)                                   \
	{                                                                  \
		if (loop->steps->has_pairs)                                \
			decode_first_steps(loop, true);                    \
		else                                                       \
			decode_first_steps(loop, false);                   \
	}                                                                  \
	static NOINLINE first_target void pass_window_##variant(           \
		const struct refine_scan *scan, struct bitreader *br,      \
		struct eob_window *window)                                 \
	{                                                                  \
		if (window->is_single)                                     \
			pass_window(scan, br, window, true);               \
		else                                                       \
			pass_window(scan, br, window, false);              \
	}                                                                  \
	static NOINLINE target void refine_eob_runs_##variant(             \
		struct refine_scan *scan, struct bitreader *br)            \
	{                                                                  \
		refine_eob_runs(scan, br, &ops_##variant);                 \
	}                                                                  \
	static NOINLINE target void refine_run_##variant(                  \
		struct refine_scan *scan, struct bitreader *br, u32 n)     \
	{                                                                  \
		refine_run(scan, br, n, &ops_##variant);                   \
	}                                                                  \
	static NOINLINE target void refine_eobs_##variant(                 \
		struct refine_scan *scan, struct bitreader *br, u32 nbits) \
	{                                                                  \
		refine_eobs(scan, br, nbits, &ops_##variant);              \
	}                                                                  \
	static const struct progressive_loops loops_##variant = {          \
		decode_first_##variant, refine_run_##variant,              \
		refine_eobs_##variant, refine_eob_runs_##variant,          \
		pass_window_##variant                                      \
	};                                                                 \
	static target enum dctload_status decode_segment_##variant(        \
		struct progressive_scan *s, u32 mcu, u32 end)              \
	{                                                                  \
		return decode_segment(s, mcu, end, &ops_##variant,         \
				      &loops_##variant);                   \
	}

DECODE_SEGMENT(portable, , )
#if ARCH_X86_64
/* With more, compilers keep numbers in registers that are far away. */
#define TARGET_BMI2 TARGET("bmi,bmi2,movbe,popcnt")
#define TARGET_AVX2 TARGET("bmi,bmi2,lzcnt,movbe,popcnt,avx2")
#define TARGET_AVX512 TARGET("bmi,bmi2,lzcnt,movbe,popcnt,avx512f,avx512bw")
DECODE_SEGMENT(avx2, TARGET_AVX2, TARGET_BMI2)
DECODE_SEGMENT(pdep, TARGET_AVX2, TARGET_BMI2)
DECODE_SEGMENT(avx512, TARGET_AVX512, TARGET_BMI2)
#endif

enum dctload_status
progressive_decode(struct progressive_scan *s, u32 mcu, u32 num_mcus)
{
#if ARCH_X86_64
	const bool has_pdep = cpu_has(CPU_PDEP);

	if (cpu_has(CPU_BMI2) && cpu_has(CPU_AVX512) && has_pdep)
		return decode_segment_avx512(s, mcu, mcu + num_mcus);
	if (cpu_has(CPU_BMI2) && cpu_has(CPU_AVX2))
		return has_pdep ? decode_segment_pdep(s, mcu, mcu + num_mcus) :
				  decode_segment_avx2(s, mcu, mcu + num_mcus);
#endif
	return decode_segment_portable(s, mcu, mcu + num_mcus);
}
