package httpd

import (
	"bytes"
	"encoding/binary"
	"time"

	"shiplog/format"
)

// csvHeader is the first line of an export.
const csvHeader = "Date,Level,Category,User,Message\r\n"

// csvWriter renders log records as Container Station's own CSV writer does: CRLF ends a line, and a field is
// quoted if and only if it holds a comma, a quote, CR or LF. (encoding/csv quotes more and rewrites line
// breaks inside fields.)
type csvWriter struct {
	safe   bool // a field that a spreadsheet would run as a formula begins with '
	buf    []byte
	minute int64  // since 1970, of the last line
	text   []byte // how that is written, up to the colon before the seconds; nil: there was no line yet
}

// append adds the line of f to dst.
func (c *csvWriter) append(dst []byte, f *format.Fields) []byte {
	dst = c.time(dst, f.Time)
	switch level := shownLevel(f.Level); level {
	case string(format.LevelInfo):
		dst = append(dst, ",INFO,"...)
	default:
		dst = append(append(append(dst, ','), level...), ',')
	}
	dst = append(c.value(dst, f.Category), ',')
	dst = append(c.value(dst, f.User()), ',')
	if f.Msg.Empty() {
		dst = AppendCSVField(dst, []byte(shownMessage(f)), c.safe)
	} else {
		dst = c.value(dst, f.Msg)
	}
	return append(dst, '\r', '\n')
}

// time appends a time in Unix nanoseconds, cut to microseconds. Most lines are of the same minute as the one before.
func (c *csvWriter) time(dst []byte, at int64) []byte {
	const perMinute = int64(time.Minute)
	minute := at / perMinute
	rest := uint64(at - minute*perMinute)
	if at < minute*perMinute {
		minute, rest = minute-1, rest+uint64(perMinute)
	}
	if c.text == nil || minute != c.minute {
		c.minute, c.text = minute, time.Unix(60*minute, 0).UTC().AppendFormat(c.text[:0], "2006-01-02 15:04:")
	}
	sec, micros := rest/1e9, rest%1e9/1000
	high, low := micros/1000, micros%1000
	return append(append(dst, c.text...), byte('0'+sec/10), byte('0'+sec%10), '.',
		byte('0'+high/100), byte('0'+high/10%10), byte('0'+high%10), byte('0'+low/100), byte('0'+low/10%10), byte('0'+low%10))
}

// value appends v as a field. What stands in a record without escapes is quoted for a comma only: it holds nothing else
// that must be.
func (c *csvWriter) value(dst []byte, v format.Value) []byte {
	if v.Escaped() || c.safe {
		b := v.Bytes(c.buf)
		if v.Escaped() {
			c.buf = b[:0] // keep what grew
		}
		return AppendCSVField(dst, b, c.safe)
	}
	b := v.Raw()
	if bytes.IndexByte(b, ',') < 0 {
		return append(dst, b...)
	}
	return append(append(append(dst, '"'), b...), '"')
}

// quoted tells whether b must be quoted. It looks at eight bytes at a time: taking one away from a byte that is not zero
// sets its highest bit only where that was set before.
func quoted(b []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		c, q, r, n := x^(ones*','), x^(ones*'"'), x^(ones*'\r'), x^(ones*'\n')
		if (((c-ones)&^c)|((q-ones)&^q)|((r-ones)&^r)|((n-ones)&^n))&highs != 0 {
			return true
		}
	}
	for _, c := range b[i:] {
		if c == ',' || c == '"' || c == '\r' || c == '\n' {
			return true
		}
	}
	return false
}

// AppendCSVField appends b as a field of a Container Station log export: quoted if and only if it holds a
// comma, a quote, CR or LF. safe puts a ' before what a spreadsheet would run as a formula.
func AppendCSVField(dst, b []byte, safe bool) []byte {
	quote := quoted(b)
	if quote {
		dst = append(dst, '"')
	}
	if safe && len(b) > 0 && bytes.IndexByte([]byte("=+-@\t\r\x00"), b[0]) >= 0 {
		dst = append(dst, '\'')
	}
	if !quote {
		return append(dst, b...)
	}
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return append(append(dst, b...), '"')
		}
		dst = append(append(dst, b[:i+1]...), '"')
		b = b[i+1:]
	}
}
