/* SPDX-License-Identifier: MIT */
/*
 * std_tables.h - the Huffman tables of T.81 K.3
 *
 * Camera streams leave their tables out and mean these; encoders that do not
 * optimise write them.
 */
#ifndef DCTLOAD_STD_TABLES_H
#define DCTLOAD_STD_TABLES_H

#include "../common.h"

/* A table as DHT has it (T.81 B.2.4.2). */
struct huff_spec {
	u8 counts[16];		/* counts[i]: codes of i + 1 bits */
	u8 symbols[256];	/* in order of their codes */
};

extern const struct huff_spec huff_std_dc_luma, huff_std_dc_chroma;
extern const struct huff_spec huff_std_ac_luma, huff_std_ac_chroma;

#endif /* DCTLOAD_STD_TABLES_H */
