LIBS_echo := cli
