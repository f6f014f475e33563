# initfsd unpacks with zlib; its host tests link this machine's.
LIBS_initfsd := zlib
HOST_LIBS_initfsd := -lz
