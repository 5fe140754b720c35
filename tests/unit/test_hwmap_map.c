/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../hwmap/map.h"
#include "unit.h"

static struct hwmap_cpus cpus(const char *text)
{
	struct hwmap_cpus c;

	ck_assert_int_eq(hwmap_cpus_parse(text, &c), 0);
	return c;
}

static void reads_as(const char *text, const char *shown)
{
	struct hwmap_cpus c = cpus(text);
	char buf[256];

	ck_assert_str_eq(hwmap_cpus_text(&c, buf, sizeof(buf)), shown);
}

START_TEST(cpus_forms)
{
	reads_as("", "");
	reads_as("\n", "");
	reads_as("0", "0");
	reads_as("0-3,8\n", "0-3,8");
	reads_as("8,0-3", "0-3,8");
	reads_as("1,0,2,2-5", "0-5");
	reads_as("63,64,127-128,4095", "63-64,127-128,4095");
	reads_as("0-4095", "0-4095");
}
END_TEST

START_TEST(cpus_refused)
{
	static const char *const bad[] = {
		"x",	  "-1",	     "1-",   "1,",   ",1", "3-1",   "4096",
		"0-4096", "1 2",     "1, 2", "1\n2", " 1", "1-2-3", "99999999999999999999",
		"0x1",	  "0-31:2/4"
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hwmap_cpus c = cpus("7");

		ck_assert_msg(hwmap_cpus_parse(bad[i], &c) == -1, "'%s' is taken", bad[i]);
		ck_assert(hwmap_cpus_has(&c, 7));
	}
}
END_TEST

START_TEST(cpus_text_is_cut_at_a_range)
{
	struct hwmap_cpus c = cpus("0-3,8,10-11,100");
	char buf[64];

	ck_assert_str_eq(hwmap_cpus_text(&c, buf, 13), "0-3,8...");
	ck_assert_str_eq(hwmap_cpus_text(&c, buf, 4), "...");
	ck_assert_str_eq(hwmap_cpus_text(&c, buf, 1), "");
	ck_assert_ptr_eq(hwmap_cpus_text(&c, buf, 0), buf);
	ck_assert(!hwmap_cpus_has(&c, 4096) && !hwmap_cpus_has(&c, 9) && hwmap_cpus_has(&c, 10));
	hwmap_cpus_set(&c, 4096);
}
END_TEST

/* Two packages of two NUMA nodes with two CPUs each; a device at each end, one anywhere. */
static struct hwmap *four_nodes(void)
{
	static const uint16_t rows[3][4] = { { 10, 12, 20, 22 },
					     { 22, 20, 12, 10 },
					     { HWMAP_FAR, HWMAP_FAR, HWMAP_FAR, HWMAP_FAR } };
	struct hwmap *m = hwmap_new(3, 4);

	ck_assert_ptr_nonnull(m);
	for (uint32_t p = 0; p < 4; p++) {
		hwmap_cpus_set(&m->places[p].cpus, 2 * p);
		hwmap_cpus_set(&m->places[p].cpus, 2 * p + 1);
		m->places[p].numa = (int32_t)p;
		m->places[p].package = p / 2;
	}
	memcpy(m->distance, rows, sizeof(rows));
	for (uint32_t i = 0; i < 3; i++) {
		struct hwmap_device *d = &m->devices[i];

		d->role = HWMAP_POOLED;
		snprintf(d->ibdev, sizeof(d->ibdev), "usnic_%u", i);
		snprintf(d->uverbs, sizeof(d->uverbs), "uverbs%u", i);
		snprintf(d->pci, sizeof(d->pci), "0000:%02x:00.0", 6 + i);
		strcpy(d->pf, d->pci);
		d->major = 231;
		d->minor = 192 + i;
		d->nic = (uint16_t)i;
		d->port = 1;
		d->slots = 64;
		d->busy = i;
	}
	strcpy(m->stamp, "a stamp");
	return m;
}

static uint32_t far_from(const struct hwmap *m, size_t i, const char *where)
{
	struct hwmap_cpus c = cpus(where);

	return hwmap_distance(m, i, &c);
}

START_TEST(distances)
{
	struct hwmap *m = four_nodes();

	ck_assert_uint_eq(far_from(m, 0, "0"), 10);
	ck_assert_uint_eq(far_from(m, 0, "2-3"), 12);
	ck_assert_uint_eq(far_from(m, 0, "0,2"), 11);
	ck_assert_uint_eq(far_from(m, 0, "0-2"), 11); /* 32 / 3, rounded up */
	ck_assert_uint_eq(far_from(m, 0, "0-7"), 16);
	ck_assert_uint_eq(far_from(m, 0, ""), 16); /* none: all */
	ck_assert_uint_eq(hwmap_distance(m, 0, NULL), 16);
	ck_assert_uint_eq(far_from(m, 0, "99"), 16);   /* none that the map knows: all */
	ck_assert_uint_eq(far_from(m, 0, "7,99"), 22); /* an offline CPU counts for nothing */
	ck_assert_uint_eq(far_from(m, 1, "7"), 10);
	ck_assert_uint_eq(far_from(m, 2, "7"), HWMAP_FAR);
	ck_assert_uint_eq(hwmap_distance(m, 3, NULL), HWMAP_FAR);
	ck_assert_uint_eq(hwmap_ndevices(m), 3);
	ck_assert_str_eq(hwmap_device(m, 1)->ibdev, "usnic_1");
	ck_assert_ptr_null(hwmap_device(m, 3));
	hwmap_free(m);
}
END_TEST

START_TEST(sizes_of_a_map)
{
	struct hwmap *m = hwmap_new(0, 1);

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(hwmap_ndevices(m), 0);
	ck_assert_uint_eq(hwmap_distance(m, 0, NULL), HWMAP_FAR);
	hwmap_free(m);
	hwmap_free(NULL);
	ck_assert_ptr_null(hwmap_new(1, 0));
	ck_assert_ptr_null(hwmap_new(1, HWMAP_PLACES_MAX + 1));
	ck_assert_ptr_null(hwmap_new(HWMAP_DEVICES_MAX + 1, 1));
	m = hwmap_new(HWMAP_DEVICES_MAX, HWMAP_PLACES_MAX);
	ck_assert_ptr_nonnull(m);
	hwmap_free(m);
}
END_TEST

/* m in a file of its own, which is at its start. */
static int stored(const struct hwmap *m)
{
	int fd = memfd_create("map", MFD_CLOEXEC);
	struct err e = { "" };

	ck_assert_int_ge(fd, 0);
	ck_assert_msg(hwmap_write(m, fd, &e) == 0, "%s", e.text);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void refused(int fd, const char *why)
{
	struct hwmap *m = NULL;
	struct err e = { "" };

	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(hwmap_read(fd, &m, &e), -1);
	ck_assert_ptr_null(m);
	ck_assert_msg(strstr(e.text, why) != NULL, "'%s' is not '%s'", e.text, why);
	close(fd);
}

START_TEST(written_and_read)
{
	struct hwmap *m = four_nodes(), *r = NULL;
	int fd = stored(m);
	struct err e = { "" };

	ck_assert_msg(hwmap_read(fd, &r, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(r->ndevices, 3);
	ck_assert_uint_eq(r->nplaces, 4);
	ck_assert_mem_eq(r->devices, m->devices, 3 * sizeof(*m->devices));
	ck_assert_mem_eq(r->places, m->places, 4 * sizeof(*m->places));
	ck_assert_mem_eq(r->distance, m->distance, 12 * sizeof(*m->distance));
	ck_assert_str_eq(r->stamp, "a stamp");
	hwmap_free(r);
	hwmap_free(m);
	close(fd);
}
END_TEST

START_TEST(no_map_file)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	refused(dup(fd), "cut off");
	ck_assert_int_eq(write(fd, "[{\"ibdev\": \"usnic_0\"}]\n", 23), 23);
	ck_assert_int_eq(ftruncate(fd, 1000), 0);
	refused(fd, "not a map file");
}
END_TEST

START_TEST(cut_and_prolonged)
{
	struct hwmap *m = four_nodes();
	int fd = stored(m);
	off_t size = lseek(fd, 0, SEEK_END);

	close(fd);
	for (off_t n = 0; n < size; n += 97) {
		fd = stored(m);
		ck_assert_int_eq(ftruncate(fd, n), 0);
		refused(fd, "cut off");
	}
	fd = stored(m);
	ck_assert_int_eq(ftruncate(fd, size + 1), 0);
	refused(fd, "longer");
	hwmap_free(m);
}
END_TEST

/* A map file with other bytes at an offset. */
static void forged(off_t at, const void *bytes, size_t n, const char *why)
{
	struct hwmap *m = four_nodes();
	int fd = stored(m);

	ck_assert_int_eq(pwrite(fd, bytes, n, at), (ssize_t)n);
	refused(fd, why);
	hwmap_free(m);
}

START_TEST(forged_heads)
{
	static const uint32_t none = 0, many = UINT32_MAX, other = 99;

	forged(8, &other, 4, "another version");
	forged(12, &other, 4, "another version");
	forged(16, &other, 4, "another version");
	forged(20, &other, 4, "another version");
	forged(24, &none, 4, "0 places");
	forged(24, &many, 4, "4294967295 places");
	forged(28, &many, 4, "4294967295 devices");
	forged(24, &other, 4, "cut off");
}
END_TEST

/* What must be neither written nor read. */
static void wrong(struct hwmap *m, const char *why)
{
	struct err e = { "" };
	int fd = memfd_create("map", MFD_CLOEXEC);

	ck_assert_int_eq(hwmap_check(m, &e), -1);
	ck_assert_msg(strstr(e.text, why) != NULL, "'%s' is not '%s'", e.text, why);
	ck_assert_int_eq(hwmap_write(m, fd, NULL), -1);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);
	close(fd);
	hwmap_free(m);
}

#define WRONG(FIELD, VALUE, WHY)                \
	do {                                    \
		struct hwmap *w = four_nodes(); \
		w->FIELD = (VALUE);             \
		wrong(w, (WHY));                \
	} while (0)

#define WRONG_NAME(FIELD, VALUE, WHY)                              \
	do {                                                       \
		struct hwmap *w = four_nodes();                    \
		memcpy(w->devices[1].FIELD, VALUE, sizeof(VALUE)); \
		wrong(w, (WHY));                                   \
	} while (0)

START_TEST(what_cannot_be)
{
	struct hwmap *m = four_nodes();

	WRONG(devices[1].role, 4, "device 1 has a role");
	WRONG(devices[1].state, 4, "a state");
	WRONG(devices[1].nic, 3, "a NIC's number");
	WRONG(devices[1].port, 0, "a port");
	WRONG(devices[1].port, HWMAP_PORTS_MAX + 1, "a port");
	WRONG(devices[1].busy, 65, "a number of slots");
	WRONG(devices[1].slots, HWMAP_SLOTS_MAX + 1, "a number of slots");
	WRONG(devices[1].major, 4096, "a device number");
	WRONG(devices[1].minor, 1 << 20, "a device number");
	WRONG(devices[1].numa, -2, "a NUMA node");
	WRONG(distance[11], 0, "distance 0");
	WRONG(places[2].cpus, cpus(""), "place 2 has no CPU");
	WRONG(places[2].cpus, cpus("3,4"), "place 2 has a CPU of another");
	WRONG_NAME(uverbs, "../../sda", "uverbs");
	WRONG_NAME(uverbs, "..", "uverbs");
	WRONG_NAME(uverbs, ".", "uverbs");
	WRONG_NAME(ibdev, "a\nb", "ibdev");
	WRONG_NAME(driver, "a\033[m", "driver");
	WRONG_NAME(netdev, "\xff", "netdev");
	WRONG_NAME(pci, "0000:06:00.0/0000:06", "PCI address");
	WRONG_NAME(pf, "/dev", "PF's");
	WRONG_NAME(vfio, "1/2", "VFIO");
	memset(m->devices[0].driver, 'x', HWMAP_NAME_MAX);
	wrong(m, "driver");
	m = four_nodes();
	memset(m->stamp, 'x', HWMAP_STAMP_MAX);
	wrong(m, "stamp");
}
END_TEST

START_TEST(names_that_can_be)
{
	struct hwmap *m = four_nodes();
	struct err e = { "" };

	strcpy(m->devices[0].netdev, "\xc3\xa4 0");
	strcpy(m->devices[1].driver, "a.b..c");
	ck_assert_msg(hwmap_check(m, &e) == 0, "%s", e.text);
	hwmap_free(m);
}
END_TEST

START_TEST(fresh)
{
	struct hwmap *m = four_nodes();

	ck_assert(!hwmap_fresh(m));
	m->stamp[0] = '\0';
	ck_assert(!hwmap_fresh(m));
	hwmap_stamp(m->stamp);
	ck_assert_msg(m->stamp[0], "no stamp of this node");
	ck_assert(hwmap_fresh(m));
	m->stamp[0] ^= 1; /* as after another boot */
	ck_assert(!hwmap_fresh(m));
	hwmap_free(m);
}
END_TEST

static void port(int number, const char *state)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/infiniband/x_0/ports/%d", number);
	(void)mkdir(path, 0755);
	strcat(path, "/state");
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(state, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/* In a mount namespace of its own (check forks for each test), with a /sys of its own. */
START_TEST(links_as_they_are_now)
{
	struct hwmap *m = four_nodes();

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/sys", "tmpfs", 0, NULL) < 0) {
		fprintf(stderr, "skipped: links: no mount here\n");
		hwmap_free(m);
		return;
	}
	ck_assert(mkdir("/sys/class", 0755) == 0 && mkdir("/sys/class/infiniband", 0755) == 0 &&
		  mkdir("/sys/class/infiniband/x_0", 0755) == 0 &&
		  mkdir("/sys/class/infiniband/x_0/ports", 0755) == 0);
	strcpy(m->devices[0].ibdev, "x_0");
	m->devices[0].state = HWMAP_STATE_DOWN;
	ck_assert_msg(!hwmap_look(m, 0), "there is no port to read");
	port(1, "4: ACTIVE\n");
	ck_assert(hwmap_look(m, 0));
	ck_assert_int_eq(m->devices[0].state, HWMAP_STATE_ACTIVE);
	ck_assert(!hwmap_look(m, 0));
	port(1, "1: DOWN\n");
	ck_assert(hwmap_look(m, 0));
	ck_assert_int_eq(m->devices[0].state, HWMAP_STATE_DOWN);
	port(2, "2: INIT\n");
	ck_assert_msg(hwmap_look(m, 0), "one port that is up is enough");
	ck_assert_int_eq(m->devices[0].state, HWMAP_STATE_INIT);
	port(1, "nonsense");
	ck_assert_msg(!hwmap_look(m, 0), "what cannot be read changes nothing");
	m->devices[0].ibdev[0] = '\0';
	m->devices[0].state = HWMAP_STATE_DOWN;
	ck_assert(!hwmap_look(m, 0));
	hwmap_free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hwmap_map");
	TCase *tc = tcase_create("hwmap_map");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, cpus_forms);
	tcase_add_test(tc, cpus_refused);
	tcase_add_test(tc, cpus_text_is_cut_at_a_range);
	tcase_add_test(tc, distances);
	tcase_add_test(tc, sizes_of_a_map);
	tcase_add_test(tc, written_and_read);
	tcase_add_test(tc, no_map_file);
	tcase_add_test(tc, cut_and_prolonged);
	tcase_add_test(tc, forged_heads);
	tcase_add_test(tc, what_cannot_be);
	tcase_add_test(tc, names_that_can_be);
	tcase_add_test(tc, fresh);
	tcase_add_test(tc, links_as_they_are_now);
	return unit_run(s);
}
