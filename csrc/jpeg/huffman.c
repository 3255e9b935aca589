/* SPDX-License-Identifier: MIT */
/* huffman.c - from code lengths to lookup tables (T.81 annex C and F.2.2.3) */

#include <stdatomic.h>
#include <stdlib.h>

#include "header.h"
#include "huffman.h"

#define EOB_SYMBOL 0x00
#define ZRL_SYMBOL 0xF0

/* ---- codes ------------------------------------------------------------- */

u32
huff_find_long(const struct huff_codes *codes, u32 bits16)
{
	for (u32 len = CODE_TABLE_BITS + 1; len <= MAX_CODE_BITS; len++) {
		if (bits16 < codes->limit[len]) {
			const s32 code = (s32)(bits16 >> (MAX_CODE_BITS - len));

			return (u32)codes->symbols[code + codes->base[len]]
				       << 8 |
			       len;
		}
	}
	return 0;
}

/* False if the counts make no code. */
static bool
make_codes(struct huff_codes *codes, const struct huff_table *table)
{
	u32 code = 0, place = 0;

	memset(codes->fast, 0, sizeof(codes->fast));
	memcpy(codes->symbols, table->symbols, sizeof(codes->symbols));
	for (u32 i = 0; i < table->num_symbols && table->is_narrow; i++)
		if (codes->symbols[i] == ZRL_SYMBOL)
			codes->symbols[i] = EOB_SYMBOL;
	for (u32 len = 1; len <= MAX_CODE_BITS; len++) {
		const u32 count = table->counts[len - 1];

		codes->base[len] = (s32)place - (s32)code;
		for (u32 i = 0; i < count && len <= CODE_TABLE_BITS; i++) {
			const u32 spare = CODE_TABLE_BITS - len;
			const u16 found =
				(u16)(codes->symbols[place + i] << 8 | len);

			if ((code + i + 1) << spare > ARRAY_LEN(codes->fast))
				return false;
			for (u32 x = 0; x < 1u << spare; x++)
				codes->fast[((code + i) << spare) + x] = found;
		}
		code += count;
		place += count;
		/* A full level would have the all-ones code (T.81 C.2). */
		if (count != 0 && code >= 1u << len)
			return false;
		codes->limit[len] = code << (MAX_CODE_BITS - len);
		code <<= 1;
	}
	return true;
}

/*
 * The entries of 'eobs' that begin with 'blocks', which end, in bits that are read;
 * 'room' bits are left.
 */
static void
make_eobs(const struct huff_codes *codes, u16 *eobs, u32 num_blocks, u32 room)
{
	const u16 so_far = (u16)(num_blocks << 8 | (EOB_TABLE_BITS - room));
	u32 x = 0;

	while (x < 1u << room) {
		const u32 found = codes->fast[x << (CODE_TABLE_BITS - room)];
		const u32 run = found >> 12, len = found & 0xFF;
		const bool is_eob = found != 0 && (found >> 8 & 15) == 0 &&
				    run != 15 && len + run <= room;
		const u32 span =
			found == 0 || len > room ? 1 : 1u << (room - len);

		for (u32 i = 0; i < span && !is_eob; i++)
			eobs[x + i] = so_far;
		for (u32 extra = 0; extra < 1u << run && is_eob; extra++)
			make_eobs(codes,
				  eobs + x + (extra << (room - len - run)),
				  num_blocks + (1u << run) + extra,
				  room - len - run);
		x += span;
	}
}

/*
 * The end-of-band symbol that the 'room' highest bits of 'x', which has EOB_TABLE_BITS,
 * begin with: blocks that it ends, and '*nbits_ret'; both 0 if there is none.
 */
static u32
find_eob(const struct huff_codes *codes, u32 x, u32 room, u32 *nbits_ret)
{
	const u32 found = codes->fast[x << (CODE_TABLE_BITS - EOB_TABLE_BITS)];
	const u32 run = found >> 12, nbits = (found & 0xFF) + run;

	*nbits_ret = 0;
	if (found == 0 || (found >> 8 & 15) != 0 || run == 15 || nbits > room)
		return 0;
	*nbits_ret = nbits;
	return (1u << run) +
	       (x >> (EOB_TABLE_BITS - nbits) & ((1u << run) - 1));
}

static void
make_eob_ends(const struct huff_codes *codes, struct eob_ends *ends)
{
	for (u32 x = 0; x < ARRAY_LEN(ends->ends); x++) {
		u32 num_symbols = 0, num_blocks = 0, used = 0, nbits;

		ends->ends[x] = ends->nbits[x] = 0;
		for (;;) {
			num_blocks += find_eob(
				codes, x << used & ((1 << EOB_TABLE_BITS) - 1),
				EOB_TABLE_BITS - used, &nbits);
			if (nbits == 0)
				break;
			used += nbits;
			num_symbols++;
			ends->ends[x] |= (u64)1 << (num_blocks - 1);
			ends->nbits[x] |= (u64)used << 8 * num_symbols;
		}
		ends->until[x] = ends->ends[x] | ~(u64)0 << num_blocks;
	}
}
STATIC_ASSERT(EOB_TABLE_BITS < 8 && EOB_MAX_BLOCKS < 64);

/* ---- runs -------------------------------------------------------------- */

/*
 * The symbols of an entry so far.  'whole' has all their values, 'entry' has the
 * last one's extra bits still to come, and is what to store if no symbol follows.
 */
struct run {
	huff_run_entry whole, entry;
	u32 num_places; /* from the first coefficient on */
};

/* Symbols to the table's entries: 'counts' codes of each length, in order. */
struct run_maker {
	const struct huff_table *table; /* of AC */
	u32 min_nbits;                  /* of the shortest code */
};

static struct run_maker
make_run_maker(const struct huff_table *table)
{
	struct run_maker maker = { table, 1 };

	while (maker.min_nbits < MAX_CODE_BITS &&
	       table->counts[maker.min_nbits - 1] == 0)
		maker.min_nbits++;
	return maker;
}

#define AT(x, bit) ((u64)(x) << (bit))
#define MISS_ENTRY AT(RUN_MISS, RUN_ADVANCE_SHIFT)

static void
fill_entries(huff_run_entry *entries, u32 n, huff_run_entry entry)
{
	for (u32 i = 0; i < n; i++)
		entries[i] = entry;
}

/* 'run' and an EOB or ZRL. */
static huff_run_entry
append_zeros(const struct run *run, u32 symbol, u32 nbits)
{
	if (symbol == ZRL_SYMBOL)
		return run->whole + AT(nbits, RUN_NBITS_SHIFT) +
		       AT(16 * sizeof(s16), RUN_ADVANCE_SHIFT);
	return run->whole + AT(nbits | RUN_EOB, RUN_NBITS_SHIFT) +
	       AT(sizeof(s16), RUN_ADVANCE_SHIFT);
}

/*
 * 'run' and a symbol whose extra bits may lie behind what the table sees; false if
 * there is no place for it.
 */
static bool
append_symbol(const struct run *run, u32 skip, u32 nbits, u32 size,
	      struct run *longer_ret)
{
	const u32 place = run->num_places == 0 ? 0 : run->num_places + skip;

	if (place >= RUN_MAX_PLACES ||
	    RUN_NBITS(run->whole) + nbits > RUN_MAX_BITS)
		return false;
	longer_ret->whole = run->whole + AT(nbits, RUN_NBITS_SHIFT) +
			    AT((skip + 1) * sizeof(s16), RUN_ADVANCE_SHIFT);
	if (run->num_places == 0)
		longer_ret->whole += AT(skip * sizeof(s16), RUN_FIRST_SHIFT);
	longer_ret->entry = longer_ret->whole + ((1u << size) - 1) +
			    AT(16 * place, RUN_PLACE_SHIFT);
	longer_ret->num_places = place + 1;
	return true;
}

/* Let the last symbol of 'run' have 'value'; false if there is no room for it. */
static bool
set_value(struct run *run, s32 value)
{
	const u32 place = run->num_places - 1;

	if (place >= RUN_NUM_PAIR || value != (s8)value)
		return false;
	run->whole += AT((u8)value, RUN_PAIR_SHIFT + 8 * place);
	return true;
}

static void make_runs(const struct run_maker *maker, const struct run *run,
		      huff_run_entry *entries, u32 room);

/*
 * The entries that begin with a coefficient: 'run' has its code, 'size' extra bits
 * are the first of the next 'room' bits.
 */
static void
make_runs_of_values(const struct run_maker *maker, const struct run *run,
		    u32 size, huff_run_entry *entries, u32 room)
{
	if (size + maker->min_nbits > room || run->num_places > RUN_NUM_PAIR) {
		fill_entries(entries, 1u << room, run->entry);
		return;
	}
	room -= size;
	for (u32 x = 0; x < 1u << size; x++, entries += 1u << room) {
		const u64 bits = (u64)x << (RUN_TABLE_BITS - size)
					<< (64 - RUN_TABLE_BITS);
		struct run valued = *run;

		if (set_value(&valued, huff_extend(bits, size)))
			make_runs(maker, &valued, entries, room);
		else
			fill_entries(entries, 1u << room, run->entry);
	}
}

/*
 * The entries that begin with 'run' and a symbol whose code has been read; the
 * next 'room' bits are free.
 */
static void
make_runs_of_symbol(const struct run_maker *maker, const struct run *run,
		    u32 symbol, u32 code_nbits, huff_run_entry *entries,
		    u32 room)
{
	const u32 size = symbol & 15;
	struct run longer;

	if (size == 0)
		fill_entries(entries, 1u << room,
			     append_zeros(run, symbol, code_nbits));
	else if (append_symbol(run, symbol >> 4, code_nbits + size, size,
			       &longer))
		make_runs_of_values(maker, &longer, size, entries, room);
	else
		fill_entries(entries, 1u << room, run->entry);
}

/*
 * The entries that begin with 'run', when 'room' bits are left: all the codes
 * that fit in them, in order, and what those bits can hold besides.  An entry is
 * written once, which is why this walks the codes and not the entries; a file
 * with tables of its own waits for it.
 */
static void
make_runs(const struct run_maker *maker, const struct run *run,
	  huff_run_entry *entries, u32 room)
{
	const struct huff_table *const table = maker->table;
	huff_run_entry *const end = entries + (1u << room);
	u32 place = 0;

	for (u32 len = 1; len <= room; len++) {
		for (u32 i = 0; i < table->counts[len - 1]; i++, place++) {
			make_runs_of_symbol(maker, run, table->symbols[place],
					    len, entries, room - len);
			entries += 1u << (room - len);
		}
	}
	fill_entries(entries, (u32)(end - entries), run->entry);
}

/* A DC symbol begins an entry, and AC symbols follow; 'size' 0 is a difference of 0. */
static void
make_dc_runs(struct huff_table *table, const struct huff_table *ac)
{
	const struct run_maker maker = make_run_maker(ac);
	const struct run none = { 0 };
	huff_run_entry *entries = table->runs;
	huff_run_entry *const end = entries + (1u << RUN_TABLE_BITS);
	u32 place = 0;

	for (u32 len = 1; len <= RUN_TABLE_BITS; len++) {
		const u32 room = RUN_TABLE_BITS - len;

		for (u32 i = 0; i < table->counts[len - 1]; i++, place++) {
			const u32 size = table->symbols[place];
			struct run run;

			if (append_symbol(&none, 0, len + size, size, &run))
				make_runs_of_values(&maker, &run, size, entries,
						    room);
			else
				fill_entries(entries, 1u << room, MISS_ENTRY);
			entries += 1u << room;
		}
	}
	fill_entries(entries, (u32)(end - entries), MISS_ENTRY);
}

static void
make_all_runs(struct huff_table *table, const struct huff_table *ac)
{
	const struct run none = { .entry = MISS_ENTRY };
	const struct run_maker maker = make_run_maker(table);

	if (table->is_dc)
		make_dc_runs(table, ac);
	else
		make_runs(&maker, &none, table->runs, RUN_TABLE_BITS);
}

/* ---- tables -------------------------------------------------------------- */

static u32
count_symbols(const u8 counts[MAX_CODE_BITS])
{
	u32 n = 0;

	for (u32 i = 0; i < MAX_CODE_BITS; i++)
		n += counts[i];
	return n;
}

static u64
ac_id_of(const struct huff_key *key)
{
	return key->ac != NULL ? key->ac->id : 0;
}

bool
huff_matches(const struct huff_table *table, const struct huff_key *key)
{
	return table->is_dc == key->is_dc &&
	       table->has_runs == key->with_runs &&
	       table->is_narrow == key->is_narrow &&
	       table->ac_id == ac_id_of(key) &&
	       memcmp(table->counts, key->ref->counts, MAX_CODE_BITS) == 0 &&
	       memcmp(table->symbols, key->ref->symbols, table->num_symbols) ==
		       0;
}

u32
huff_hash(const struct huff_key *key)
{
	const struct huff_ref *const ref = key->ref;
	const u32 num_symbols = count_symbols(ref->counts);
	u64 hash = ac_id_of(key) << 3 | (u64)key->is_narrow << 2 |
		   (u64)key->with_runs << 1 | key->is_dc;
	u64 words[2];

	memcpy(words, ref->counts, sizeof(words));
	hash = (hash ^ words[0]) * 0x9E3779B97F4A7C15;
	hash = (hash ^ hash >> 32 ^ words[1]) * 0x9E3779B97F4A7C15;
	for (u32 i = 0; i < num_symbols; i += 8) {
		words[0] = 0;
		memcpy(words, ref->symbols + i, min_u32(num_symbols - i, 8));
		hash = (hash ^ hash >> 32 ^ words[0]) * 0x9E3779B97F4A7C15;
	}
	return (u32)(hash >> 32);
}

static bool
has_large_symbol(const struct huff_table *table)
{
	for (u32 i = 0; i < table->num_symbols; i++)
		if (table->symbols[i] > 15)
			return true;
	return false;
}

enum dctload_status
huff_make_table(const struct huff_key *key, struct huff_table **table_ret)
{
	static atomic_ullong num_made;
	const struct huff_ref *const ref = key->ref;
	struct huff_table *const table =
		malloc(key->with_runs ? sizeof(*table) :
					offsetof(struct huff_table, runs));

	*table_ret = NULL;
	if (table == NULL)
		return DCTLOAD_NO_MEMORY;
	table->num_symbols = count_symbols(ref->counts);
	table->id = atomic_fetch_add(&num_made, 1) + 1;
	table->ac_id = ac_id_of(key);
	table->is_dc = key->is_dc;
	table->has_runs = key->with_runs;
	table->is_narrow = key->is_narrow;
	table->hold = NULL;
	memcpy(table->counts, ref->counts, MAX_CODE_BITS);
	memset(table->symbols, 0, sizeof(table->symbols));
	memcpy(table->symbols, ref->symbols, table->num_symbols);
	if ((key->is_dc && has_large_symbol(table)) ||
	    !make_codes(&table->codes, table)) {
		free(table);
		return DCTLOAD_BAD_HUFFMAN_TABLE;
	}
	if (key->with_runs)
		make_all_runs(table, key->ac);
	else if (!key->is_dc) {
		make_eobs(&table->codes, table->codes.eobs, 0, EOB_TABLE_BITS);
		make_eob_ends(&table->codes, &table->codes.eob_ends);
	}
	*table_ret = table;
	return DCTLOAD_OK;
}
