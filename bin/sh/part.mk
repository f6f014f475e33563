LIBS_sh := cli launch supervise utf8
