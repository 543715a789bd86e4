#!/usr/bin/env bash
# holidays 0.109: what a holiday is called depends on the environment of the process, and C and C.UTF-8 give two languages.
#
# Most would guess that a calendar of Germany names its days in German, or in English, the same everywhere, so that a name may be
# kept, compared, or made the key of a feature. Seen here: 25 December 2014 is "Christmas Day" under LANG=C.UTF-8 and
# LANG=en_US.UTF-8, "Erster Weihnachtstag" under LANG=C, LANG=de_DE.UTF-8 and LANG=zh_CN.UTF-8 (no Chinese is there, so the
# country's own language is taken). A name that a server in a container wrote is thus unknown to the same code on a shop's machine.
# With language="en_US" it is the same under all of them. Source: the package's translation by gettext, which finds its language in
# the variables of the environment unless it is told one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet holidays==0.109
call() { # language of the process, language that is asked for
    env -u LANGUAGE -u LC_ALL -u LC_MESSAGES LANG="$1" "$folder/venv/bin/python" -c "
import sys, holidays
print(holidays.country_holidays('DE', years=[2014], language=sys.argv[1] or None)['2014-12-25'])" "$2"
}
for language in C.UTF-8 C de_DE.UTF-8 en_US.UTF-8 zh_CN.UTF-8; do
    echo "LANG=$language: $(call "$language" ""), asked for in English: $(call "$language" en_US)"
    test "$(call "$language" en_US)" = "Christmas Day"
done
test "$(call C.UTF-8 "")" = "Christmas Day"
test "$(call C "")" = "Erster Weihnachtstag"
