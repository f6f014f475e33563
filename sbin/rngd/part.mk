# The host test links the same BearSSL objects as the program: they call nothing but memcpy and its kin.
LIBS_rngd := bearssl
HOST_CFLAGS_rngd := -isystem build/src/bearssl/inc
HOST_LIBS_rngd := build/lib/bearssl.a
$(OUT)/host/sbin/rngd/drbg_test: build/lib/bearssl.a
