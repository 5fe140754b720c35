/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * say UP GO: prints the file /id of its image, makes the file UP and ends when the file
 * GO is there.  The only program of the smallest image.
 */
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char text[128];
	int id = open("/id", O_RDONLY);
	ssize_t n = id < 0 ? -1 : read(id, text, sizeof(text));

	if (argc != 3 || n <= 0 || write(1, text, (size_t)n) != n ||
	    open(argv[1], O_WRONLY | O_CREAT, 0644) < 0)
		return 1;
	while (access(argv[2], F_OK) < 0)
		usleep(100000);
	return 0;
}
