LIBS_outputd := term libvterm font stream utf8

# Its tests have the terminals of the screen in them.
HOST_CFLAGS_outputd := $(HOST_CFLAGS_term)
HOST_LIBS_outputd   := $(HOST_LIBS_term)
$(addprefix $(OUT)/host/sbin/outputd/,main_test vt_test ldisc_test ldisc_fuzz): $(OUT)/host/libvterm.a
