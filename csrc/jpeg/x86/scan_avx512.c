/* SPDX-License-Identifier: MIT */
/*
 * scan_avx512.c - the hot loop with an image in each of sixteen vector lanes
 *
 * The steps are those of scan_template.h; two groups of eight lanes take turns, so
 * that one computes while the other waits for its loads.
 */

#include "../scan_vectors.h"

#include <stdlib.h>

#include "../../cpu.h"

#if ARCH_X86_64
#include <immintrin.h>

#define GROUP_LEN 8
#define NUM_GROUPS (SCAN_MAX_LANES / GROUP_LEN)
STATIC_ASSERT(NUM_GROUPS == 2);

/* With fewer lanes than this, two scalar ones are faster. */
#define MIN_LANES 5

/* What a lane needs, by name, in vectors of eight; see scan_template.h. */
struct scan_vectors {
	_Alignas(64) struct lane_vectors {
		/* With the block's address from PROGRESS_BLOCK on. */
		u64 progress[GROUP_LEN], run_end[GROUP_LEN];
		u64 next[GROUP_LEN], end[GROUP_LEN];
		/* Tables are pointers divided by the size of an entry. */
		u64 table[GROUP_LEN];
		u64 ac[GROUP_LEN]; /* of the current block */
		/* Of the next block, and where its pair's number is. */
		u64 next_dc[GROUP_LEN], next_ac[GROUP_LEN], pairs[GROUP_LEN];
		u64 pair_dc[SCAN_MAX_PAIRS][GROUP_LEN];
		u64 pair_ac[SCAN_MAX_PAIRS][GROUP_LEN];
		/* The last entries, for the rare cases. */
		u64 entry[GROUP_LEN];
	} groups[NUM_GROUPS];
	struct scan_lane *lanes[SCAN_MAX_LANES];
	u32 stopped; /* lanes to be returned, a bit for each */
	u32 num_lanes;
	_Alignas(SCAN_BLOCK_NBYTES) struct scan_block idle_block;
	u8 idle_input[2 * sizeof(u64)];
};

/* What idle lanes look up: nothing is consumed. */
static const huff_run_entry idle_table[1 << RUN_TABLE_BITS];

static u64
table_index(const huff_run_entry *table)
{
	return (uintptr_t)table / sizeof(*table);
}

/*
 * The address of the next coefficient is a part of the progress, so that going on
 * to the next block is one more addition.
 */
#define PROGRESS_BLOCK 16
#define PROGRESS_ONE_BLOCK ((u64)SCAN_BLOCK_NBYTES << PROGRESS_OFFSET)
STATIC_ASSERT(PROGRESS_ONE_BLOCK == (u64)1 << PROGRESS_BLOCK);

static u64
progress_of(const struct scan_block *block, u32 offset, u32 nbits)
{
	return (u64)((uintptr_t)block + offset) << PROGRESS_OFFSET | nbits;
}

static struct scan_block *
block_of(u64 progress)
{
	return (struct scan_block *)(uintptr_t)(progress >>
						PROGRESS_BLOCK
							<< PROGRESS_OFFSET);
}

static void
set_idle(struct scan_vectors *v, u32 i)
{
	struct lane_vectors *const g = &v->groups[i / GROUP_LEN];
	const u32 k = i % GROUP_LEN;

	v->lanes[i] = NULL;
	g->next[k] = (uintptr_t)v->idle_input;
	g->end[k] = ~(u64)0;
	g->progress[k] = progress_of(&v->idle_block, 0, 0);
	g->run_end[k] = 0;
	g->table[k] = g->ac[k] = table_index(idle_table);
}

bool
scan_has_vectors(void)
{
	return cpu_has(CPU_AVX512);
}

struct scan_vectors *
scan_alloc_vectors(void)
{
	void *memory = NULL;
	struct scan_vectors *v;

	if (posix_memalign(&memory, _Alignof(struct scan_vectors),
			   sizeof(*v)) != 0)
		return NULL;
	v = memory;
	memset(v, 0, sizeof(*v));
	for (u32 i = 0; i < SCAN_MAX_LANES; i++)
		set_idle(v, i);
	return v;
}

void
scan_free_vectors(struct scan_vectors *v)
{
	free(v);
}

/* Where 'lane' is, to vector lane 'i'. */
static void
load_lane(struct scan_vectors *v, u32 i, const struct scan_lane *lane)
{
	struct lane_vectors *const g = &v->groups[i / GROUP_LEN];
	const u32 k = i % GROUP_LEN;
	const u64 position = bits_position(&lane->bits, lane->start);
	const u64 at = (u64)(lane->block - lane->run_begin);

	g->next[k] = (uintptr_t)(lane->start + position / 8);
	g->progress[k] = progress_of(lane->block, lane->offset, position & 7);
	g->table[k] = table_index(lane->table);
	g->pairs[k] = lane->pair_of_block >> at;
	for (u32 pair = 0; pair < SCAN_MAX_PAIRS; pair++) {
		const struct scan_slot *const p = &lane->pairs[pair];

		if (pair >= lane->num_pairs)
			continue;
		g->pair_dc[pair][k] = table_index(p->dc->runs);
		g->pair_ac[pair][k] = table_index(p->ac->runs);
	}
	g->ac[k] = g->pair_ac[g->pairs[k] & 1][k];
	g->pairs[k] >>= 1;
	g->next_ac[k] = g->pair_ac[g->pairs[k] & 1][k];
	g->next_dc[k] = g->pair_dc[g->pairs[k] & 1][k];
}

/* And back. */
static void
save_lane(const struct scan_vectors *v, u32 i)
{
	const struct lane_vectors *const g = &v->groups[i / GROUP_LEN];
	const u32 k = i % GROUP_LEN;
	struct scan_lane *const lane = v->lanes[i];
	const u8 *const next = (const u8 *)(uintptr_t)g->next[k];

	bits_seek(&lane->bits, lane->start,
		  (u64)(next - lane->start) * 8 +
			  (g->progress[k] & PROGRESS_NBITS));
	lane->block = block_of(g->progress[k]);
	lane->offset =
		g->progress[k] >> PROGRESS_OFFSET & (SCAN_BLOCK_NBYTES - 1);
	lane->table =
		(const huff_run_entry *)(uintptr_t)(g->table[k] * sizeof(u64));
}

void
scan_vectors_set(struct scan_vectors *v, u32 i, struct scan_lane *lane)
{
	v->num_lanes -= v->lanes[i] != NULL;
	if (lane == NULL || lane->num_pairs > SCAN_MAX_PAIRS) {
		set_idle(v, i);
		return;
	}
	v->lanes[i] = lane;
	v->num_lanes++;
	v->groups[i / GROUP_LEN].run_end[i % GROUP_LEN] =
		progress_of(lane->run_end, 0, 0);
	v->groups[i / GROUP_LEN].end[i % GROUP_LEN] =
		(uintptr_t)(lane->end + sizeof(u64));
	load_lane(v, i, lane);
}

void
scan_vectors_take(struct scan_vectors *v, u32 i)
{
	if (v->lanes[i] == NULL)
		return;
	save_lane(v, i);
	v->num_lanes--;
	v->stopped &= ~(1u << i);
	set_idle(v, i);
}

bool
scan_vectors_pay(const struct scan_vectors *v, u32 num_lanes)
{
	return v->num_lanes == num_lanes &&
	       (num_lanes >= MIN_LANES || v->stopped != 0);
}

/* ---- steps ------------------------------------------------------------- */

#define TARGET_AVX512 TARGET("avx512f,avx512bw,avx512dq,avx512vl,bmi,bmi2")

#define SET1(x) _mm512_set1_epi64((long long)(x))
#define LOAD(a) _mm512_load_si512(a)
#define STORE(a, v) _mm512_store_si512(a, v)

#define SCATTER(a, v) _mm512_i64scatter_epi64(NULL, a, v, 1)

/* In each of eight lanes, choose bytes of its own; -1: zero. */
#define SHUFFLE(a, b, c, d, e, f, g, h)                                        \
	_mm512_set_epi8(8 + h, 8 + g, 8 + f, 8 + e, 8 + d, 8 + c, 8 + b,       \
			8 + a, h, g, f, e, d, c, b, a, 8 + h, 8 + g, 8 + f,    \
			8 + e, 8 + d, 8 + c, 8 + b, 8 + a, h, g, f, e, d, c,   \
			b, a, 8 + h, 8 + g, 8 + f, 8 + e, 8 + d, 8 + c, 8 + b, \
			8 + a, h, g, f, e, d, c, b, a, 8 + h, 8 + g, 8 + f,    \
			8 + e, 8 + d, 8 + c, 8 + b, 8 + a, h, g, f, e, d, c,   \
			b, a)
#define NONE -128 /* and 8 more is still negative */

#define GROUP_LOCALS(i)                                                    \
	__m512i buf##i, next##i, progress##i, table##i, ac##i, next_dc##i, \
		next_ac##i, pairs##i

#define GROUP_LOAD(i)                              \
	do {                                       \
		next##i = LOAD(g[i].next);         \
		progress##i = LOAD(g[i].progress); \
		table##i = LOAD(g[i].table);       \
		ac##i = LOAD(g[i].ac);             \
		next_dc##i = LOAD(g[i].next_dc);   \
		next_ac##i = LOAD(g[i].next_ac);   \
		pairs##i = LOAD(g[i].pairs);       \
	} while (0)

#define GROUP_SAVE(i)                              \
	do {                                       \
		STORE(g[i].next, next##i);         \
		STORE(g[i].progress, progress##i); \
		STORE(g[i].table, table##i);       \
		STORE(g[i].ac, ac##i);             \
		STORE(g[i].next_dc, next_dc##i);   \
		STORE(g[i].next_ac, next_ac##i);   \
		STORE(g[i].pairs, pairs##i);       \
	} while (0)

#define GROUP_REFILL(i)                                                        \
	do {                                                                   \
		next##i = _mm512_add_epi64(                                    \
			next##i,                                               \
			_mm512_and_si512(_mm512_srli_epi64(progress##i, 3),    \
					 SET1(PROGRESS_NBITS / 8)));           \
		progress##i = _mm512_andnot_si512(SET1(PROGRESS_NBITS & ~7),   \
						  progress##i);                \
		buf##i = _mm512_i64gather_epi64(next##i, NULL, 1);             \
		buf##i = _mm512_shuffle_epi8(buf##i,                           \
					     SHUFFLE(7, 6, 5, 4, 3, 2, 1, 0)); \
		buf##i = _mm512_sllv_epi64(                                    \
			buf##i, _mm512_and_si512(progress##i, SET1(7)));       \
		past = _mm512_cmpge_epu64_mask(next##i, LOAD(g[i].end));       \
		if (unlikely(past != 0))                                       \
			goto past##i;                                          \
	} while (0)

/*
 * Let lanes that are 'done' begin their next blocks.  The order is that of need:
 * the table is what everything waits for.
 */
#define GROUP_COMMIT(i, done)                                                  \
	do {                                                                   \
		__mmask8 second;                                               \
                                                                               \
		table##i = _mm512_mask_mov_epi64(ac##i, done, next_dc##i);     \
		ac##i = _mm512_mask_mov_epi64(ac##i, done, next_ac##i);        \
		pairs##i =                                                     \
			_mm512_mask_srli_epi64(pairs##i, done, pairs##i, 1);   \
		second = _mm512_test_epi64_mask(pairs##i, SET1(1));            \
		next_dc##i = _mm512_mask_mov_epi64(                            \
			LOAD(g[i].pair_dc[0]), second, LOAD(g[i].pair_dc[1])); \
		next_ac##i = _mm512_mask_mov_epi64(                            \
			LOAD(g[i].pair_ac[0]), second, LOAD(g[i].pair_ac[1])); \
	} while (0)

/* Masks of a qword's lowest words, as compares of words give them. */
#define WORD_0 0x11111111
#define WORD_1 0x22222222

#define NEXT_BLOCK(progress, done)                                             \
	_mm512_mask_add_epi64(                                                 \
		progress, done,                                                \
		_mm512_andnot_si512(SET1(0xFFFF & ~PROGRESS_NBITS), progress), \
		SET1(PROGRESS_ONE_BLOCK))

#define GROUP_STEP(i)                                                          \
	do {                                                                   \
		const __m512i entry = _mm512_i64gather_epi64(                  \
			_mm512_add_epi64(                                      \
				table##i,                                      \
				_mm512_srli_epi64(buf##i,                      \
						  64 - RUN_TABLE_BITS)),       \
			NULL, 8);                                              \
		const __m512i count =                                          \
			_mm512_srli_epi64(entry, RUN_NBITS_SHIFT);             \
		const __m512i after = _mm512_add_epi64(progress##i, count);    \
		__m512i last, address, pair;                                   \
		__mmask32 negative, rare, stop;                                \
		__mmask8 done;                                                 \
                                                                               \
		/* A rotation leaves the extra bits at the bottom. */          \
		buf##i = _mm512_rolv_epi64(buf##i, count);                     \
		last = _mm512_ternarylogic_epi64(buf##i, entry, SET1(0xFFFF),  \
						 AND_OF_THREE);                \
		negative = _mm512_mask_cmple_epu16_mask(                       \
			WORD_0, last, _mm512_srli_epi16(entry, 1));            \
		last = _mm512_mask_sub_epi16(last, negative, last, entry);     \
		last = _mm512_rolv_epi64(                                      \
			last, _mm512_srli_epi64(entry, RUN_PLACE_SHIFT));      \
		pair = _mm512_srai_epi16(                                      \
			_mm512_shuffle_epi8(entry,                             \
					    SHUFFLE(NONE, 4, NONE, 5, NONE,    \
						    NONE, NONE, NONE)),        \
			8);                                                    \
		address = _mm512_add_epi64(                                    \
			_mm512_srli_epi64(progress##i, PROGRESS_OFFSET),       \
			_mm512_shuffle_epi8(entry,                             \
					    SHUFFLE(3, NONE, NONE, NONE, NONE, \
						    NONE, NONE, NONE)));       \
		SCATTER(address, _mm512_or_si512(last, pair));                 \
		done = _mm512_test_epi64_mask(after, SET1(PROGRESS_DONE));     \
		rare = _mm512_mask_cmpgt_epu16_mask(WORD_0, after,             \
						    SET1(PROGRESS_MAX));       \
		progress##i = NEXT_BLOCK(after, done);                         \
		stop = _mm512_mask_cmpeq_epu16_mask(WORD_1, progress##i,       \
						    LOAD(g[i].run_end));       \
		if (unlikely(!_kortestz_mask32_u8(rare, stop))) {              \
			STORE(g[i].entry, entry);                              \
			rare_lanes = _pext_u32(rare, WORD_0);                  \
			ended_lanes = _pext_u32(stop, WORD_1) & ~rare_lanes;   \
			done &= (__mmask8)~rare_lanes;                         \
			progress##i = NEXT_BLOCK(after, done);                 \
			GROUP_COMMIT(i, done);                                 \
			goto rare##i;                                          \
		}                                                              \
		GROUP_COMMIT(i, done);                                         \
	} while (0)
#define AND_OF_THREE 0x80

/*
 * The most frequent of the rare: an AC symbol that is not in the table.  Decode it
 * where the lane is; false if it is no ordinary one.
 */
static bool
finish_miss(struct lane_vectors *g, u32 k)
{
	const u64 progress = g->progress[k] - RUN_PROGRESS(g->entry[k]);
	const u32 used = (u32)progress & PROGRESS_NBITS;
	const u32 offset =
		(u32)(progress >> PROGRESS_OFFSET) % SCAN_BLOCK_NBYTES;
	const u8 *const next = (const u8 *)(uintptr_t)g->next[k] + used / 8;
	const u64 bits = load_be64(next) << (used & 7);
	struct scan_block *const block = block_of(progress);
	u32 found, run, size, at;

	if (RUN_ADVANCE(g->entry[k]) != RUN_MISS || offset == 0)
		return false;
	found = huff_find(huff_codes_of(block->ac), bits);
	run = found >> 12;
	size = found >> 8 & 15;
	at = offset + run * (u32)sizeof(s16);
	/* The last coefficient ends the block: leave that to others. */
	if (found == 0 || size == 0 || at >= BLOCK_NBYTES - sizeof(s16))
		return false;
	found &= 0xFF;
	block->coefs[at / sizeof(s16)] = (s16)huff_extend(bits << found, size);
	g->next[k] = (uintptr_t)next;
	g->progress[k] =
		progress_of(block, at + sizeof(s16), (used & 7) + found + size);
	return true;
}

/*
 * Lanes whose last entry was no ordinary one, 'rare', and those that are at the end
 * of their runs.
 */
static NOINLINE void
handle_rare(struct scan_vectors *v, u32 group, u32 rare, u32 ended)
{
	struct lane_vectors *const g = &v->groups[group];

	for (; rare != 0; rare &= rare - 1) {
		const u32 k = (u32)__builtin_ctz(rare);
		const u32 i = group * GROUP_LEN + k;
		struct scan_lane *const lane = v->lanes[i];

		if (finish_miss(g, k))
			continue;
		save_lane(v, i);
		if (!scan_finish_step(lane, g->entry[k])) {
			lane->failed = true;
			v->stopped |= 1u << i;
		}
		load_lane(v, i, lane);
		if (lane->block == lane->run_end)
			v->stopped |= 1u << i;
	}
	v->stopped |= ended << (group * GROUP_LEN);
}

/* Eight bytes past the end are surely not in the file. */
static NOINLINE void
handle_past_end(struct scan_vectors *v, u32 group, u32 past)
{
	for (u32 k = 0; k < GROUP_LEN; k++) {
		if ((past >> k & 1) == 0)
			continue;
		v->lanes[group * GROUP_LEN + k]->failed = true;
		v->stopped |= 1u << (group * GROUP_LEN + k);
	}
}

/* Decode until there are lanes that 'stopped'. */
static TARGET_AVX512 void
run_avx512(struct scan_vectors *v)
{
	struct lane_vectors *const g = v->groups;
	GROUP_LOCALS(0);
	GROUP_LOCALS(1);
	__mmask8 past;
	u32 rare_lanes, ended_lanes;

again:
	GROUP_LOAD(0);
	GROUP_LOAD(1);
	for (;;) {
		GROUP_REFILL(0);
		GROUP_REFILL(1);
		GROUP_STEP(0);
		GROUP_STEP(1);
		GROUP_STEP(0);
		GROUP_STEP(1);
		GROUP_STEP(0);
		GROUP_STEP(1);
	}
rare0:
	GROUP_SAVE(0);
	GROUP_SAVE(1);
	handle_rare(v, 0, rare_lanes, ended_lanes);
	goto check;
rare1:
	GROUP_SAVE(0);
	GROUP_SAVE(1);
	handle_rare(v, 1, rare_lanes, ended_lanes);
	goto check;
past0:
	GROUP_SAVE(0);
	GROUP_SAVE(1);
	handle_past_end(v, 0, past);
	goto check;
past1:
	GROUP_SAVE(0);
	GROUP_SAVE(1);
	handle_past_end(v, 1, past);
check:
	if (v->stopped == 0)
		goto again;
}

u32
scan_vectors_run(struct scan_vectors *v)
{
	u32 i;

	if (v->stopped == 0)
		run_avx512(v);
	i = (u32)__builtin_ctz(v->stopped);
	scan_vectors_take(v, i);
	return i;
}
#else
bool
scan_has_vectors(void)
{
	return false;
}
#endif
