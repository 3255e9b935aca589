/* SPDX-License-Identifier: MIT */
/* encode_tables.c - Huffman tables for the encoder */

#include "encode_tables.h"

/* The symbol with the lowest count above 0, the last of equals; -1 if none. */
static int
find_rarest(const u64 count[HUFF_NUM_SYMBOLS + 1])
{
	int rarest = -1;

	for (int i = 0; i <= HUFF_NUM_SYMBOLS; i++)
		if (count[i] && (rarest < 0 || count[i] <= count[rarest]))
			rarest = i;
	return rarest;
}

/*
 * The number of codes of each length by Huffman's algorithm, without a limit on
 * length.  The extra symbol takes the all-ones code (T.81 K.2, figure K.1).
 */
static void
find_code_lengths(u64 count[HUFF_NUM_SYMBOLS + 1],
		  u16 length[HUFF_NUM_SYMBOLS + 1])
{
	s16 next[HUFF_NUM_SYMBOLS + 1]; /* chains the symbols of a subtree */

	memset(length, 0, (HUFF_NUM_SYMBOLS + 1) * sizeof(length[0]));
	for (int i = 0; i <= HUFF_NUM_SYMBOLS; i++)
		next[i] = -1;
	count[HUFF_NUM_SYMBOLS] = 1;

	for (;;) {
		const int a = find_rarest(count);
		const u64 count_a = count[a];
		int b, i;

		count[a] = 0;
		b = find_rarest(count);
		if (b < 0)
			return;
		count[a] = count_a + count[b];
		count[b] = 0;

		for (i = a; next[i] >= 0; i = next[i])
			length[i]++;
		length[i]++;
		next[i] = (s16)b;
		for (i = b; i >= 0; i = next[i])
			length[i]++;
	}
}

/*
 * Shorten codes to 16 bits (T.81 K.2, figure K.3): a pair of the longest codes
 * becomes one code a bit shorter, and the other symbol of the pair shares the
 * place of a shorter code, which grows by a bit.
 */
static void
limit_code_lengths(u16 num_codes[HUFF_NUM_SYMBOLS + 1])
{
	for (u32 len = HUFF_NUM_SYMBOLS; len > HUFF_MAX_NBITS; len--) {
		while (num_codes[len] > 0) {
			u32 shorter = len - 2;

			while (num_codes[shorter] == 0)
				shorter--;
			num_codes[len] = (u16)(num_codes[len] - 2);
			num_codes[len - 1]++;
			num_codes[shorter + 1] =
				(u16)(num_codes[shorter + 1] + 2);
			num_codes[shorter]--;
		}
	}
}

void
huff_make_optimal(u64 count[HUFF_NUM_SYMBOLS + 1], struct huff_spec *spec_ret)
{
	u16 length[HUFF_NUM_SYMBOLS + 1],
		num_codes[HUFF_NUM_SYMBOLS + 1] = { 0 };
	u32 len = HUFF_MAX_NBITS, num_symbols = 0;

	find_code_lengths(count, length);
	for (u32 i = 0; i <= HUFF_NUM_SYMBOLS; i++)
		num_codes[length[i]]++;
	num_codes[0] = 0;
	limit_code_lengths(num_codes);

	/* The all-ones code is the last of the longest. */
	while (len > 0 && num_codes[len] == 0)
		len--;
	if (len > 0)
		num_codes[len]--;

	memset(spec_ret, 0, sizeof(*spec_ret));
	for (u32 i = 0; i < HUFF_MAX_NBITS; i++)
		spec_ret->counts[i] = (u8)num_codes[i + 1];
	for (len = 1; len <= HUFF_NUM_SYMBOLS; len++)
		for (u32 i = 0; i < HUFF_NUM_SYMBOLS; i++)
			if (length[i] == len)
				spec_ret->symbols[num_symbols++] = (u8)i;
}

/* T.81 C.2: codes of a length count up; a longer one appends zeroes. */
void
huff_make_codes(const struct huff_spec *spec, struct huff_codes *codes_ret)
{
	u32 code = 0, i = 0;

	memset(codes_ret, 0, sizeof(*codes_ret));
	for (u32 len = 1; len <= HUFF_MAX_NBITS; len++) {
		for (u32 n = spec->counts[len - 1]; n > 0; n--) {
			const u8 symbol = spec->symbols[i++];

			codes_ret->code[symbol] = (u16)code++;
			codes_ret->nbits[symbol] = (u8)len;
		}
		code <<= 1;
	}
}
