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

/*
 * An entry in the making: its bytes as a little-endian number, and how many
 * values it has.
 */
struct run {
	u64 entry;
	u32 num_values;
};

#define IN_BYTE(x, place) ((u64)(u8)(x) << (8 * (place)))

/* Let the 'n' entries from 'entries' on be 'entry'. */
static void
fill_entries(huff_run_entry *entries, u32 n, u64 entry)
{
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	entry = __builtin_bswap64(entry);
#endif
	for (u32 i = 0; i < n; i++)
		memcpy(entries[i], &entry, sizeof(entry));
}

/*
 * 'run' with one more symbol and the value of its extra bits; false if there is
 * no place for it.
 */
static bool
append_value(const struct run *run, u32 skip, u32 nbits, s32 value,
	     struct run *longer_ret)
{
	const u32 place = run->num_values == 0 ? 0 : run->num_values + skip;

	if (place >= RUN_NUM_VALUES || value != (s8)value)
		return false;
	longer_ret->num_values = place + 1;
	longer_ret->entry = run->entry + IN_BYTE(nbits, RUN_NBITS) +
			    IN_BYTE((skip + 1) * sizeof(s16), RUN_ADVANCE) +
			    IN_BYTE(value, RUN_VALUES + place);
	if (run->num_values == 0)
		longer_ret->entry += IN_BYTE(skip * sizeof(s16), RUN_FIRST);
	return true;
}

static u64
append_zeros(const struct run *run, u32 symbol, u32 nbits)
{
	const u32 advance = symbol == ZRL_SYMBOL ? 16 * sizeof(s16) : RUN_EOB;

	return run->entry + IN_BYTE(nbits, RUN_NBITS) +
	       IN_BYTE(advance, RUN_ADVANCE);
}

/* What to store where not even one symbol fits. */
static u64
miss_entry(u32 symbol, u32 code_nbits)
{
	return IN_BYTE(RUN_MISS, RUN_ADVANCE) +
	       IN_BYTE((symbol >> 4) * sizeof(s16), RUN_FIRST) +
	       IN_BYTE(code_nbits, RUN_CODE_NBITS) +
	       IN_BYTE(symbol & 15, RUN_SIZE);
}

static void make_runs(const struct huff_table *table, const struct run *run,
		      huff_run_entry *entries, u32 room);

/*
 * The entries that begin with 'run' and a symbol whose code has been read; the
 * next 'room' bits are free.
 */
static void
make_runs_of_symbol(const struct huff_table *table, const struct run *run,
		    u32 symbol, u32 code_nbits, huff_run_entry *entries,
		    u32 room)
{
	const u32 size = symbol & 15;
	const u64 as_is = (u8)run->entry != 0 ? run->entry :
						miss_entry(symbol, code_nbits);

	if (size == 0) {
		fill_entries(entries, 1u << room,
			     append_zeros(run, symbol, code_nbits));
		return;
	}
	if (size > room) {
		fill_entries(entries, 1u << room, as_is);
		return;
	}
	room -= size;
	for (u32 x = 0; x < 1u << size; x++, entries += 1u << room) {
		const s32 value = huff_extend((u64)x << (64 - size), size);
		struct run longer;

		if (append_value(run, symbol >> 4, code_nbits + size, value,
				 &longer))
			make_runs(table, &longer, entries, room);
		else
			fill_entries(entries, 1u << room, as_is);
	}
}

/*
 * The entries that begin with 'run', when 'room' bits are left: all the codes
 * that fit in them, in order, and what those bits can hold besides.  An entry is
 * written once, which is why this walks the codes and not the entries; a file
 * with tables of its own waits for it.
 */
static void
make_runs(const struct huff_table *table, const struct run *run,
	  huff_run_entry *entries, u32 room)
{
	huff_run_entry *const end = entries + (1u << room);
	u32 place = 0;

	for (u32 len = 1; len <= room; len++) {
		for (u32 i = 0; i < table->counts[len - 1]; i++, place++) {
			make_runs_of_symbol(table, run, table->symbols[place],
					    len, entries, room - len);
			entries += 1u << (room - len);
		}
	}
	fill_entries(entries, (u32)(end - entries),
		     (u8)run->entry != 0 ? run->entry : miss_entry(0, 0));
}

/* A DC symbol is alone in its entry. */
static void
make_dc_runs(struct huff_table *table)
{
	const struct run none = { 0 };

	for (u32 x = 0; x < ARRAY_LEN(table->runs); x++) {
		const u64 bits = (u64)x << (64 - RUN_TABLE_BITS);
		const u32 found = huff_find(&table->codes, bits);
		const u32 code_nbits = found & 0xFF, size = found >> 8;
		const s32 value = huff_extend(bits << code_nbits, size);
		struct run run;

		if (found == 0 || code_nbits + size > RUN_TABLE_BITS ||
		    !append_value(&none, 0, code_nbits + size, value, &run))
			run.entry = miss_entry(0, 0);
		fill_entries(&table->runs[x], 1, run.entry);
	}
}

void
huff_need_runs(struct huff_table *table)
{
	const struct run none = { 0 };

	if (table->has_runs)
		return;
	if (table->is_dc)
		make_dc_runs(table);
	else
		make_runs(table, &none, table->runs, RUN_TABLE_BITS);
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
	return oldest != NULL ? *oldest : NULL;
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
