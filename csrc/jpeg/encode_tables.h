/* SPDX-License-Identifier: MIT */
/* encode_tables.h - Huffman tables for the encoder */
#ifndef DCTLOAD_ENCODE_TABLES_H
#define DCTLOAD_ENCODE_TABLES_H

#include "std_tables.h"

#define HUFF_MAX_NBITS 16
#define HUFF_NUM_SYMBOLS 256

/* The code of each symbol; 0 bits where it has none. */
struct huff_codes {
	u16 code[HUFF_NUM_SYMBOLS];
	u8 nbits[HUFF_NUM_SYMBOLS];
};

void
huff_make_codes(const struct huff_spec *spec, struct huff_codes *codes_ret);

/*
 * The table that codes symbols of these counts in the fewest bits, no code
 * longer than 16 and none all ones (T.81 K.2).  Symbols of count 0 get no code.
 * 'count' is used up; its last element is scratch.
 */
void
huff_make_optimal(u64 count[HUFF_NUM_SYMBOLS + 1], struct huff_spec *spec_ret);

#endif /* DCTLOAD_ENCODE_TABLES_H */
