/*
 * names: what classes of functions and some makers of them are called (PCI Code and ID Assignment Specification 1.11,
 * chapter 1; vendor ids as PCI-SIG lists them). Pure.
 */
#pragma once
#include <abi/types.h>

const char *name_class(uint32_t class);         /* of class << 16 | subclass << 8 | interface; never NULL */
const char *name_vendor(uint16_t vendor);       /* NULL: not one of those known here */
const char *name_capability(uint16_t id, bool extended);    /* NULL: not known here */
