LIBS_initd := supervise
