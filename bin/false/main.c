/*
 * false: does nothing, unsuccessfully.
 */
#include <rt/start.h>

int main(int argc unused, char **argv unused)
{
	return 1;
}
