/* SPDX-License-Identifier: MIT */
/* scan_vectors.c - lanes in and out of vectors, and what vectors leave to others */

#include "scan_vectors_impl.h"

#include <stdlib.h>

#include "../../cpu.h"

#if ARCH_X86_64
/* With fewer lanes than this, two scalar ones are faster. */
#define MIN_LANES 6

/* What idle lanes look up: nothing is consumed. */
static const huff_run_entry idle_table[1 << RUN_TABLE_BITS];

static u64
table_index(const huff_run_entry *table)
{
	return (uintptr_t)table / sizeof(*table);
}

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
	v->lanes[i] = NULL;
	v->busy &= ~(1u << i);
	v->next[i] = (uintptr_t)v->idle_input;
	v->end[i] = ~(u64)0;
	v->progress[i] = progress_of(&v->idle_block, 0, 0);
	v->run_end[i] = ~v->progress[i]; /* differs in every word */
	v->table[i] = v->ac[i] = table_index(idle_table);
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
	for (u32 i = 0; i < SCAN_MAX_LANES; i++) {
		set_idle(v, i);
		v->place[i] = v->name[i] = (u8)i;
	}
	return v;
}

void
scan_free_vectors(struct scan_vectors *v)
{
	free(v);
}

static void
set_bits(struct scan_vectors *v, u32 i, const struct bitreader *bits)
{
	v->buf[i] = bits->buf;
	v->next[i] = (uintptr_t)bits->next;
}

/* Bits consumed since 'start'. */
static u64
position_of(const struct scan_vectors *v, u32 i, u64 progress, const u8 *start)
{
	const struct bitreader bits = { 0, (const u8 *)(uintptr_t)v->next[i],
					progress & PROGRESS_NBITS };

	return bits_position(&bits, start);
}

/*
 * Where 'lane' is, to vector lane 'i'.  A lane may come at the end of its run: rare
 * cases lead there, and scalar lanes stop one at a time.  No step may follow.
 */
static void
load_lane(struct scan_vectors *v, u32 i, const struct scan_lane *lane)
{
	const u64 at = (u64)(lane->block - lane->run_begin);

	set_bits(v, i, &lane->bits);
	v->progress[i] =
		progress_of(lane->block, lane->offset, (u32)lane->bits.used);
	v->table[i] = table_index(lane->table);
	v->pairs[i] = lane->pair_of_block >> at;
	for (u32 pair = 0; pair < SCAN_MAX_PAIRS; pair++) {
		const struct scan_slot *const p = &lane->pairs[pair];

		if (pair >= lane->num_pairs)
			continue;
		v->pair_dc[pair][i] = table_index(p->dc->runs);
		v->pair_ac[pair][i] = table_index(p->ac->runs);
	}
	v->ac[i] = v->pair_ac[v->pairs[i] & 1][i];
	v->pairs[i] >>= 1;
	v->next_ac[i] = v->pair_ac[v->pairs[i] & 1][i];
	v->next_dc[i] = v->pair_dc[v->pairs[i] & 1][i];
	if (lane->block == lane->run_end)
		v->stopped |= 1u << i;
}

/* And back. */
static void
save_lane(const struct scan_vectors *v, u32 i)
{
	struct scan_lane *const lane = v->lanes[i];

	bits_seek(&lane->bits, lane->start,
		  position_of(v, i, v->progress[i], lane->start));
	lane->block = block_of(v->progress[i]);
	lane->offset =
		v->progress[i] >> PROGRESS_OFFSET & (SCAN_BLOCK_NBYTES - 1);
	lane->table =
		(const huff_run_entry *)(uintptr_t)(v->table[i] * sizeof(u64));
}

static void
set_lane(struct scan_vectors *v, u32 i, struct scan_lane *lane)
{
	v->lanes[i] = lane;
	v->busy |= 1u << i;
	v->run_end[i] = progress_of(lane->run_end, 0, 0);
	v->end[i] = (uintptr_t)(lane->end + 2 * sizeof(u64));
	load_lane(v, i, lane);
}

static void
take_lane(struct scan_vectors *v, u32 i)
{
	save_lane(v, i);
	v->stopped &= ~(1u << i);
	set_idle(v, i);
}

void
scan_vectors_set(struct scan_vectors *v, u32 i, struct scan_lane *lane)
{
	if (lane == NULL)
		set_idle(v, v->place[i]);
	else
		set_lane(v, v->place[i], lane);
}

void
scan_vectors_take(struct scan_vectors *v, u32 i)
{
	if (v->lanes[v->place[i]] != NULL)
		take_lane(v, v->place[i]);
}

/* Bring all lanes to the first group, which has room for them. */
static void
gather_lanes(struct scan_vectors *v)
{
	for (u32 left = v->busy >> GROUP_LEN; left != 0; left &= left - 1) {
		const u32 from = GROUP_LEN + (u32)__builtin_ctz(left);
		const u32 to = (u32)__builtin_ctz(~v->busy);
		struct scan_lane *const lane = v->lanes[from];
		const u8 name = v->name[from];

		take_lane(v, from);
		set_lane(v, to, lane);
		v->name[from] = v->name[to];
		v->name[to] = name;
		v->place[v->name[from]] = (u8)from;
		v->place[name] = (u8)to;
	}
}

bool
scan_vectors_pay(const struct scan_vectors *v, u32 num_lanes)
{
	return v->stopped != 0 || num_lanes >= MIN_LANES;
}

u32
scan_vectors_run(struct scan_vectors *v)
{
	u32 i;

	if (v->stopped == 0 && __builtin_popcount(v->busy) <= GROUP_LEN) {
		gather_lanes(v);
		scan_run_half_avx512(v);
	} else if (v->stopped == 0) {
		scan_run_avx512(v);
	}
	i = (u32)__builtin_ctz(v->stopped);
	take_lane(v, i);
	return v->name[i];
}

/* ---- the rare cases ---------------------------------------------------- */

NOINLINE void
scan_handle_rare(struct scan_vectors *v, u32 first, u32 rare, u32 ended)
{
	v->stopped |= ended << first;
	for (; rare != 0; rare &= rare - 1) {
		const u32 i = first + (u32)__builtin_ctz(rare);
		struct scan_lane *const lane = v->lanes[i];

		save_lane(v, i);
		if (!scan_finish_step(lane, v->entry[i])) {
			lane->failed = true;
			v->stopped |= 1u << i;
		}
		load_lane(v, i, lane);
	}
}

NOINLINE void
scan_handle_past_end(struct scan_vectors *v, u32 first, u32 past)
{
	v->stopped |= past << first;
	for (; past != 0; past &= past - 1)
		v->lanes[first + (u32)__builtin_ctz(past)]->failed = true;
}
#else
bool
scan_has_vectors(void)
{
	return false;
}

struct scan_vectors *
scan_alloc_vectors(void)
{
	return NULL;
}

void
scan_free_vectors(struct scan_vectors *v)
{
	(void)v;
}

void
scan_vectors_set(struct scan_vectors *v, u32 i, struct scan_lane *lane)
{
	(void)v;
	(void)i;
	(void)lane;
}

void
scan_vectors_take(struct scan_vectors *v, u32 i)
{
	(void)v;
	(void)i;
}

bool
scan_vectors_pay(const struct scan_vectors *v, u32 num_lanes)
{
	(void)v;
	(void)num_lanes;
	return false;
}

u32
scan_vectors_run(struct scan_vectors *v)
{
	(void)v;
	return 0;
}
#endif
