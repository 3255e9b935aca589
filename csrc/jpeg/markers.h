/* SPDX-License-Identifier: MIT */
/* markers.h - marker codes (T.81 table B.1) and the numbers T.81 fixes */
#ifndef DCTLOAD_MARKERS_H
#define DCTLOAD_MARKERS_H

enum jpeg_marker {
	MARKER_TEM = 0x01,  /* no parameters */
	MARKER_SOF0 = 0xC0, /* baseline sequential */
	MARKER_SOF1 = 0xC1, /* extended sequential, Huffman */
	MARKER_SOF2 = 0xC2, /* progressive, Huffman */
	MARKER_SOF3 = 0xC3, /* lossless */
	MARKER_DHT = 0xC4,  /* Huffman tables */
	MARKER_SOF5 = 0xC5, /* 5..7: differential, hierarchical files only */
	MARKER_SOF7 = 0xC7,
	MARKER_JPG = 0xC8,  /* reserved */
	MARKER_SOF9 = 0xC9, /* 9..11, 13..15: arithmetic coding */
	MARKER_DAC = 0xCC,  /* arithmetic conditioning */
	MARKER_SOF13 = 0xCD,
	MARKER_SOF15 = 0xCF,
	MARKER_RST0 = 0xD0, /* restart, modulo 8 */
	MARKER_RST7 = 0xD7,
	MARKER_SOI = 0xD8,   /* start of image */
	MARKER_EOI = 0xD9,   /* end of image */
	MARKER_SOS = 0xDA,   /* start of scan */
	MARKER_DQT = 0xDB,   /* quantisation tables */
	MARKER_DNL = 0xDC,   /* number of lines, after the first scan */
	MARKER_DRI = 0xDD,   /* restart interval */
	MARKER_DHP = 0xDE,   /* hierarchical progression */
	MARKER_EXP = 0xDF,   /* expand reference, hierarchical */
	MARKER_APP0 = 0xE0,  /* JFIF */
	MARKER_APP1 = 0xE1,  /* EXIF */
	MARKER_APP14 = 0xEE, /* Adobe */
	MARKER_APP15 = 0xEF,
	MARKER_COM = 0xFE /* comment */
};

#define MAX_CODE_BITS 16  /* longest Huffman code (T.81 C.2) */
#define MAX_EXTRA_BITS 15 /* bits after a code, libjpeg's bound */
#define MAX_HUFF_SYMBOLS 256
#define NUM_TABLE_SLOTS 4 /* of each kind (T.81 B.2.4) */
#define MAX_MCU_BLOCKS 10 /* in an interleaved MCU (T.81 B.2.3) */
#define MAX_SAMPLING 4
#define MIN_SOS_NBYTES 8 /* after the marker, for one component (T.81 B.2.3) */

#endif /* DCTLOAD_MARKERS_H */
