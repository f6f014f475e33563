LIBS_sha256sum := cli bearssl
