/* string: see include/string.h. The copies are string instructions, so that the compiler cannot turn a loop
 * in memcpy into a call of memcpy; by eight bytes, which takes an eighth of the steps where the processor has no fast way for bytes. */
#include <stdint.h>
#include <string.h>

void *memcpy(void *to, const void *from, size_t n)
{
	void *result = to;
	size_t words = n / 8, bytes = n % 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
	return result;
}

void *memmove(void *to, const void *from, size_t n)
{
	if ((size_t)((char *)to - (const char *)from) >= n)
		return memcpy(to, from, n);
	void *last_to = (char *)to + n - 1;
	const void *last_from = (const char *)from + n - 1;
	__asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(last_to), "+S"(last_from), "+c"(n) : : "memory", "cc");
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	void *result = to;
	uint64_t word = (unsigned char)byte * 0x0101010101010101ull;
	size_t words = n / 8, bytes = n % 8;
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(word) : "memory");
	return result;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}
