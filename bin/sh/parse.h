/*
 * parse: from a line of text to commands (pure).
 *
 *	line    = [ list ] [ '#' comment ]
 *	list    = command { ( ';' | '&' | '&&' | '||' ) command } [ ';' | '&' ]
 *	command = word { word }
 *
 * Words keep their quotes until they are expanded, which is when the command runs: `false; echo $?` says 1.
 * A pipeline or a redirection would be one more level between list and command: their signs are
 * already words of their own, and refused.
 */
#pragma once
#include <abi/types.h>

enum join { JOIN_ALWAYS, JOIN_AND, JOIN_OR };   /* run it: always, if the one before gave 0, if it did not */

struct command {
	char     **words;           /* owned; NULL after the last */
	int        n_words;         /* > 0 */
	enum join  join;
	bool       background;
};

struct script {
	struct command *commands;   /* owned */
	int             n;
};

/* NULL: done (perhaps 0 commands). Else what is wrong, a text that outlives the call; *s is empty. */
const char *parse(const char *line, struct script *s);
void script_free(struct script *s);

typedef const char *lookup_fn(void *ctx, const char *name);     /* a variable's value, or NULL; "?" is the last status */

/*
 * Removes quotes and puts in variables: $NAME, ${NAME}, $?. *out is heap memory, or NULL if the word
 * vanished (an unquoted variable without value and nothing else). False: no memory.
 */
bool expand(const char *word, lookup_fn *lookup, void *ctx, char **out);
