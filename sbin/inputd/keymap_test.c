/*
 * Expected: the maps of the tree are read and say what is printed on the keys, at all levels, with locks, dead keys and Compose; every
 * broken map is refused with file, line and reason; what waits never leaves a wrong character behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include "keymap.c"
#include <utf8/utf8.c>

static struct keymap map;
static struct keymap_state s;
static uint32_t got[16];
static size_t n_got;
static char why[KEYMAP_ERROR];

static bool from_tree(void *ctx unused, const char *name, const char **text, size_t *len)
{
	static char buf[KEYMAP_TEXT_MAX];
	char path[128];

	snprintf(path, sizeof(path), "initfs/etc/keymaps/%s", name);
	FILE *f = fopen(path, "rb");
	if (!f)
		return false;
	*len = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	*text = buf;
	return true;
}

/* Files "a" and "b" as the test has them. */
static const char *given[2];
static bool from_test(void *ctx unused, const char *name, const char **text, size_t *len)
{
	const char *t = !strcmp(name, "a") ? given[0] : !strcmp(name, "b") ? given[1] : NULL;

	if (!t)
		return false;
	*text = t;
	*len = strlen(t);
	return true;
}

static void use(const char *name)
{
	if (!keymap_read(&map, name, from_tree, NULL, why))
		fail_msg("%s", why);
	s = (struct keymap_state){ 0 };
}

static uint16_t code_of(const char *name)
{
	static const struct { const char *name; uint16_t code; } more[] = {
		{ "shift", KEY_LEFTSHIFT }, { "rshift", KEY_RIGHTSHIFT }, { "ctrl", KEY_LEFTCTRL }, { "alt", KEY_LEFTALT }, { "altgr", KEY_RIGHTALT },
		{ "caps", KEY_CAPSLOCK }, { "num", KEY_NUMLOCK }, { "menu", KEY_COMPOSE }, { "meta", KEY_LEFTMETA },
	};
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		if (!strcmp(more[i].name, name))
			return more[i].code;
	for (uint16_t i = 0; i < KEYMAP_KEYS; i++)
		if (names[i][0] && !strcmp(names[i], name))
			return i;
	fail_msg("no key %s", name);
	return 0;
}

static void event(const char *name, int32_t value)
{
	uint32_t text[KEYMAP_TEXTS];
	size_t n = keymap_key(&map, &s, code_of(name), value, text);

	assert_true(n <= KEYMAP_TEXTS && n_got + n <= ARRAY_LEN(got));
	memcpy(got + n_got, text, n * sizeof(*text));
	n_got += n;
}

/* "shift+a grave a": chords, one after the other. */
static void type(const char *keys)
{
	char copy[128], *save, *chord;

	n_got = 0;
	snprintf(copy, sizeof(copy), "%s", keys);
	for (chord = strtok_r(copy, " ", &save); chord; chord = strtok_r(NULL, " ", &save)) {
		char *parts[4], *inner;
		int n = 0;
		for (char *p = strtok_r(chord, "+", &inner); p; p = strtok_r(NULL, "+", &inner))
			event(parts[n++] = p, KEY_DOWN);
		while (n > 0)
			event(parts[--n], KEY_UP);
	}
}

static void gives(const char *keys, const char *text)
{
	size_t n = 0, len = strlen(text);
	uint32_t code;

	type(keys);
	for (size_t at = 0; at < len; n++) {
		at += utf8_decode(text + at, len - at, &code);
		if (n >= n_got || got[n] != code)
			fail_msg("%s: U+%X instead of \"%s\"", keys, n < n_got ? got[n] : 0, text);
	}
	assert_int_equal(n, n_got);
}

static void test_us(void **state unused)
{
	use("us");
	gives("h e l l o shift+1", "hello!");
	gives("shift+2 rshift+quote grave shift+grave", "@\"`~");
	gives("enter tab esc backspace space", "\r\t\x1b\x7f ");
	gives("altgr+q alt+q", "qq");
	gives("meta+q", "");
	gives("ctrl+c ctrl+lbracket ctrl+shift+c", "\x03\x1b\x03");
	gives("ctrl+1 ctrl+space", "");
}

static void test_locks(void **state unused)
{
	use("us");
	gives("caps a shift+a 1 caps a", "Aa1a");
	gives("kp7", "");
	gives("num kp7 kpdot shift+kp7 kpslash kpenter num kp7", "7./\r");
	/* Held down, a lock does not flicker. */
	event("caps", KEY_DOWN);
	event("caps", KEY_REPEAT);
	event("caps", KEY_UP);
	assert_int_equal(s.locks, 1 << LED_CAPSL);
	use("de");
	gives("num kpdot", ",");
	gives("caps lbracket minus caps", "Üß");
	/* CapsLock changes letters, not what AltGr makes of them: as XKB has it (xkeyboard-config 2.35, maps de and fr). */
	gives("caps altgr+q altgr+e altgr+7 altgr+m altgr+o altgr+shift+o altgr+shift+q caps", "@€{µØøΩ");
	use("fr");
	gives("caps 2 shift+2 0 9 q lbracket q equal caps 2", "É2ÀÇAÂ=é");
}

/* Every key of a row, at each level, after XKB's maps. */
static void rows(const char *name, const char *const levels[4])
{
	static const char *const keys[] = {
		"grave", "1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "minus", "equal", "q", "w", "e", "r", "t", "y", "u", "i", "o", "p",
		"lbracket", "rbracket", "a", "s", "d", "f", "g", "h", "j", "k", "l", "semicolon", "quote", "backslash", "102nd", "z", "x", "c", "v",
		"b", "n", "m", "comma", "dot", "slash",
	};

	use(name);
	for (size_t level = 0; level < 4; level++) {
		const char *at = levels[level];
		for (size_t i = 0; levels[level] && i < ARRAY_LEN(keys); i++) {
			char typed[40], want[8] = "";
			size_t len = utf8_expected((uint8_t)*at);
			/* A dead key and a blank give its accent. */
			snprintf(typed, sizeof(typed), "%s%s%s%s", level & 2 ? "altgr+" : "", level & 1 ? "shift+" : "", keys[i],
			         map.key[code_of(keys[i])].level[level] & KEYMAP_DEAD ? " space" : "");
			memcpy(want, at, len);
			gives(typed, strcmp(want, "_") == 0 && !map.key[code_of(keys[i])].level[level] ? "" : want);
			at += len;
		}
		if (levels[level])
			assert_int_equal(*at, 0);
	}
}

/* _ where nothing is meant, too. */
static void test_every_key(void **state unused)
{
	rows("fr", (const char *const[]){
		"²&é\"'(-è_çà)=azertyuiop^$qsdfghjklmù*<wxcvbn,;:!", "~1234567890°+AZERTYUIOP¨£QSDFGHJKLM%µ>WXCVBN?./§",
		"¬¹~#{[|`\\^@]}æ«€¶ŧ←↓→øþ¨¤@ßðđŋħ_ĸłµ^`|ł»¢„“”´•·_", "¬¡⅛£$⅜⅝⅞™±°¿˛Æ<¢®Ŧ¥↑ıØÞ°¯ΩẞÐªŊĦ_&Łºˇ_¦Ł>©‚‘’˝×÷˙" });
	rows("fi", (const char *const[]){
		"§1234567890+´qwertyuiopå¨asdfghjklöä'<zxcvbnm,.-", "½!\"#¤%&/()=?`QWERTYUIOPÅ^ASDFGHJKLÖÄ*>ZXCVBNM;:_",
		NULL, NULL });
	rows("dvorak", (const char *const[]){
		"`1234567890[]',.pyfgcrl/=aoeuidhtns-\\<;qjkxbmwvz", "~!@#$%^&*(){}\"<>PYFGCRL?+AOEUIDHTNS_|>:QJKXBMWVZ", NULL, NULL });
}

static void test_de(void **state unused)
{
	use("de");
	gives("y z lbracket semicolon quote minus", "zyüöäß");
	gives("altgr+q altgr+e altgr+7 altgr+0 altgr+102nd altgr+shift+minus", "@€{}|ẞ");
	gives("equal e", "é");
	gives("shift+equal e", "è");
	gives("grave a grave space grave grave", "â^^");
	gives("equal x", "´x");
	gives("equal grave a", "´â");
	gives("equal shift+a", "Á");
	gives("shift+3 shift+7 slash", "§/-");
	gives("ctrl+y", "\x1a");
}

static void test_other_maps(void **state unused)
{
	use("fr");
	gives("q w a z semicolon m", "azqwm,");
	gives("1 shift+1 2 altgr+0 altgr+8", "&1é@\\");
	gives("lbracket e shift+lbracket i", "êï");
	use("fi");
	gives("lbracket semicolon quote altgr+2 altgr+4 rbracket u", "åöä@$ü");
	gives("altgr+rbracket n equal space", "ñ´");
	use("dvorak");
	gives("s d semicolon q shift+z slash", "oes':z");
}

static void test_compose(void **state unused)
{
	use("us");
	gives("menu quote e menu e quote", "éé");
	gives("menu shift+a shift+a", "Å");
	gives("menu q z a", "a");
	gives("menu ctrl+c e", "\x03" "e");
	gives("menu quote esc e", "\x1b" "e");
	gives("menu menu o e", "œ");
	gives("menu equal e", "€");
	gives("menu shift+quote shift+e menu quote s menu slash l menu comma a menu minus shift+comma", "Ëśłą←");
	use("fi");
	gives("rbracket y shift+equal w altgr+rbracket e", "ÿẁẽ");
}

static void test_repeat(void **state unused)
{
	use("us");
	n_got = 0;
	event("a", KEY_DOWN);
	event("a", KEY_REPEAT);
	event("a", KEY_REPEAT);
	event("a", KEY_UP);
	assert_int_equal(n_got, 3);
}

static void refuses(const char *a, const char *b, const char *reason)
{
	given[0] = a;
	given[1] = b;
	assert_false(keymap_read(&map, "a", from_test, NULL, why));
	assert_string_equal(why, reason);
}

static void test_broken_maps(void **state unused)
{
	refuses("\nkey qq a", NULL, "a, line 2: no key has this name");
	refuses("key", NULL, "a, line 1: a key must be named");
	refuses("key q", NULL, "a, line 1: a key without a meaning");
	refuses("key q a b c d e", NULL, "a, line 1: a key has four meanings at most");
	refuses("key q ab", NULL, "a, line 1: this is no character");
	refuses("key q U+110000", NULL, "a, line 1: this is no character");
	refuses("key q U+D800", NULL, "a, line 1: this is no character");
	refuses("key q \xc3", NULL, "a, line 1: this is no character");
	refuses("key q dead:", NULL, "a, line 1: this is no character");
	refuses("dead", NULL, "a, line 1: dead wants a character");
	refuses("dead ^ a", NULL, "a, line 1: dead wants pairs of characters");
	refuses("compose a b", NULL, "a, line 1: compose wants three characters");
	refuses("compose a b c d", NULL, "a, line 1: compose wants three characters");
	refuses("include ../x", NULL, "a, line 1: include wants the name of a map");
	refuses("include c", NULL, "c, line 1: this map cannot be read");
	refuses("include b", "\nbad", "b, line 2: key, letter, keypad, dead, compose or include must begin a line");
	refuses("include a", NULL, "a, line 1: includes are too deep");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_us), cmocka_unit_test(test_locks), cmocka_unit_test(test_de), cmocka_unit_test(test_other_maps), cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_compose), cmocka_unit_test(test_repeat), cmocka_unit_test(test_broken_maps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
