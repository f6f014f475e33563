LIBS_poweroff := cli
