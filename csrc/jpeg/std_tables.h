/* SPDX-License-Identifier: MIT */
/*
 * std_tables.h - constants of the standard: Huffman tables, zigzag order
 *
 * Camera streams leave the Huffman tables out and mean those of T.81 K.3;
 * encoders that do not optimise write them.
 */
#ifndef DCTLOAD_STD_TABLES_H
#define DCTLOAD_STD_TABLES_H

#include "../common.h"

/* A table as DHT has it (T.81 B.2.4.2). */
struct huff_spec {
	u8 counts[16];   /* counts[i]: codes of i + 1 bits */
	u8 symbols[256]; /* in order of their codes */
};

extern const struct huff_spec huff_std_dc_luma, huff_std_dc_chroma;
extern const struct huff_spec huff_std_ac_luma, huff_std_ac_chroma;

/*
 * Natural index 8 * v + u of the k-th coefficient in a file (T.81 A.6), then 63
 * for what lies beyond: the longest run from the last place ends there.
 */
#define ZIGZAG_LEN (BLOCK_COEFS + 2 * 16)
extern const u8 zigzag_to_natural[ZIGZAG_LEN];

/* Natural position i takes zigzag coefficient natural_to_zigzag[i]. */
extern const u16 natural_to_zigzag[BLOCK_COEFS]; /* aligned to 64 bytes */

#endif /* DCTLOAD_STD_TABLES_H */
