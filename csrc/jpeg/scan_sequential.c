/* SPDX-License-Identifier: MIT */
/*
 * scan_sequential.c - sequential scans (T.81 F.2): runs, and the choice among the
 * variants of the hot loop
 */

#include "scan.h"

#include "../cpu.h"
#include "scan_vectors.h"

#if ARCH_X86_64
#include <immintrin.h>
#elif ARCH_ARM64
#include <arm_neon.h>
#endif

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
scan_clear_window(struct scan_lane *lane)
{
	/* Good blocks are left zero when they are taken out of the window. */
	if (!lane->left_blocks)
		return;
	for (u32 i = 0; i < ARRAY_LEN(lane->window); i++)
		memset(lane->window[i].coefs, 0, BLOCK_NBYTES);
	lane->left_blocks = false;
}

void
scan_lay_out(struct scan_lane *lane, u32 max_mcus)
{
	const u32 n = lane->num_slots;
	u32 len;

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
