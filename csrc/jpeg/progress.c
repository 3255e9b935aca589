/* SPDX-License-Identifier: MIT */
/* progress.c - which scans of a progressive file may follow which */

#include "progress.h"

#define MAX_AL 13 /* T.81 table B.3 */

/* T.81 G.1.1.1: what one scan may code. */
static bool
parameters_are_legal(const struct scan_header *scan)
{
	if (scan->ss == 0 ? scan->se != 0 :
			    scan->se < scan->ss || scan->se >= BLOCK_COEFS)
		return false;
	if (scan->ss != 0 && scan->num_components != 1)
		return false;
	if (scan->ah != 0 && scan->al != scan->ah - 1)
		return false;
	return scan->al <= MAX_AL;
}

bool
progress_add_scan(struct progress *p, const struct scan_header *scan)
{
	if (!parameters_are_legal(scan))
		return false;
	for (u32 i = 0; i < scan->num_components; i++) {
		u8 *const coded = p->coded[scan->component[i]];

		if (scan->ss != 0 && coded[0] == 0)
			return false; /* AC before DC */
		for (u32 k = scan->ss; k <= scan->se; k++) {
			/* Refinement continues where the last scan stopped. */
			const u32 expected = scan->ah == 0 ? 0 : scan->ah + 1;

			if (coded[k] != expected)
				return false;
			coded[k] = (u8)(scan->al + 1);
		}
	}
	return true;
}

bool
progress_has_dc(const struct progress *p, u32 c)
{
	return p->coded[c][0] != 0;
}

bool
progress_is_complete(const struct progress *p, u32 num_components)
{
	for (u32 c = 0; c < num_components; c++)
		for (u32 k = 0; k < BLOCK_COEFS; k++)
			if (p->coded[c][k] != 1)
				return false;
	return true;
}
