/* SPDX-License-Identifier: MIT */
/* file.h - a whole file into memory */
#ifndef DCTLOAD_FILE_H
#define DCTLOAD_FILE_H

#include "arena.h"

/*
 * Read the regular file 'path' into memory of 'a'.  DCTLOAD_IO sets
 * '*system_error_ret' to an errno value; anything but a regular file is EISDIR
 * or EINVAL, so a named pipe never blocks a worker.
 */
enum dctload_status
file_read(const char *path, struct arena *a, struct chunk_pool *pool,
	  const u8 **in_ret, size_t *in_nbytes_ret, s32 *system_error_ret);

#endif /* DCTLOAD_FILE_H */
