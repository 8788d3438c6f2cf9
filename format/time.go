package format

import (
	"encoding/binary"
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
	if n < 19 || n > 29 || n == 20 || b[n] != 'Z' || b[10] != 'T' {
		return instant{}, false
	}
	date, ok1 := pairs(b, dateZeros, dateSpare)
	clock, ok2 := pairs(b[11:], clockZeros, clockSpare)
	d1, d2 := b[8]-'0', b[9]-'0'
	year, month, day := int64(date&0xff)*100+int64(date>>16&0xff), int64(date>>40&0xff), int64(d1)*10+int64(d2)
	hour, minute, sec := int64(clock&0xff), int64(clock>>24&0xff), int64(clock>>48&0xff)
	if !ok1 || !ok2 || d1 > 9 || d2 > 9 || month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) ||
		hour > 23 || minute > 59 || sec > 59 {
		return instant{}, false
	}
	t := instant{sec: daysSince1970(year, month, day)*86400 + hour*3600 + minute*60 + sec}
	if n == 19 {
		return t, true
	}
	t.nsec, ok1 = nanosOf(b[20:n])
	return t, ok1 && b[19] == '.'
}

// Eight bytes of a time, the first lowest: with zeros for its digits, and what each byte may be more than that,
// taken away from 0x7f.
const (
	dateZeros  = '0' | '0'<<8 | '0'<<16 | '0'<<24 | '-'<<32 | '0'<<40 | '0'<<48 | '-'<<56
	dateSpare  = 0x7f76767f76767676
	clockZeros = '0' | '0'<<8 | ':'<<16 | '0'<<24 | '0'<<32 | ':'<<40 | '0'<<48 | '0'<<56
	clockSpare = 0x76767f76767f7676
)

// pairs reads the first eight bytes of b, which are to differ from zeros in digits only: each byte of p is the number
// of two digits that begins there.
func pairs(b []byte, zeros, spare uint64) (p uint64, ok bool) {
	x := binary.LittleEndian.Uint64(b) ^ zeros
	return x*10 + x>>8, (x+spare|x)&highs == 0
}

// nanosOf reads the digits of a fraction of a second, nine at the most.
func nanosOf(b []byte) (int32, bool) {
	var n int32
	scale := int32(1e9)
	if len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b) ^ ones*'0'
		if (x+ones*(0x80-10)|x)&highs != 0 {
			return 0, false
		}
		x = x*10 + x>>8 // numbers of two digits in every other byte, then of four, then of eight
		x = (x&0x00ff00ff00ff00ff)*100 + x>>16&0x00ff00ff00ff00ff
		x = (x&0xffff)*10000 + x>>32&0xffff
		n, scale, b = int32(x)*10, 10, b[8:]
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		scale /= 10
		n += int32(c-'0') * scale
	}
	return n, true
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
