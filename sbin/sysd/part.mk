LIBS_sysd := tracing
