/* SPDX-License-Identifier: MIT */
/* status.c - a word for each status */

#include "common.h"

static const struct {
	enum dctload_status status;
	const char *text;
} words[] = {
	{ DCTLOAD_OK, "no error" },
	{ DCTLOAD_NOT_JPEG, "not a JPEG file" },
	{ DCTLOAD_TRUNCATED, "the data end too early" },
	{ DCTLOAD_BAD_MARKER, "a marker that may not stand here" },
	{ DCTLOAD_BAD_LENGTH, "a segment length that contradicts the content" },
	{ DCTLOAD_BAD_QUANT_TABLE, "bad or missing quantisation table" },
	{ DCTLOAD_BAD_HUFFMAN_TABLE, "bad or missing Huffman table" },
	{ DCTLOAD_BAD_FRAME, "bad frame header" },
	{ DCTLOAD_BAD_SCAN, "bad scan header" },
	{ DCTLOAD_BAD_CODE, "bad Huffman code" },
	{ DCTLOAD_BAD_RUN, "a run past the end of the block" },
	{ DCTLOAD_BAD_COEFFICIENT, "a coefficient out of range" },
	{ DCTLOAD_BAD_RESTART, "restart marker missing or out of turn" },
	{ DCTLOAD_EXCESS_DATA, "data left over after the last MCU" },
	{ DCTLOAD_NO_SCAN, "a component without a scan" },
	{ DCTLOAD_LOST_SEGMENT, "junk where a scan or a table is missing" },
	{ DCTLOAD_ARITHMETIC, "arithmetic coding is not supported" },
	{ DCTLOAD_LOSSLESS, "lossless JPEG is not supported" },
	{ DCTLOAD_HIERARCHICAL, "hierarchical JPEG is not supported" },
	{ DCTLOAD_PRECISION, "only 8-bit samples are supported" },
	{ DCTLOAD_DNL, "an image height given after the first scan (DNL) is "
		       "not supported" },
	{ DCTLOAD_COLOR, "these colours cannot be turned into a tensor" },
	{ DCTLOAD_TOO_MANY_PIXELS, "more pixels than the limit" },
	{ DCTLOAD_TOO_MANY_COMPONENTS, "more components than the limit" },
	{ DCTLOAD_TOO_MANY_SCANS, "more scans than the limit" },
	{ DCTLOAD_TOO_MUCH_OUTPUT, "more coefficients than the limit" },
	{ DCTLOAD_FILE_TOO_LARGE, "a larger file than the limit" },
	{ DCTLOAD_NO_MEMORY, "out of memory" },
	{ DCTLOAD_IO, "cannot be read" },
	{ DCTLOAD_BAD_ARGUMENT, "bad argument" },
	{ DCTLOAD_CANCELLED, "cancelled" },
	{ DCTLOAD_BAD_REGION, "the region is not inside the image" },
};

const char *
dctload_status_text(enum dctload_status status)
{
	for (u32 i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].status == status)
			return words[i].text;
	return "unknown status";
}
