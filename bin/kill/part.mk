LIBS_kill := cli
