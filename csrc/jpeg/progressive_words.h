/* SPDX-License-Identifier: MIT */
/* progressive_words.h - words for the blocks of a progressive image, a bit for each k */
#ifndef DCTLOAD_PROGRESSIVE_WORDS_H
#define DCTLOAD_PROGRESSIVE_WORDS_H

#include "../common.h"

#define BIT(i) ((u64)1 << (i))

/* Refinement scans have an Al below that of a first one, 13 at most (T.81 B.2.4.3). */
#define NUM_LEVELS 13

/*
 * A word for each block of an image; bit k is about coefficient k, in zigzag order.
 * Refinement scans read and write nothing else: blocks are sixteen times as large, and
 * hundreds of scans may pass over them.  What they found is added once, at the end.
 *
 *   nonzero	    the coefficient is not zero; AC only
 *   negative	    it is, and refinement found it; else its sign is in the block
 *   levels[al]	    it is 1 << al further from zero than it would be without
 *
 * All are zero before the first scan that needs them.
 */
struct word_array {
	u64 *words;
	size_t capacity;
};

struct progressive_words {
	struct word_array nonzero, negative, levels[NUM_LEVELS];
};

/*
 * Let there be words for 'n' blocks, all zero, and a few behind them that may be read,
 * since they are looked at by eights.
 */
bool words_clear(struct word_array *array, size_t n);

/* Give arrays back that are for more than 'max' blocks; with 0 all of them. */
void words_shrink(struct progressive_words *words, size_t max);

#endif /* DCTLOAD_PROGRESSIVE_WORDS_H */
