/* SPDX-License-Identifier: BSD-3-Clause */
/* A lease's record: a name, a newline, and what the link says. */
#include "fuzz.h"

#include "../../helper/lease_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
	size_t n = line ? (size_t)(line - data) : 0, rest = line ? size - n - 1 : size;
	char name[512] = "siw0@#0", again[LEASE_TEXT_MAX], same[LEASE_TEXT_MAX];
	struct lease_record r, s;

	if (line && n < sizeof(name)) {
		memcpy(name, data, n);
		name[n] = '\0';
	}
	if (lease_record_parse_name(name, &r) < 0) {
		FUZZ_CHECK(lease_record_parse_name("siw0@#0", &r) == 0);
	} else {
		lease_record_name(r.device, r.slot, again);
		FUZZ_CHECK(strcmp(again, name) == 0);
	}
	FUZZ_CHECK(r.slot < LEASE_SLOTS_MAX && strchr(r.device, '@'));
	FUZZ_CHECK(lease_record_byte(r.device, r.slot) >= (off_t)LEASE_SLOTS_MAX);
	lease_record_decode((const char *)data + size - rest, rest, &r);
	if (!r.sound)
		return 0;
	/* what can be read can be written, and reads the same */
	s = (struct lease_record){ .slot = r.slot };
	memcpy(s.device, r.device, sizeof(s.device));
	FUZZ_CHECK(lease_record_encode(&r, again) == 0);
	lease_record_decode(again, strlen(again), &s);
	FUZZ_CHECK(s.sound && lease_record_encode(&s, same) == 0 && strcmp(same, again) == 0);
	return 0;
}
