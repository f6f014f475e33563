/* Nothing is left here: the loader measures the TSC (efiloader/clock.c). apic.c names this file. */
