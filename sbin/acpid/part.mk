LIBS_acpid := acpica
