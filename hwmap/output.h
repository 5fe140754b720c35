/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * output.h - how berth-hwmap shows devices: one table of columns, as text or as JSON.
 *
 * What is printed comes from the kernel or from a file that somebody sent: every text goes
 * through err_clean first.
 */
#ifndef BERTH_HWMAP_OUTPUT_H
#define BERTH_HWMAP_OUTPUT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "held.h"
#include "hwmap.h"

#define OUTPUT_COLUMNS_MAX 40
#define OUTPUT_CELL_MAX 16384 /* bytes of one cell: HWMAP_CPUS_MAX CPUs, every other one, fit */

/* A device, and what `pick` adds to it. */
struct output_row {
	const struct hwmap_device *device;
	uint32_t used; /* slots that are leased; vfs_free is what neither they nor busy leave */
	const struct held *held; /* NULL: nobody holds any; index: the device's there */
	size_t index;
	uint32_t rank; /* from here on: pick's alone */
	uint32_t distance;
	const char *why;
};

/* Which columns, in which order: indexes into the table. */
struct output_columns {
	size_t n;
	uint8_t column[OUTPUT_COLUMNS_MAX];
};

/*
 * Read what --output holds: names with ',' between, or '+' and names to add to the verb's
 * default.  spec NULL: the default; of JSON that is every column.  pick: the columns of
 * `pick` are there, too.  -1 with the names that there are in *e.
 */
int output_columns_parse(const char *spec, bool pick, bool json, struct output_columns *ret,
			 struct err *e);

/* The list for --help, a line for each column. */
void output_columns_help(void);

/* A table on standard output: a line of titles, then the rows.  "-" where there is nothing. */
void output_table(const struct output_columns *c, const struct output_row *rows, size_t n);

/*
 * One object per row.  Without rank (pick gives it to the rank's object, not to each device).
 * Text is null where there is nothing; a number never is, but for distance (HWMAP_FAR).
 */
struct json_object *output_json(const struct output_columns *c, const struct output_row *row);

/*
 * json-c's own functions of these names, for a program: where memory is out they say so and
 * end it.  The text is cleaned; "" and NULL become null.  What is added belongs to the array
 * or object that it is added to.
 */
struct json_object *output_json_object(void);
struct json_object *output_json_array(void);
struct json_object *output_json_text(const char *text);
struct json_object *output_json_number(int64_t n);
void output_json_add(struct json_object *object, const char *key, struct json_object *value);
void output_json_push(struct json_object *array, struct json_object *value);

/* Print and release o. */
void output_json_print(struct json_object *o);

/* The text, cleaned, in buf.  Returns buf. */
const char *output_clean(const char *text, char *buf, size_t size);

/* Columns that text takes on a terminal, as far as one per character is true. */
size_t output_width(const char *text);

/* "231:193", "" without a node. */
const char *output_dev(const struct hwmap_device *d, char *buf, size_t size);

/* A name for people: the ibdev, else the netdev, else the PCI address. */
const char *output_name(const struct hwmap_device *d);

const char *output_state(enum hwmap_state s);
const char *output_role(enum hwmap_role r);

/* Slots that are neither in use nor leased. */
uint32_t output_free(const struct hwmap_device *d, uint32_t used);

/* Flush and close standard output; -1 if not all that was printed arrived. */
int output_close(struct err *e);

#endif
