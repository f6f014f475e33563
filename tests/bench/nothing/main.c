/*
 * nothing: the smallest program; what starting and ending one costs is measured with it.
 */
int main(int argc, char **argv)
{
	(void)argc, (void)argv;
	return 0;
}
