/* SPDX-License-Identifier: MIT */
/* huffman.c - from code lengths to lookup tables (T.81 annex C and F.2.2.3) */

#include <stdlib.h>

#include "header.h"
#include "huffman.h"

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
	for (u32 len = 1; len <= MAX_CODE_BITS; len++) {
		const u32 count = table->counts[len - 1];

		codes->base[len] = (s32)place - (s32)code;
		for (u32 i = 0; i < count && len <= CODE_TABLE_BITS; i++) {
			const u32 spare = CODE_TABLE_BITS - len;
			const u16 found =
			    (u16)(table->symbols[place + i] << 8 | len);

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

/* ---- runs -------------------------------------------------------------- */

/* An entry of the run table, taken apart. */
struct run {
	u32 nbits, advance, first, num_values;
	s32 values[RUN_NUM_VALUES];
	bool ended; /* nothing may follow */
};

static u64
pack_run(const struct run *run)
{
	u64 entry = run->nbits | run->advance << 8 | run->first << 16;

	for (u32 i = 0; i < run->num_values; i++)
		entry |= (u64)(u8)run->values[i] << (32 + 8 * i);
	return entry;
}

static u64
pack_miss(u32 code_nbits, u32 run, u32 size)
{
	return (u64)RUN_MISS << 8 | (u64)run << 16 | (u64)code_nbits << 32 |
	       (u64)run << 40 | (u64)size << 48;
}

/*
 * Add the symbol that 'bits' begin with, of which 'limit' are known, to 'run'.
 * False if it does not fit.
 */
static bool
append_symbol(struct run *run, const struct huff_codes *codes, u64 bits,
	      u32 limit)
{
	const u32 found = huff_find(codes, bits);
	const u32 code_nbits = found & 0xFF;
	const u32 skip = found >> 12, size = found >> 8 & 15;
	u32 place;
	s32 value;

	if (found == 0 || code_nbits + size > limit)
		return false;
	run->nbits += code_nbits + size;
	if (size == 0) {
		run->advance += found >> 8 == ZRL_SYMBOL ? 16 : RUN_EOB;
		run->ended = true;
		return true;
	}
	value = huff_extend(bits << code_nbits, size);
	place = run->num_values == 0 ? 0 : run->num_values + skip;
	if (value != (s8)value || place >= RUN_NUM_VALUES) {
		run->nbits -= code_nbits + size;
		return false;
	}
	if (run->num_values == 0)
		run->first = skip;
	run->values[place] = value;
	run->num_values = place + 1;
	run->advance += skip + 1;
	return true;
}

static u64
make_entry(const struct huff_codes *codes, u32 x)
{
	const u64 bits = (u64)x << (64 - RUN_TABLE_BITS);
	struct run run = { .nbits = 0 };
	u32 found;

	while (!run.ended && append_symbol(&run, codes, bits << run.nbits,
					   RUN_TABLE_BITS - run.nbits))
		;
	if (run.nbits != 0)
		return pack_run(&run);
	found = huff_find(codes, bits);
	if (found == 0 || (found & 0xFF) > RUN_TABLE_BITS)
		return pack_miss(0, 0, 0);
	return pack_miss(found & 0xFF, found >> 12, found >> 8 & 15);
}

void
huff_need_runs(struct huff_table *table)
{
	if (table->has_runs)
		return;
	for (u32 x = 0; x < ARRAY_LEN(table->runs.entries); x++)
		table->runs.entries[x] = make_entry(&table->codes, x);
	table->has_runs = true;
}

/* ---- interning --------------------------------------------------------- */

static u32
count_symbols(const u8 counts[MAX_CODE_BITS])
{
	u32 n = 0;

	for (u32 i = 0; i < MAX_CODE_BITS; i++)
		n += counts[i];
	return n;
}

static bool
matches(const struct huff_table *table, const struct huff_ref *ref,
	u32 num_symbols, bool is_dc)
{
	return table != NULL && table->is_dc == is_dc &&
	       table->num_symbols == num_symbols &&
	       memcmp(table->counts, ref->counts, MAX_CODE_BITS) == 0 &&
	       memcmp(table->symbols, ref->symbols, num_symbols) == 0;
}

/* An unused slot, else the one not used for longest; NULL if out of memory. */
static struct huff_table *
evict(struct huff_cache *cache)
{
	struct huff_table **oldest = NULL;

	for (u32 i = 0; i < HUFF_CACHE_LEN; i++) {
		struct huff_table **const slot = &cache->tables[i];

		if (*slot == NULL) {
			*slot = malloc(sizeof(**slot));
			return *slot;
		}
		if ((*slot)->num_users == 0 &&
		    (oldest == NULL || (*slot)->last_use < (*oldest)->last_use))
			oldest = slot;
	}
	return *oldest;
}

enum dctload_status
huff_acquire(struct huff_cache *cache, const struct huff_ref *ref, bool is_dc,
	     struct huff_table **table_ret)
{
	struct huff_table *table = NULL;
	u32 num_symbols;

	*table_ret = NULL;
	if (ref->counts == NULL)
		return DCTLOAD_BAD_HUFFMAN_TABLE;
	num_symbols = count_symbols(ref->counts);
	for (u32 i = 0; i < HUFF_CACHE_LEN; i++) {
		table = cache->tables[i];
		if (matches(table, ref, num_symbols, is_dc))
			goto found;
	}
	table = evict(cache);
	if (table == NULL)
		return DCTLOAD_NO_MEMORY;
	memcpy(table->counts, ref->counts, MAX_CODE_BITS);
	memset(table->symbols, 0, sizeof(table->symbols));
	memcpy(table->symbols, ref->symbols, num_symbols);
	table->num_symbols = num_symbols;
	table->is_dc = is_dc;
	table->has_runs = false;
	table->num_users = 0;
	for (u32 i = 0; is_dc && i < num_symbols; i++)
		if (table->symbols[i] > 15)
			num_symbols = 0;
	if (num_symbols != table->num_symbols ||
	    !make_codes(&table->codes, table)) {
		table->num_symbols = ~0u; /* matches nothing */
		table->last_use = 0;
		return DCTLOAD_BAD_HUFFMAN_TABLE;
	}
found:
	table->num_users++;
	table->last_use = ++cache->clock;
	*table_ret = table;
	return DCTLOAD_OK;
}

void
huff_release(struct huff_table *table)
{
	if (table != NULL)
		table->num_users--;
}

void
huff_free_cache(struct huff_cache *cache)
{
	for (u32 i = 0; i < HUFF_CACHE_LEN; i++)
		free(cache->tables[i]);
}
