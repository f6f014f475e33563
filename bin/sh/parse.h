/*
 * parse: from a line of text to commands (pure).
 *
 *	line    = [ list ] [ '#' comment ]
 *	list    = pipeline { ( ';' | '&' | '&&' | '||' ) pipeline } [ ';' | '&' ]
 *	pipeline = command { '|' command }
 *	command = part { part }
 *	part    = word | ( '<' | '>' | '>>' ) word
 *
 * Words keep their quotes until they are expanded, which is when the command runs: `false; echo $?` says 1.
 */
#pragma once
#include <abi/types.h>

/* Run it: always, if the one before gave 0, if it did not, together with the one before and reading its output. */
enum join { JOIN_ALWAYS, JOIN_AND, JOIN_OR, JOIN_PIPE };

enum redirect_kind { REDIRECT_IN, REDIRECT_OUT, REDIRECT_APPEND };
struct redirect {
	enum redirect_kind kind;
	char              *word;    /* owned */
};

struct command {
	char           **words;     /* owned; NULL after the last, or if there is none */
	int              n_words;   /* 0: it has redirects only */
	struct redirect *redirects; /* owned; the last of a kind counts, but all are opened */
	int              n_redirects;
	enum join        join;
	bool             background;    /* of a pipeline: its last command has it */
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
