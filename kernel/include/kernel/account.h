/*
 * account: the counters behind kstat. Exact; each is changed where the thing it counts changes.
 */
#pragma once
#include <abi/objects.h>

extern struct kstat account;
#define ACCOUNT_ADD(field, n) ((void)__atomic_fetch_add(&account.field, (uint64_t)(n), __ATOMIC_RELAXED))
#define ACCOUNT_SUB(field, n) ((void)__atomic_fetch_sub(&account.field, (uint64_t)(n), __ATOMIC_RELAXED))
