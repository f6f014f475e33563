LIBS_reboot := cli
