/*
 * kmemleak: utobject.c of the kernel's copy of ACPICA tells a leak detector that we do not have.
 */
#pragma once
#define kmemleak_not_leak(p) ((void)(p))
