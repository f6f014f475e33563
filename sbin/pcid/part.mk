LIBS_pcid := pci
