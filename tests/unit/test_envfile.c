/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "../../helper/envfile.h"
#include "../../helper/envscript.h"
#include "unit.h"

static struct env_list list, known;
static struct env_left_out left;

static void list_empty(void)
{
	env_list_done(&list);
	env_list_done(&known);
	left.name[0] = '\0';
}

static void etc(const char *text)
{
	struct err e = { "" };

	ck_assert_msg(env_parse_environment(text, strlen(text), &list, &e) == 0, "%s", e.text);
}

static void sif(const char *text)
{
	struct err e = { "" };

	ck_assert_int_eq(env_set(&known, "PATH=/usr/bin:/bin", &e), 0);
	ck_assert_int_eq(env_set(&known, "HOME=/home/ann", &e), 0);
	ck_assert_msg(env_parse_singularity(text, strlen(text), &known, &list, &left, &e) == 0,
		      "%s", e.text);
}

static void has(const char *name, const char *value)
{
	const char *v = env_get(&list, name);

	ck_assert_msg(v != NULL, "no %s", name);
	ck_assert_str_eq(v, value);
}

static void lacks(const char *name)
{
	ck_assert_msg(env_get(&list, name) == NULL, "%s is there", name);
}

START_TEST(set_and_get)
{
	struct err e = { "" };

	ck_assert_int_eq(env_set(&list, "A=1", &e), 0);
	ck_assert_int_eq(env_set(&list, "AB=2=3", &e), 0);
	ck_assert_int_eq(env_set(&list, "_x9=", &e), 0);
	has("A", "1");
	has("AB", "2=3");
	has("_x9", "");
	lacks("B");
	lacks("");
	ck_assert_int_eq(env_set(&list, "A=longer value", &e), 0);
	has("A", "longer value");
	ck_assert_uint_eq(list.n, 3);
	ck_assert_uint_eq(list.bytes, 14 + 6 + 4);
	ck_assert_ptr_null(list.v[3]);
}
END_TEST

START_TEST(bad_names)
{
	static const char *const bad[] = { "",	    "=x",   "A",    "1A=x",
					   "A-B=x", " A=x", "A =x", "\xc3\xa4=x" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = { "" };

		ck_assert_int_eq(env_set(&list, bad[i], &e), -1);
		ck_assert_ptr_nonnull(strstr(e.text, "expected NAME=VALUE"));
	}
	ck_assert_uint_eq(list.n, 0);
}
END_TEST

START_TEST(limits)
{
	static char big[ENV_MAX_BYTES + 2];
	struct err e = { "" };
	char name[32];

	memset(big, 'v', ENV_MAX_BYTES + 1);
	memcpy(big, "A=", 2);
	ck_assert_int_eq(env_set(&list, big, &e), -1);
	ck_assert_str_eq(e.text, "the image's environment is larger than 65536 bytes");
	big[ENV_MAX_BYTES] = '\0';
	ck_assert_int_eq(env_set(&list, big, NULL), 0);
	ck_assert_int_eq(env_set(&list, "B=", NULL), -1);
	ck_assert_int_eq(env_set(&list, "A=", NULL), 0);
	ck_assert_int_eq(env_set(&list, "B=", NULL), 0);
	list_empty();
	e.text[0] = '\0';
	for (int i = 0; i < ENV_MAX_VARS; i++) {
		snprintf(name, sizeof(name), "N%d=x", i);
		ck_assert_int_eq(env_set(&list, name, &e), 0);
	}
	ck_assert_int_eq(env_set(&list, "N5=y", &e), 0);
	ck_assert_int_eq(env_set(&list, "more=x", &e), -1);
	ck_assert_str_eq(e.text, "the image's environment has more than 1024 variables");
	has("N5", "y");
}
END_TEST

START_TEST(environment_forms)
{
	etc("# comment\n"
	    "\n"
	    "A=1\n"
	    "  B=two words  \r\n"
	    "export C=3\n"
	    "D=\"quoted value\"\n"
	    "E='single $x'\n"
	    "F=\n"
	    "G=\"with comment\" # gone\n"
	    "H=http://x/#frag\n"
	    "I=\"not closed\n"
	    "J=\"two\" \"parts\"\n"
	    "K=a=b\n"
	    "A=again\n"
	    "no assignment\n"
	    "9=x\n"
	    "L = x\n"
	    "M=${A}\n"
	    "last=no newline");
	has("A", "again");
	has("B", "two words");
	has("C", "3");
	has("D", "quoted value");
	has("E", "single $x");
	has("F", "");
	has("G", "with comment");
	has("H", "http://x/#frag");
	has("I", "\"not closed");
	has("J", "\"two\" \"parts\"");
	has("K", "a=b");
	lacks("9");
	lacks("L");
	has("M", "${A}");
	has("last", "no newline");
	ck_assert_uint_eq(list.n, 13);
}
END_TEST

START_TEST(environment_edges)
{
	struct err e = { "" };

	etc("");
	etc("\n\n\n");
	etc("A=\"");
	has("A", "\"");
	etc("A='");
	etc("A=\"\"");
	has("A", "");
	ck_assert_int_eq(env_parse_environment(NULL, 0, &list, &e), 0);
	ck_assert_int_eq(env_parse_environment("B=x\0y\nC=1\nDxyz", 11, &list, &e), 0);
	lacks("B");
	has("C", "1");
	lacks("D");
}
END_TEST

START_TEST(too_long_text)
{
	static char text[ENV_TEXT_MAX + 1];
	struct err e = { "" };

	memset(text, '\n', sizeof(text));
	ck_assert_int_eq(env_parse_environment(text, ENV_TEXT_MAX, &list, &e), 0);
	ck_assert_int_eq(env_parse_environment(text, sizeof(text), &list, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "larger than 262144 bytes"));
	e.text[0] = '\0';
	ck_assert_int_eq(env_parse_singularity(text, sizeof(text), &known, &list, NULL, &e), -1);
}
END_TEST

START_TEST(singularity_forms)
{
	sif("#!/bin/sh\n"
	    "export A=1\n"
	    "export B=\"two words\"\n"
	    "export C='single $x `y` \"z\"'\n"
	    "export D=\"${D:-\"default value\"}\"\n"
	    "export E=\"${E:-plain default}\"\n"
	    "F=later\n"
	    "export F\n"
	    "    export G=\"indented\"  # comment\n"
	    "H=1; export H\n"
	    "export I=1 J=\"2\" K\n"
	    "L=never exported\n"
	    "export M=\"esc \\\"q\\\" \\$5 \\\\ \\n \\}\"\n"
	    "export N=\"\"\n"
	    "export O=\n"
	    "export P=\"${P:-}\"\n"
	    "export Q=\"two\nlines\"\n"
	    "export R=\"conti\\\nnued\"\n"
	    "export S=/opt/x/bin:/usr/bin\n"
	    "export T=\"${T:-\"a } b\"}\"\n"
	    "export U=last");
	has("A", "1");
	has("B", "two words");
	has("C", "single $x `y` \"z\"");
	has("D", "default value");
	has("E", "plain default");
	has("F", "later");
	has("G", "indented");
	has("H", "1");
	has("I", "1");
	has("J", "2");
	lacks("K");
	lacks("L");
	has("M", "esc \"q\" $5 \\ \\n \\}");
	has("N", "");
	has("O", "");
	has("P", "");
	has("Q", "two\nlines");
	has("R", "continued");
	has("S", "/opt/x/bin:/usr/bin");
	has("T", "a } b");
	has("U", "last");
}
END_TEST

START_TEST(singularity_skips_what_needs_a_shell)
{
	sif("export A=$SCRATCH/bin\n"
	    "export B=\"x${A}\"\n"
	    "export C=`id`\n"
	    "export D=$(id)\n"
	    "export E=\"${X:-\"other name\"}\"\n"
	    "export F=\"${F:-$A}\"\n"
	    "export G=\"${G:=x}\"\n"
	    "export H=$((1 + 1))\n"
	    "export I=~/x\n"
	    "export J=/a:~/b\n"
	    "export K=x>file\n"
	    "export -p\n"
	    "LC_ALL=C sort file\n"
	    ". /etc/profile\n"
	    "export L=a(b\n"
	    "export M=ok~ok\n"
	    "export N=1 2\n");
	for (char name[2] = "A"; name[0] <= 'L'; name[0]++)
		lacks(name);
	lacks("LC_ALL");
	has("M", "ok~ok");
	has("N", "1");
	ck_assert_uint_eq(list.n, 2);
	ck_assert_str_eq(left.name, "A");
}
END_TEST

START_TEST(singularity_expansions)
{
	sif("export PATH=/opt/a/bin:$PATH\n"
	    "export PATH=\"/opt/b/bin:${PATH}\"\n"
	    "export LD_LIBRARY_PATH=/opt/a/lib:$LD_LIBRARY_PATH\n"
	    "export MANPATH=/opt/man${MANPATH:+:$MANPATH}\n"
	    "export MANPATH=/opt/b/man${MANPATH:+:$MANPATH}\n"
	    "ROOT=/opt/app\n"
	    "export APP=\"$ROOT/bin\"/x'$y'\\$z\n"
	    "export CACHE=${CACHE-/tmp/${ROOT:-/none}/c}\n"
	    "export NOTHING=\"${APP+}\"\n"
	    "export OWN=\"$HOME/own\"\n"
	    "export WORDS=\"${WORDS:-\"a b\" $ROOT}\"\n"
	    "export ESCAPED=\"${ESCAPED:-a\\}b\\$c}\"\n");
	has("PATH", "/opt/b/bin:/opt/a/bin:/usr/bin:/bin");
	has("LD_LIBRARY_PATH", "/opt/a/lib:");
	has("MANPATH", "/opt/b/man:/opt/man");
	lacks("ROOT");
	has("APP", "/opt/app/bin/x$y$z");
	has("CACHE", "/tmp//opt/app/c");
	has("NOTHING", "");
	has("OWN", "/home/ann/own");
	has("WORDS", "a b /opt/app");
	has("ESCAPED", "a}b$c");
	lacks("HOME");
	ck_assert_str_eq(left.name, "");
	sif("export PATH=$PATH:$(ls -d /opt/*)\nexport LATER=`x`\n");
	has("PATH", "/opt/b/bin:/opt/a/bin:/usr/bin:/bin"); /* as it was */
	ck_assert_str_eq(left.name, "PATH");
}
END_TEST

/* Each line doubles it: the limit ends that, not the memory. */
START_TEST(singularity_growth)
{
	char text[4096] = "export A=0123456789\n";
	struct err e = { "" };

	for (int i = 0; i < 60; i++)
		strcat(text, "export A=$A$A$A$A\n");
	ck_assert_int_eq(env_parse_singularity(text, strlen(text), &known, &list, NULL, &e), -1);
	ck_assert_msg(strstr(e.text, "larger than 65536 bytes") != NULL, "%s", e.text);
}
END_TEST

START_TEST(singularity_depth)
{
	char text[4096] = "export A=1\nexport B=";

	for (int i = 0; i < 200; i++)
		strcat(text, "${A:+");
	strcat(text, "x");
	for (int i = 0; i < 200; i++)
		strcat(text, "}");
	sif(text);
	lacks("B");
	ck_assert_str_eq(left.name, "B");
}
END_TEST

START_TEST(singularity_skips_blocks)
{
	sif("if test -n \"$X\"; then\n"
	    "    export A=1\n"
	    "    for i in a b; do\n"
	    "        export B=1\n"
	    "    done\n"
	    "    export C=1\n"
	    "else\n"
	    "export D=1\n"
	    "fi\n"
	    "export E=1\n"
	    "if x; then export F=1; fi\n"
	    "f() {\n"
	    "export G=1\n"
	    "}\n"
	    "case $x in\n"
	    "a) export H=1 ;;\n"
	    "esac ;\n"
	    "iffy=1; export iffy\n"
	    "fi\n"
	    "export I=1\n"
	    "while x\n"
	    "do export J=1\n");
	has("E", "1");
	has("iffy", "1");
	has("I", "1");
	ck_assert_uint_eq(list.n, 3);
}
END_TEST

START_TEST(singularity_reassignment)
{
	sif("export A=1\nA=2\n");
	has("A", "2");
	sif("A=3\n");
	has("A", "3");
	sif("B=1\nB=2\nexport B\nexport B\n");
	has("B", "2");
	ck_assert_uint_eq(list.n, 2);
}
END_TEST

START_TEST(singularity_edges)
{
	static const char *const odd[] = { "",
					   "export",
					   "export ",
					   "export A",
					   "export A=\"",
					   "export A='",
					   "A=\"${",
					   "A=\"${A",
					   "A=\"${A:-",
					   "A=\"${A:-\"",
					   "A=\"${A:-\"}",
					   "A=\"\\",
					   "export A=\\",
					   "export A=\"x\\",
					   "{",
					   "}" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		sif(odd[i]);
	ck_assert_uint_eq(list.n, 0);
	ck_assert_int_eq(env_parse_singularity("export A=\"x\0y\"\nexport B=1\n", 26, &known, &list,
					       NULL, NULL),
			 0);
	lacks("A");
	has("B", "1");
}
END_TEST

START_TEST(filter)
{
	etc("SLURM_JOB_ID=1\nSLURMD_NODENAME=1\n_SLURM_X=1\nSPANK_A=1\nPMI_RANK=1\nPMIX_ID=1\n"
	    "BERTH_X=1\nHOME=/x\nUSER=u\nLOGNAME=u\nTMPDIR=/x\nPATH=/x\nKEEP=1\nKEEPER=1\n"
	    "HOMEPAGE=1\nBERTHA=1\n");
	env_filter(&list, "KEEP,X");
	has("PATH", "/x");
	has("KEEPER", "1");
	has("HOMEPAGE", "1");
	has("BERTHA", "1");
	ck_assert_uint_eq(list.n, 4);
	ck_assert_uint_eq(list.bytes, 7 + 8 + 10 + 8);
	ck_assert_ptr_null(list.v[4]);
	env_filter(&list, NULL);
	ck_assert_uint_eq(list.n, 4);
	env_filter(&list, "BERTHA,HOMEPAGE,KEEPER,PATH");
	ck_assert_uint_eq(list.n, 0);
	ck_assert_uint_eq(list.bytes, 0);
}
END_TEST

START_TEST(names_valid)
{
	ck_assert(env_names_valid("A"));
	ck_assert(env_names_valid("PATH,LD_LIBRARY_PATH,_x1"));
	ck_assert(!env_names_valid(""));
	ck_assert(!env_names_valid(","));
	ck_assert(!env_names_valid("A,"));
	ck_assert(!env_names_valid(",A"));
	ck_assert(!env_names_valid("A,,B"));
	ck_assert(!env_names_valid("A=1"));
	ck_assert(!env_names_valid("A B"));
	ck_assert(!env_names_valid("1A"));
	ck_assert(!env_names_valid("A\n"));
}
END_TEST

START_TEST(done_is_idempotent)
{
	etc("A=1\n");
	env_list_done(&list);
	env_list_done(&list);
	env_list_done(NULL);
	lacks("A");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("envfile");
	TCase *tc = tcase_create("envfile");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, NULL, list_empty);
	tcase_add_test(tc, set_and_get);
	tcase_add_test(tc, bad_names);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, environment_forms);
	tcase_add_test(tc, environment_edges);
	tcase_add_test(tc, too_long_text);
	tcase_add_test(tc, singularity_forms);
	tcase_add_test(tc, singularity_skips_what_needs_a_shell);
	tcase_add_test(tc, singularity_expansions);
	tcase_add_test(tc, singularity_growth);
	tcase_add_test(tc, singularity_depth);
	tcase_add_test(tc, singularity_skips_blocks);
	tcase_add_test(tc, singularity_reassignment);
	tcase_add_test(tc, singularity_edges);
	tcase_add_test(tc, filter);
	tcase_add_test(tc, names_valid);
	tcase_add_test(tc, done_is_idempotent);
	return unit_run(s);
}
