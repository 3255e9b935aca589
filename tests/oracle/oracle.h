/* SPDX-License-Identifier: MIT */
/*
 * oracle.h - what libjpeg reads from a file, for tests only
 *
 * Coefficients, tables and every warning of the system's libjpeg: the judge of
 * dctload_decode().
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

#define ORACLE_MAX_COMPONENTS 10
#define ORACLE_MAX_WARNINGS 16
#define ORACLE_TEXT_NBYTES 200

struct oracle_component {
	uint32_t blocks_w, blocks_h; /* ceil(size / 8), no MCU padding */
	uint8_t id, h, v, quant_index;
	uint8_t has_qtable;  /* 0: the component was in no scan */
	uint16_t qtable[64]; /* natural order, as of its first scan */
	int16_t *coefs;      /* [blocks_h][blocks_w][64] */
};

struct oracle {
	char error[ORACLE_TEXT_NBYTES]; /* "" if libjpeg read it to the end */
	uint32_t num_warnings;          /* may exceed what 'warnings' holds */
	char warnings[ORACLE_MAX_WARNINGS][ORACLE_TEXT_NBYTES];

	uint32_t width, height, num_components, num_scans;
	uint8_t progressive, saw_jfif, color; /* color: J_COLOR_SPACE */
	int16_t adobe_transform;              /* -1 if absent */
	struct oracle_component components[ORACLE_MAX_COMPONENTS];
};

/*
 * Read all of one file.  It is an error if it has more than 'max_pixels' or
 * 'max_scans'; 0: no limit.  Give the result to oracle_free().
 */
void oracle_read(const uint8_t *in, size_t in_nbytes, uint64_t max_pixels,
		 uint32_t max_scans, struct oracle *o);
void oracle_free(struct oracle *o);

/* The libjpeg this was compiled with, e.g. "libjpeg-turbo 2001005". */
const char *oracle_version(void);

/* cffi: end */

#endif /* ORACLE_H */
