package adminapi

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// TimeForms says what [ReadTime] reads.
const TimeForms = "a time such as 2026-01-31T12:00:00Z, a date such as 2026-01-31, today, yesterday, or so long ago, such as 3h or 2d"

// layouts are those of times; without a zone they are in that of now.
var layouts = []string{
	time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly,
}

// ReadTime reads a time in one of the [TimeForms]. What names no zone is in that of now,
// and a date is the beginning of its day. An empty text is the zero time. The error
// names the parameter and the zone.
func ReadTime(name, text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	year, month, day := now.Date()
	switch strings.ToLower(text) {
	case "":
		return time.Time{}, nil
	case "today":
		return time.Date(year, month, day, 0, 0, 0, 0, now.Location()), nil
	case "yesterday":
		return time.Date(year, month, day-1, 0, 0, 0, 0, now.Location()), nil
	}
	if ago, ok := readDuration(text); ok {
		return now.Add(-ago.Abs()), nil
	}
	for _, layout := range layouts {
		at, err := time.ParseInLocation(layout, mend(text), now.Location())
		switch {
		case err != nil:
		case !time.Unix(0, at.UnixNano()).Equal(at): // ledgers count in nanoseconds
			return time.Time{}, badRequest("%s: %q is too far away: use a year from 1678 to 2262", name, text)
		default:
			return at, nil
		}
	}
	return time.Time{}, badRequest("%s: %q is neither a time such as 2026-01-31T12:00:00Z, a date such as 2026-01-31, today, yesterday, "+
		"nor so long ago, such as 3h or 2d; what names no zone is in %s", name, text, now.Format("MST"))
}

// mend puts back what queries and people change in a time: a plus in a query is a
// space, and many write one instead of the T.
func mend(text string) string {
	const date, offset = len(time.DateOnly), len(" 02:00")
	if len(text) > date && text[date] == ' ' {
		text = text[:date] + "T" + text[date+1:]
	}
	if at := len(text) - offset; at > date && text[at] == ' ' {
		text = text[:at] + "+" + text[at+1:]
	}
	return text
}

// readDuration reads a duration that may begin with days.
func readDuration(text string) (time.Duration, bool) {
	const day, most = 24 * time.Hour, int64(math.MaxInt64 / (24 * time.Hour) / 2)
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	n, err := strconv.ParseInt(days, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, false
	}
	if rest == "" {
		return time.Duration(n) * day, true
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d > time.Duration(most)*day {
		return 0, false
	}
	return time.Duration(n)*day + d, true
}
