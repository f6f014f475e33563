/*
 * errors: names and meanings of status codes. Switches, because the compiler turns them into offsets where
 * a table of pointers would need a relocation each in every program.
 */
#include <gen/errors.h>
#include <rt/start.h>

const char *error_name(status_t st)
{
	if (st >= 0)
		return "OK";
	switch (st) {
#define X(name, number, text) case number: return "ERR_" #name;
	ERROR_LIST(X)
#undef X
	default: return "ERR_?";
	}
}

const char *error_text(status_t st)
{
	if (st >= 0)
		return "done";
	switch (st) {
#define X(name, number, text) case number: return text;
	ERROR_LIST(X)
#undef X
	default: return "an error without a name";
	}
}
