# abi/rt/part.mk: the files of musl that the run-time takes along. None makes a system call or opens a FILE;
# its memcpy, memmove and memset for this processor use general registers only.

MUSL_FILES := $(addprefix src/string/,x86_64/memcpy.s x86_64/memmove.s x86_64/memset.s \
	memchr.c memcmp.c memmem.c memrchr.c stpcpy.c stpncpy.c strcasecmp.c strcat.c strchr.c strchrnul.c \
	strcmp.c strcpy.c strcspn.c strdup.c strlcat.c strlcpy.c strlen.c strncasecmp.c strncat.c strncmp.c \
	strncpy.c strndup.c strnlen.c strpbrk.c strrchr.c strsep.c strspn.c strstr.c strtok_r.c) \
	$(addprefix src/stdlib/,abs.c atoi.c atol.c atoll.c bsearch.c labs.c qsort.c qsort_nr.c) \
	$(addprefix src/ctype/,isalnum.c isalpha.c isascii.c isblank.c iscntrl.c isdigit.c isgraph.c islower.c \
	isprint.c ispunct.c isspace.c isupper.c isxdigit.c tolower.c toupper.c)
