package format

import (
	"math"
	"time"
)

// appendTime appends t as RFC 3339 in UTC, the zeros at the end of the fraction left out. Years that do not
// fit four digits become the nearest that do. It is what AppendFormat does, in a third of the time.
func appendTime(dst []byte, t time.Time) []byte {
	sec, nsec := t.Unix(), t.Nanosecond()
	switch {
	case sec < minYear0:
		sec, nsec = minYear0, 0
	case sec > maxYear9999:
		sec, nsec = maxYear9999, 999999999
	}
	days := (sec - minYear0) / 86400
	clock := (sec - minYear0) % 86400
	year, month, day := dateOf(days)
	dst = append(appendTwo(appendTwo(dst, year/100), year%100), '-')
	dst = append(appendTwo(dst, month), '-')
	dst = append(appendTwo(dst, day), 'T')
	dst = append(appendTwo(dst, clock/3600), ':')
	dst = append(appendTwo(dst, clock/60%60), ':')
	dst = appendTwo(dst, clock%60)
	if nsec != 0 {
		var digits [10]byte
		n := 10
		for i := 9; i > 0; i-- {
			digits[i] = byte('0' + nsec%10)
			if nsec /= 10; n == i+1 && digits[i] == '0' {
				n = i
			}
		}
		digits[0] = '.'
		dst = append(dst, digits[:n]...)
	}
	return append(dst, 'Z')
}

// The first and the last second of four-digit years, from 1970.
const (
	minYear0    = -62167219200
	maxYear9999 = 253402300799
)

func appendTwo(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// dateOf is the date of a day counted from the first of the year 0. It counts in years that begin in March, so
// that the leap day is the last of its year, and in stretches of 400 years, which are all of the same length.
func dateOf(days int64) (year, month, day int64) {
	days += 146097 - 60 // from the March before, of the year -400
	era, of := days/146097, days%146097
	y := (of - of/1460 + of/36524 - of/146096) / 365
	of -= 365*y + y/4 - y/100
	m := (5*of + 2) / 153 // from March
	year, month, day = 400*era+y-400, m+3, of-(153*m+2)/5+1
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

// instant is a point in time as whole seconds and nanoseconds since 1970.
type instant struct {
	sec  int64
	nsec int32
}

func (t instant) time() time.Time { return time.Unix(t.sec, int64(t.nsec)).UTC() }

// unixNano is clamped to what an int64 holds: about the years 1678 to 2261.
func (t instant) unixNano() int64 {
	switch {
	case t.sec < math.MinInt64/int64(1e9):
		return math.MinInt64
	case t.sec >= math.MaxInt64/int64(1e9):
		return math.MaxInt64
	}
	return t.sec*1e9 + int64(t.nsec)
}

// parseTime reads an RFC 3339 time. What the writer writes is read without time.Parse, which costs more than
// the rest of a line's scan.
func parseTime(b []byte) (instant, bool) {
	if t, ok := parseUTC(b); ok {
		return t, true
	}
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil || t.UTC().Year() < 0 || t.UTC().Year() > 9999 {
		return instant{}, false
	}
	return instant{t.Unix(), int32(t.Nanosecond())}, true
}

// parseUTC reads 2006-01-02T15:04:05Z with a fraction of up to nine digits.
func parseUTC(b []byte) (instant, bool) {
	n := len(b) - 1
	if n < 19 || n > 29 || b[n] != 'Z' || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return instant{}, false
	}
	bad := false
	two := func(i int) int64 {
		hi, lo := b[i]-'0', b[i+1]-'0'
		bad = bad || hi > 9 || lo > 9
		return int64(hi)*10 + int64(lo)
	}
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, sec := two(11), two(14), two(17)
	if bad || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || sec > 59 {
		return instant{}, false
	}
	var nsec int32
	if n > 19 {
		if n == 20 || b[19] != '.' {
			return instant{}, false
		}
		scale := int32(1e8)
		for _, c := range b[20:n] {
			if !isDigit(c) {
				return instant{}, false
			}
			nsec += int32(c-'0') * scale
			scale /= 10
		}
	}
	return instant{daysSince1970(year, month, day)*86400 + hour*3600 + minute*60 + sec, nsec}, true
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts in years that begin in March, so that the leap day is the last of its year.
func daysSince1970(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	if year < 0 { // January and February of the year 0
		year += 400
		return daysFrom(year, month, day) - 146097
	}
	return daysFrom(year, month, day)
}

func daysFrom(year, month, day int64) int64 {
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719468
}
