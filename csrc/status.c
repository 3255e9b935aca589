/* SPDX-License-Identifier: MIT */
/* status.c - a word for each status */

#include "common.h"

const char *
dctload_status_text(enum dctload_status status)
{
	switch (status) {
	case DCTLOAD_OK:
		return "no error";
	case DCTLOAD_NOT_JPEG:
		return "not a JPEG file";
	case DCTLOAD_TRUNCATED:
		return "the data end too early";
	case DCTLOAD_BAD_MARKER:
		return "a marker that may not stand here";
	case DCTLOAD_BAD_LENGTH:
		return "a segment length that contradicts the content";
	case DCTLOAD_BAD_QUANT_TABLE:
		return "bad or missing quantisation table";
	case DCTLOAD_BAD_HUFFMAN_TABLE:
		return "bad or missing Huffman table";
	case DCTLOAD_BAD_FRAME:
		return "bad frame header";
	case DCTLOAD_BAD_SCAN:
		return "bad scan header";
	case DCTLOAD_BAD_CODE:
		return "bad Huffman code";
	case DCTLOAD_BAD_RUN:
		return "a run past the end of the block";
	case DCTLOAD_BAD_COEFFICIENT:
		return "a coefficient out of range";
	case DCTLOAD_BAD_RESTART:
		return "restart marker missing or out of turn";
	case DCTLOAD_EXCESS_DATA:
		return "data left over after the last MCU";
	case DCTLOAD_NO_SCAN:
		return "a component without a scan";
	case DCTLOAD_ARITHMETIC:
		return "arithmetic coding is not supported";
	case DCTLOAD_LOSSLESS:
		return "lossless JPEG is not supported";
	case DCTLOAD_HIERARCHICAL:
		return "hierarchical JPEG is not supported";
	case DCTLOAD_PRECISION:
		return "only 8-bit samples are supported";
	case DCTLOAD_DNL:
		return "an image height given after the first scan (DNL) is "
		       "not supported";
	case DCTLOAD_COLOR:
		return "these colours cannot be turned into a tensor";
	case DCTLOAD_TOO_MANY_PIXELS:
		return "more pixels than the limit";
	case DCTLOAD_TOO_MANY_COMPONENTS:
		return "more components than the limit";
	case DCTLOAD_TOO_MANY_SCANS:
		return "more scans than the limit";
	case DCTLOAD_TOO_MUCH_OUTPUT:
		return "more coefficients than the limit";
	case DCTLOAD_NO_MEMORY:
		return "out of memory";
	case DCTLOAD_IO:
		return "cannot be read";
	case DCTLOAD_BAD_ARGUMENT:
		return "bad argument";
	case DCTLOAD_CANCELLED:
		return "cancelled";
	case DCTLOAD_BAD_REGION:
		return "the region is not inside the image";
	}
	return "unknown status";
}
