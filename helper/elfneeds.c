/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "elfneeds.h"

#include <endian.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX 64
#define DYNAMIC_MAX 1024

#if __BYTE_ORDER == __LITTLE_ENDIAN
#define OUR_DATA ELFDATA2LSB
#else
#define OUR_DATA ELFDATA2MSB
#endif
#if __ELF_NATIVE_CLASS == 64
#define OUR_CLASS ELFCLASS64
#else
#define OUR_CLASS ELFCLASS32
#endif

struct file {
	int fd;
	ElfW(Phdr) header[HEADERS_MAX];
	unsigned nheaders;
};

static bool read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	return offset <= INT64_MAX && pread(fd, buf, size, (off_t)offset) == (ssize_t)size;
}

/* The string at offset; false: it does not end within size bytes. */
static bool read_text(int fd, char *buf, size_t size, uint64_t offset)
{
	ssize_t n = offset <= INT64_MAX ? pread(fd, buf, size, (off_t)offset) : -1;

	if (n > 0 && memchr(buf, '\0', (size_t)n))
		return true;
	buf[0] = '\0';
	return false;
}

static const ElfW(Phdr) * find(const struct file *f, unsigned type)
{
	for (unsigned i = 0; i < f->nheaders; i++)
		if (f->header[i].p_type == type)
			return &f->header[i];
	return NULL;
}

/* Where in the file is what will be at this address?  false: nowhere. */
static bool offset_of(const struct file *f, uint64_t address, uint64_t *ret)
{
	for (unsigned i = 0; i < f->nheaders; i++) {
		const ElfW(Phdr) *h = &f->header[i];

		if (h->p_type != PT_LOAD || address < h->p_vaddr ||
		    address - h->p_vaddr >= h->p_filesz)
			continue;
		*ret = h->p_offset + (address - h->p_vaddr);
		return true;
	}
	return false;
}

static void read_dynamic(const struct file *f, const ElfW(Phdr) * where, struct elfneeds *ret)
{
	ElfW(Dyn) d[DYNAMIC_MAX];
	size_t n = where->p_filesz / sizeof(*d);
	uint64_t strings = 0;
	bool found = false;

	if (n > DYNAMIC_MAX)
		n = DYNAMIC_MAX;
	if (!read_at(f->fd, d, n * sizeof(*d), where->p_offset))
		return;
	for (size_t i = 0; i < n && d[i].d_tag != DT_NULL; i++)
		if (d[i].d_tag == DT_STRTAB)
			found = offset_of(f, d[i].d_un.d_ptr, &strings);
	for (size_t i = 0; i < n && found && d[i].d_tag != DT_NULL; i++) {
		const uint64_t at = strings + d[i].d_un.d_val;

		if (d[i].d_tag == DT_RUNPATH || d[i].d_tag == DT_RPATH)
			(void)read_text(f->fd, ret->runpath, sizeof(ret->runpath), at);
		else if (d[i].d_tag == DT_NEEDED && ret->n < ELFNEEDS_MAX &&
			 read_text(f->fd, ret->name[ret->n], ELFNEEDS_NAME_MAX, at) &&
			 ret->name[ret->n][0] && !strchr(ret->name[ret->n], '/'))
			ret->n++;
	}
}

int elfneeds_read(int fd, struct elfneeds *ret)
{
	struct file f = { .fd = fd };
	const ElfW(Phdr) * h;
	ElfW(Ehdr) head;

	memset(ret, 0, sizeof(*ret));
	if (!read_at(fd, &head, sizeof(head), 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.e_ident[EI_CLASS] != OUR_CLASS || head.e_ident[EI_DATA] != OUR_DATA ||
	    head.e_phentsize != sizeof(f.header[0]))
		return -1;
	f.nheaders = head.e_phnum < HEADERS_MAX ? head.e_phnum : HEADERS_MAX;
	if (!read_at(fd, f.header, f.nheaders * sizeof(f.header[0]), head.e_phoff))
		return -1;
	h = find(&f, PT_INTERP);
	if (h)
		(void)read_text(fd, ret->interp, sizeof(ret->interp), h->p_offset);
	h = find(&f, PT_DYNAMIC);
	if (h)
		read_dynamic(&f, h, ret);
	return 0;
}
