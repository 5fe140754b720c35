/* Says which libc it was linked with: only musl defines no macro of its own. */
#include <stdio.h>

int main(void)
{
#ifdef __GLIBC__
	puts("hello from glibc");
#else
	puts("hello from musl");
#endif
	return 0;
}
