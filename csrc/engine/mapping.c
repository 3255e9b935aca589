/* SPDX-License-Identifier: MIT */
/*
 * mapping.c - files in memory that take no descriptor
 *
 * Python's own mappings keep one each, and a process has a thousand.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "../common.h"

const void *
dctload_map_file(int fd, size_t nbytes)
{
	const void *p = mmap(NULL, nbytes, PROT_READ, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

void
dctload_unmap_file(const void *p, size_t nbytes)
{
	(void)munmap((void *)(uintptr_t)p, nbytes);
}

void
dctload_read_ahead(const void *p, size_t nbytes)
{
	const uintptr_t start = (uintptr_t)p;
	const uintptr_t page = start & -(uintptr_t)sysconf(_SC_PAGESIZE);

	(void)madvise((void *)page, nbytes + (start - page), MADV_WILLNEED);
}
