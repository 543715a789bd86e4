#!/usr/bin/env bash
# holidays 0.109: a year that the library does not cover is an empty calendar, and a country without a part is not its parts' sum.
#
# Most would guess that a year out of a country's range raises, or at least warns, as an unknown country does; and that a whole
# country's calendar holds the days that its largest part has. Seen here: LK has 25 holidays in 2026 and none in 2027, DE none in
# 1990, each without an error or a warning (warnings are errors below); GB without a subdivision lacks Easter Monday and the August
# bank holiday that ENG has; and of China's moved working days, none is known for the last year that has holidays at all, so every
# weekend there looks free. Whoever forecasts demand learns "no holiday" from all of these. Source: the package's own tables,
# start_year and end_year of each country, which the constructor does not hold against the years that it is asked for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet holidays==0.109
"$folder/venv/bin/python" -W error - <<'PY'
from datetime import date

import holidays

print("version:", holidays.__version__)
counts = {f"{country} {year}": len(holidays.country_holidays(country, years=year))
          for country, year in (("LK", 2026), ("LK", 2027), ("DE", 1990))}
print(counts)
assert counts["LK 2026"] > 0 and counts["LK 2027"] == 0 and counts["DE 1990"] == 0
whole, england = (holidays.country_holidays("GB", subdiv=part, years=2025) for part in (None, "ENG"))
missing = sorted(set(england) - set(whole))
print("in ENG and not in GB:", missing)
assert missing == [date(2025, 4, 21), date(2025, 8, 25)]
china = {year: holidays.country_holidays("CN", years=year) for year in (2025, 2027)}
worked = {year: sum(found.is_working_day(date.fromordinal(day)) for day in
                    range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal())
                    if date.fromordinal(day).weekday() > 4) for year, found in china.items()}
print("holidays and worked weekend days of CN:", {year: (len(china[year]), worked[year]) for year in china})
assert len(china[2027]) > 0 and worked[2027] == 0 < worked[2025]
PY
