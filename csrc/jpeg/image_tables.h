/* SPDX-License-Identifier: MIT */
/* image_tables.h - the Huffman tables that an image's scan uses */
#ifndef DCTLOAD_IMAGE_TABLES_H
#define DCTLOAD_IMAGE_TABLES_H

#include "image.h"

/*
 * The tables of the scan that the header has come to, in place of what there was.  A
 * header that was 'known' before, or NULL, may tell where they are, and learns it.
 */
enum dctload_status
image_acquire_tables(struct image *im, struct known_header *known);

void image_release_tables(struct image *im);

#endif /* DCTLOAD_IMAGE_TABLES_H */
