/* SPDX-License-Identifier: MIT */
/*
 * scan_sequential.c - sequential scans (T.81 F.2): runs, the rare cases, and the
 * choice among the variants of the hot loop
 */

#include "scan.h"

#include "../cpu.h"
#include "scan_vectors.h"

#if ARCH_X86_64
#include <immintrin.h>
#elif ARCH_ARM64
#include <arm_neon.h>
#endif

#define ZRL_SYMBOL 0xF0

/* ---- runs -------------------------------------------------------------- */

/* What every lookup misses: the run is over. */
static const huff_run_entry stop_table[(1 << RUN_TABLE_BITS) + 1] = {
	[0 ... 1 << RUN_TABLE_BITS] = (u64)RUN_MISS << RUN_ADVANCE_SHIFT
};

/* Which of the lane's pairs of tables a slot has; a new one if need be. */
static u32
find_pair(struct scan_lane *lane, const struct scan_slot *slot)
{
	u32 i = 0;

	while (i < min_u32(lane->num_pairs, SCAN_MAX_PAIRS) &&
	       (lane->pairs[i].dc != slot->dc || lane->pairs[i].ac != slot->ac))
		i++;
	if (i < SCAN_MAX_PAIRS)
		lane->pairs[i] = *slot;
	lane->num_pairs = max_u32(lane->num_pairs, i + 1);
	return i;
}

static void
find_pairs(struct scan_lane *lane)
{
	u64 pair_of_slot = 0;

	lane->num_pairs = 0;
	lane->pair_of_block = 0;
	for (u32 i = 0; i < lane->num_slots; i++)
		pair_of_slot |= (u64)(find_pair(lane, &lane->slots[i]) & 1)
				<< i;
	for (u32 i = 0; i < 64; i += lane->num_slots)
		lane->pair_of_block |= pair_of_slot << i;
}

void
scan_begin(struct scan_lane *lane, u32 max_mcus)
{
	const u32 n = lane->num_slots;
	u32 len;

	/* Blocks are left zero when they are taken out of the window. */
	if (lane->left_blocks)
		memset(lane->window, 0, sizeof(lane->window));
	lane->left_blocks = false;
	lane->max_run = min_u32(WINDOW_BLOCKS / n, max_mcus);
	len = lane->max_run * n;
	for (u32 i = 0; i < len; i++) {
		lane->window[i].ac = lane->slots[i % n].ac->runs;
		lane->window[i].next_dc = lane->slots[(i + 1) % n].dc->runs;
	}
	lane->run_end = &lane->window[len];
	lane->run_end[-1].next_dc = stop_table;
	lane->run_end[0].ac = lane->run_end[0].next_dc = stop_table;
	find_pairs(lane);
}

void
scan_begin_run(struct scan_lane *lane, u32 num_mcus)
{
	lane->run_begin = lane->run_end - (size_t)num_mcus * lane->num_slots;
	lane->run_position = bits_position(&lane->bits, lane->start);
	lane->block = lane->run_begin;
	lane->offset = 0;
	lane->table = lane->slots[0].dc->runs;
	lane->failed = false;
}

/* ---- symbol by symbol -------------------------------------------------- */

static const struct scan_slot *
slot_of(const struct scan_lane *lane, const struct scan_block *block)
{
	return &lane->slots[(u32)(block - lane->window) % lane->num_slots];
}

/* Whether the next code may be made of zeros that are not in the file. */
static bool
is_near_end(const struct scan_lane *lane)
{
	return bits_position(&lane->bits, lane->start) + MAX_CODE_BITS >
	       (u64)(lane->end - lane->start) * 8;
}

/*
 * The next symbol, << 8, and its code's length; 0 if there is none.  libjpeg
 * takes a code that does not exist for symbol 0; we do where data are missing.
 */
static u32
next_symbol(struct scan_lane *lane, const struct huff_codes *codes)
{
	u32 found;

	bits_refill(&lane->bits);
	lane->error_position = bits_position(&lane->bits, lane->start);
	found = huff_find(codes, lane->bits.buf);
	if (unlikely(found == 0) && lane->zero_fill && is_near_end(lane))
		return MAX_CODE_BITS;
	return found;
}

/* The DC difference of the current block. */
static enum dctload_status
decode_dc(struct scan_lane *lane)
{
	const struct scan_slot *const slot = slot_of(lane, lane->block);
	const u32 found = next_symbol(lane, &slot->dc->codes);
	const u32 size = found >> 8;

	if (unlikely(found == 0))
		return DCTLOAD_BAD_CODE;
	bits_consume(&lane->bits, found & 0xFF);
	lane->block->coefs[0] = (s16)huff_extend(lane->bits.buf, size);
	bits_consume(&lane->bits, size);
	lane->offset = sizeof(s16);
	return DCTLOAD_OK;
}

/*
 * One AC symbol of the current block (T.81 figure F.13).  The block is complete
 * if 'offset' is its size then.
 */
static enum dctload_status
decode_ac_symbol(struct scan_lane *lane)
{
	const u32 found = next_symbol(lane, huff_codes_of(lane->block->ac));
	const u32 run = found >> 12, size = found >> 8 & 15;
	u32 k = lane->offset / sizeof(s16);

	if (unlikely(found == 0))
		return DCTLOAD_BAD_CODE;
	if (size == 0) {
		bits_consume(&lane->bits, found & 0xFF);
		/*
		 * Any (run, 0) but ZRL ends the block, and a ZRL may lead past
		 * its end, as in libjpeg.
		 */
		k = found >> 8 == ZRL_SYMBOL ? min_u32(k + 16, BLOCK_COEFS) :
					       BLOCK_COEFS;
		lane->offset = k * sizeof(s16);
		return DCTLOAD_OK;
	}
	k += run;
	bits_consume(&lane->bits, found & 0xFF);
	/* libjpeg stores it in the last place; so do we past the data's end. */
	if (unlikely(k >= BLOCK_COEFS)) {
		if (!lane->zero_fill || !scan_is_past_end(lane))
			return DCTLOAD_BAD_RUN;
		k = BLOCK_COEFS - 1;
	}
	lane->block->coefs[k] = (s16)huff_extend(lane->bits.buf, size);
	bits_consume(&lane->bits, size);
	lane->offset = (k + 1) * sizeof(s16);
	return DCTLOAD_OK;
}

static enum dctload_status
finish_block(struct scan_lane *lane)
{
	enum dctload_status status = DCTLOAD_OK;

	while (status == DCTLOAD_OK && lane->offset != BLOCK_NBYTES)
		status = decode_ac_symbol(lane);
	return status;
}

/* Zero the current block from 'offset' on. */
static void
clear_rest(struct scan_lane *lane)
{
	memset((u8 *)lane->block->coefs + lane->offset, 0,
	       BLOCK_NBYTES - lane->offset);
}

/* What the conditional moves of a step do. */
static void
choose_table(struct scan_lane *lane)
{
	if (lane->offset != BLOCK_NBYTES) {
		lane->table = lane->block->ac;
		return;
	}
	lane->table = lane->block->next_dc;
	lane->block++;
	lane->offset = 0;
}

bool
scan_finish_step(struct scan_lane *lane, huff_run_entry entry)
{
	enum dctload_status status;

	lane->offset -= RUN_ADVANCE(entry);
	if (RUN_ADVANCE(entry) == RUN_MISS) {
		status = lane->offset == 0 ? decode_dc(lane) :
					     decode_ac_symbol(lane);
	} else {
		/* Its symbols belong to two blocks: take it back. */
		clear_rest(lane);
		bits_seek(&lane->bits, lane->start,
			  bits_position(&lane->bits, lane->start) -
				  RUN_NBITS(entry));
		status = finish_block(lane);
	}
	choose_table(lane);
	return status == DCTLOAD_OK;
}

/* ---- again, to see what is wrong --------------------------------------- */

/* One block; 'pred' is its component's. */
static enum dctload_status
redo_block(struct scan_lane *lane, s32 *pred)
{
	enum dctload_status status;

	lane->offset = 0;
	clear_rest(lane);
	status = decode_dc(lane);
	if (status != DCTLOAD_OK)
		return status;
	/* libjpeg lets DC wrap around. */
	*pred += lane->block->coefs[0];
	if (*pred != (s16)*pred)
		return DCTLOAD_BAD_COEFFICIENT;
	return finish_block(lane);
}

enum dctload_status
scan_redo_run(struct scan_lane *lane, u32 *num_mcus_ret)
{
	s32 pred[DCTLOAD_MAX_COMPONENTS];
	size_t num_blocks;
	bool past_end = false;

	memcpy(pred, lane->dc_pred, sizeof(pred));
	bits_seek(&lane->bits, lane->start, lane->run_position);
	for (lane->block = lane->run_begin; lane->block != lane->run_end;
	     lane->block++) {
		const struct scan_slot *const slot = slot_of(lane, lane->block);
		enum dctload_status status;

		if (past_end && slot == lane->slots)
			break;
		status = redo_block(lane, &pred[slot->component]);
		past_end |= scan_is_past_end(lane);
		if (past_end && !lane->zero_fill)
			return DCTLOAD_TRUNCATED;
		if (status != DCTLOAD_OK)
			return status;
	}
	/* The MCUs that are there become the last ones of the window. */
	num_blocks = (size_t)(lane->block - lane->run_begin);
	for (size_t i = num_blocks; i-- != 0;)
		memmove((lane->run_end - num_blocks)[i].coefs,
			lane->run_begin[i].coefs, BLOCK_NBYTES);
	*num_mcus_ret = (u32)num_blocks / lane->num_slots;
	return past_end ? DCTLOAD_TRUNCATED : DCTLOAD_OK;
}

/* ---- what comes after the last run ------------------------------------- */

/* Fewer than 8 bits are left, all ones. */
static bool
is_filled_up(const struct scan_lane *lane, u64 position, u64 end)
{
	return position <= end && end - position < 8 &&
	       (position == end ||
		(u8)(lane->end[-1] | 0xFF << (end - position)) == 0xFF);
}

/* Whether blocks go on from 'begin', with slot 'first', to 'end'. */
static bool
are_blocks(struct scan_lane *lane, u64 begin, u32 first, u64 end)
{
	const bool is_last = end == (u64)(lane->end - lane->start) * 8;

	bits_seek(&lane->bits, lane->start, begin);
	for (u32 i = first;; i = i + 1 == lane->num_slots ? 0 : i + 1) {
		const u64 position = bits_position(&lane->bits, lane->start);

		if (is_last && i == 0 && is_filled_up(lane, position, end))
			return true;
		if (position >= end)
			return !is_last;
		lane->block = &lane->window[i];
		lane->offset = 0;
		clear_rest(lane);
		if (decode_dc(lane) != DCTLOAD_OK ||
		    finish_block(lane) != DCTLOAD_OK)
			return false;
	}
}

bool
scan_goes_on(struct scan_lane *lane, u64 nbits)
{
	const u64 begin = bits_position(&lane->bits, lane->start);
	const u64 all = (u64)(lane->end - lane->start) * 8;
	const u64 end = nbits < all - begin ? begin + nbits : all;
	bool found = false;

	lane->left_blocks = true;
	for (u32 i = 0; i < lane->num_slots && !found; i++)
		found = are_blocks(lane, begin, i, end);
	bits_seek(&lane->bits, lane->start, begin);
	return found;
}

/* ---- variants ---------------------------------------------------------- */

/*
 * If the block is done, go on to the next: its DC table, its beginning.  Written
 * in assembly because compilers would rather branch.
 */
#if ARCH_X86_64
#define NEXT_BLOCK_IF_DONE(block, table, progress)                   \
	do {                                                         \
		const u64 begin = (progress) & PROGRESS_NBITS;       \
		struct scan_block *const following = (block) + 1;    \
                                                                     \
		__asm__("testl %[mask], %k[prog]\n\t"                \
			"cmovnz %[next_dc], %[tab]\n\t"              \
			"cmovnz %[after], %[blk]\n\t"                \
			"cmovnz %[begin], %[prog]"                   \
			: [tab] "+r"(table), [blk] "+r"(block),      \
			  [prog] "+r"(progress)                      \
			: [mask] "i"(PROGRESS_DONE),                 \
			  [next_dc] "m"((block)->next_dc),           \
			  [after] "r"(following), [begin] "r"(begin) \
			: "cc");                                     \
	} while (0)
#elif ARCH_ARM64
/* PROGRESS_DONE twice: an immediate operand repeats, and the upper half is 0. */
#define NEXT_BLOCK_IF_DONE(block, table, progress)                   \
	do {                                                         \
		const u64 begin = (progress) & PROGRESS_NBITS;       \
		struct scan_block *const following = (block) + 1;    \
                                                                     \
		__asm__("tst %w[prog], %[mask]\n\t"                  \
			"csel %[tab], %[next_dc], %[tab], ne\n\t"    \
			"csel %[blk], %[after], %[blk], ne\n\t"      \
			"csel %[prog], %[begin], %[prog], ne"        \
			: [tab] "+&r"(table), [blk] "+&r"(block),    \
			  [prog] "+r"(progress)                      \
			: [mask] "i"(PROGRESS_DONE * 0x10001u),      \
			  [next_dc] "r"((block)->next_dc),           \
			  [after] "r"(following), [begin] "r"(begin) \
			: "cc");                                     \
	} while (0)
STATIC_ASSERT(PROGRESS_DONE == 0x8080 && PROGRESS_MAX < 0x10000);
#else
#define NEXT_BLOCK_IF_DONE(block, table, progress)       \
	do {                                             \
		if (((progress) & PROGRESS_DONE) != 0) { \
			(table) = (block)->next_dc;      \
			(block)++;                       \
			(progress) &= PROGRESS_NBITS;    \
		}                                        \
	} while (0)
#endif

typedef u16 __attribute__((may_alias)) aliasing_u16;

/*
 * Parts of an entry.  Loading each by itself takes no more than its part of a
 * load, where taking it out of a register takes two or three instructions.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define RUN_FIELD(type, entry, shift) \
	(*(const type *)(const void *)((const u8 *)(entry) + (shift) / 8))
#else
#define RUN_FIELD(type, entry, shift) ((type)(*(entry) >> (shift)))
#endif

static ALWAYS_INLINE u32
run_first(const huff_run_entry *entry)
{
	return RUN_FIELD(u8, entry, RUN_FIRST_SHIFT);
}

static ALWAYS_INLINE u64
run_progress(const huff_run_entry *entry)
{
	return RUN_FIELD(aliasing_u16, entry, RUN_NBITS_SHIFT);
}

/* The last value of an entry, from the extra bits in 'bits' (T.81 F.2.2.1). */
static ALWAYS_INLINE u32
run_last_value(u64 bits, const huff_run_entry *entry)
{
	const u32 mask = RUN_FIELD(aliasing_u16, entry, 0);
	const u32 raw = (u32)(bits >> (-run_progress(entry) & 63)) & mask;

	/* A leading 0 means that 2^size - 1 has to be taken off. */
	return raw - (2 * raw <= mask ? mask : 0);
}

static ALWAYS_INLINE void
store_s16(u8 *dst, u32 value)
{
	const u16 v = (u16)value;

	memcpy(dst, &v, sizeof(v));
}

static ALWAYS_INLINE void
store_pair_portable(u8 *dst, const huff_run_entry *entry)
{
	store_s16(dst, (u32)RUN_FIELD(s8, entry, RUN_PAIR_SHIFT));
	store_s16(dst + sizeof(s16),
		  (u32)RUN_FIELD(s8, entry, RUN_PAIR_SHIFT + 8));
}

#define SCAN_NAME run_1_portable
#define SCAN_LANES 1
#define SCAN_TARGET
#define SCAN_STORE_PAIR store_pair_portable
#include "scan_template.h"

#define SCAN_NAME run_2_portable
#define SCAN_LANES 2
#define SCAN_TARGET
#define SCAN_STORE_PAIR store_pair_portable
#include "scan_template.h"

#if ARCH_X86_64
typedef int __attribute__((aligned(1), may_alias)) aliasing_int;

/* Eight bytes are loaded, the pair first, and widened; four are stored. */
#define STORE_PAIR_SSE4(dst, entry)                                            \
	(*(aliasing_int *)(void *)(dst) =                                      \
		 _mm_cvtsi128_si32(_mm_cvtepi8_epi16(_mm_loadl_epi64(          \
			 (const __m128i *)(const void *)((const u8 *)(entry) + \
							 RUN_PAIR_SHIFT /      \
								 8)))))

#define SCAN_NAME run_1_bmi2
#define SCAN_LANES 1
#define SCAN_TARGET TARGET("bmi,bmi2,movbe,avx2")
#define SCAN_STORE_PAIR STORE_PAIR_SSE4
#include "scan_template.h"

#define SCAN_NAME run_2_bmi2
#define SCAN_LANES 2
#define SCAN_TARGET TARGET("bmi,bmi2,movbe,avx2")
#define SCAN_STORE_PAIR STORE_PAIR_SSE4
#include "scan_template.h"
#endif

#if ARCH_ARM64
/* As above, on the side of vectors, which has nothing else to do. */
static ALWAYS_INLINE void
store_pair_neon(u8 *dst, const huff_run_entry *entry)
{
	const u32 pair = RUN_FIELD(aliasing_u16, entry, RUN_PAIR_SHIFT);
	const int8x8_t bytes = vcreate_s8((u64)pair);
	const int16x4_t both = vget_low_s16(vmovl_s8(bytes));
	const u32 word = vget_lane_u32(vreinterpret_u32_s16(both), 0);

	memcpy(dst, &word, sizeof(word));
}

#define SCAN_NAME run_1_neon
#define SCAN_LANES 1
#define SCAN_TARGET
#define SCAN_STORE_PAIR store_pair_neon
#include "scan_template.h"

#define SCAN_NAME run_2_neon
#define SCAN_LANES 2
#define SCAN_TARGET
#define SCAN_STORE_PAIR store_pair_neon
#include "scan_template.h"

#define SCAN_NAME run_3_neon
#define SCAN_LANES 3
#define SCAN_TARGET
#define SCAN_STORE_PAIR store_pair_neon
#include "scan_template.h"
#endif

/* ---- groups ------------------------------------------------------------ */

u32
scan_num_lanes(void)
{
	return scan_has_vectors() ? SCAN_MAX_LANES : SCAN_SCALAR_LANES;
}

void
scan_set_lane(struct scan_group *group, u32 i, struct scan_lane *lane)
{
	const u32 bit = 1u << i;

	group->lanes[i] = lane;
	group->moved |= bit;
	group->open &= ~bit;
	group->scalar &= ~bit;
	if (lane != NULL) {
		group->open |= bit;
		group->scalar |= lane->num_pairs > SCAN_MAX_PAIRS ? bit : 0;
	}
}

/* The first lane of a set that is not empty, from lane 'turn' on. */
static u32
first_from(u32 set, u32 turn)
{
	const u32 after = set >> turn << turn;

	return (u32)__builtin_ctz(after != 0 ? after : set);
}

/*
 * Up to 'max' lanes, those first that vectors cannot have; return how many, and
 * their places in 'which'.  They take turns: where images come one by one, the last
 * place would else wait for ever.
 */
static u32
pick_scalar_lanes(struct scan_group *group, u32 which[SCAN_SCALAR_LANES],
		  u32 max)
{
	u32 left = group->open, n;

	for (n = 0; n != max && left != 0; n++) {
		const u32 first = left & group->scalar;

		which[n] = first_from(first != 0 ? first : left, group->turn);
		left &= ~(1u << which[n]);
	}
	group->turn = (which[0] + 1) % SCAN_MAX_LANES;
	return n;
}

static u32
max_scalar_lanes(void)
{
	return cpu_has(CPU_NEON) ? SCAN_SCALAR_LANES : 2;
}

static u32
run_scalar(struct scan_lane *const lanes[], u32 num_lanes)
{
#if ARCH_X86_64
	if (cpu_has(CPU_BMI2) && cpu_has(CPU_AVX2))
		return num_lanes == 1 ? run_1_bmi2(lanes) : run_2_bmi2(lanes);
#elif ARCH_ARM64
	if (cpu_has(CPU_NEON))
		return num_lanes == 1 ? run_1_neon(lanes) :
		       num_lanes == 2 ? run_2_neon(lanes) :
					run_3_neon(lanes);
#endif
	return num_lanes == 1 ? run_1_portable(lanes) : run_2_portable(lanes);
}

/* Let vectors know where lanes are. */
static void
tell_vectors(struct scan_group *group)
{
	for (; group->moved != 0; group->moved &= group->moved - 1) {
		const u32 i = (u32)__builtin_ctz(group->moved);

		scan_vectors_set(group->vectors, i, group->lanes[i]);
	}
}

/* Scalar lanes move what vectors may have. */
static void
take_from_vectors(struct scan_group *group, u32 i)
{
	if (group->vectors != NULL && (group->moved >> i & 1) == 0)
		scan_vectors_take(group->vectors, i);
	group->moved |= 1u << i;
}

u32
scan_run(struct scan_group *group)
{
	struct scan_lane *lanes[SCAN_SCALAR_LANES] = { NULL };
	u32 which[SCAN_SCALAR_LANES] = { 0 }, n, num_lanes = 0;

	if (group->scalar == 0)
		num_lanes = (u32)__builtin_popcount(group->open);
	if (group->vectors != NULL &&
	    scan_vectors_pay(group->vectors, num_lanes)) {
		tell_vectors(group);
		return scan_vectors_run(group->vectors);
	}
	n = pick_scalar_lanes(group, which, max_scalar_lanes());
	for (u32 i = 0; i < n; i++) {
		lanes[i] = group->lanes[which[i]];
		take_from_vectors(group, which[i]);
	}
	return which[run_scalar(lanes, n)];
}
