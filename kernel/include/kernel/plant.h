/*
 * plant: bugs put in on purpose. make BUG=name builds a kernel in which PLANTED(name) is 1, to see that a test
 * turns red (tests/plants.tsv); in every other build it is the constant 0.
 */
#pragma once

#define PLANTED(name) PLANT_EXPANDED(PLANT_##name)
#define PLANT_EXPANDED(value) PLANT_VALUE(value)
#define PLANT_VALUE(value) PLANT_JOINED(PLANT_COMMA_##value)
#define PLANT_JOINED(comma_or_word) PLANT_SECOND(comma_or_word 1, 0, 0)
#define PLANT_SECOND(first, second, ...) second
#define PLANT_COMMA_1 0,
