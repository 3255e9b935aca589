/* SPDX-License-Identifier: MIT */
/* progressive_words.c - memory for what progressive scans keep of blocks */

#include "progressive_words.h"

#include <stdlib.h>

#define NUM_BEHIND 8

bool
words_clear(struct word_array *array, size_t n)
{
	n += NUM_BEHIND;
	if (n > array->capacity) {
		free(array->words);
		array->words = malloc(n * sizeof(*array->words));
		array->capacity = array->words != NULL ? n : 0;
	}
	if (array->words == NULL)
		return false;
	memset(array->words, 0, n * sizeof(*array->words));
	return true;
}

static void
shrink(struct word_array *array, size_t max)
{
	if (array->capacity <= max)
		return;
	free(array->words);
	*array = (struct word_array){ 0 };
}

void
words_shrink(struct progressive_words *words, size_t max)
{
	if (max != 0)
		max += NUM_BEHIND;
	shrink(&words->nonzero, max);
	shrink(&words->negative, max);
	for (u32 al = 0; al < NUM_LEVELS; al++)
		shrink(&words->levels[al], max);
}
