LIBS_kill := cli launch
