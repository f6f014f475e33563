LIBS_env := cli
