/*
 * version: what the system calls itself.
 */
#pragma once

#ifndef SKERRY_VERSION
#define SKERRY_VERSION "0.1"
#endif
