/*
 * true: does nothing, successfully.
 */
#include <rt/start.h>

int main(int argc unused, char **argv unused)
{
	return 0;
}
