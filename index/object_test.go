package index

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"shiplog/format"
)

// TestObjectsArePackedAndExact writes ids of all kinds and reads them back.
func TestObjectsArePackedAndExact(t *testing.T) {
	hex64 := strings.Repeat("0123456789abcdef", 4)
	for _, row := range []struct {
		name, id string
		size     int // of its part
	}{
		{"no id", "", 1},
		{"the id of a container", hex64, 33},
		{"a digest of 40 digits", hex64[:40], 21},
		{"the fewest digits that are packed", hex64[:16], 9},
		{"fewer digits", hex64[:8], 9},
		{"digits that are no multiple of eight", hex64[:12], 13},
		{"an odd number of digits", hex64[:63], 64},
		{"upper-case digits", strings.ToUpper(hex64), 66},
		{"a name as long as an id", strings.Repeat("web-", 16), 66},
		{"more digits than one byte can count", hex64 + hex64, 66},
		{"bytes above 127", strings.Repeat("é", 16), 33},
	} {
		line := fmt.Appendf(nil, `{"seq":1,"obj":{"id":%q,"name":"cafe","image":%q,"tag":"16"}}`, row.id, row.id)
		var f format.Fields
		if err := format.ScanLine(line, &f); err != nil {
			t.Fatal(err)
		}
		v := appendObject(nil, &f)
		o, _ := splitObject(v, nil)
		if string(o.id) != row.id || string(o.name) != "cafe" || string(o.image) != row.id || string(o.tag) != "16" {
			t.Errorf("%s: splitObject(%q) = %q, want it as it was", row.name, v, o)
		}
		if want := 2*row.size + 5 + 3; len(v) != want {
			t.Errorf("%s: the value has %d bytes, want %d", row.name, len(v), want)
		}
	}
}

// TestOnlyLowerCaseDigitsArePacked puts each byte at each place of sixteen digits.
func TestOnlyLowerCaseDigitsArePacked(t *testing.T) {
	for at := range 16 {
		for c := range 256 {
			digits := []byte("0123456789abcdef")
			digits[at] = byte(c)
			want := strings.IndexByte("0123456789abcdef", byte(c)) >= 0
			packed, got := appendPacked(nil, digits)
			if got != want {
				t.Errorf("appendPacked(%q) = %t, want %t", digits, got, want)
			}
			if got && (fmt.Sprintf("%x", packed) != string(digits) || string(appendDigits(nil, packed)) != string(digits)) {
				t.Errorf("appendPacked(%q) = %x, and back %q", digits, packed, appendDigits(nil, packed))
			}
		}
	}
}

// TestUnpackedDigitsStay unpacks more than a chunk holds: what was handed out before is not written over.
func TestUnpackedDigitsStay(t *testing.T) {
	var ids [][]byte
	var digits []byte
	var o object
	for i := range 3 * digitsChunk / 64 {
		o, digits = splitObject(appendPart(nil, []byte(objectID(2*i))), digits)
		ids = append(ids, o.id)
	}
	for i, id := range ids {
		if string(id) != objectID(2*i) {
			t.Fatalf("id %d is %q, want %q", i, id, objectID(2*i))
		}
	}
}

// Whatever an object is called, it is read as it was written, and found by the needle of it.
func FuzzObject(f *testing.F) {
	f.Add([]byte("68a6eb33c3d568a6eb33c3d5"), []byte("web-1"), uint(12))
	f.Add([]byte("68a6eb33c3d568a6eb33c3d5a"), []byte("0123456789abcdef"), uint(25))
	f.Add([]byte(""), bytes.Repeat([]byte("a"), 300), uint(0))
	f.Fuzz(func(t *testing.T, id, name []byte, size uint) {
		v := appendPart(appendPart(nil, id), name)
		o, _ := splitObject(v, nil)
		if !bytes.Equal(o.id, id) || !bytes.Equal(o.name, name) {
			t.Errorf("splitObject(%q) = %q and %q, want %q and %q", v, o.id, o.name, id, name)
		}
		for _, q := range []Query{{ObjID: string(id)}, {ObjName: string(name)}, {ObjID: string(id[:min(size, uint(len(id)))])}} {
			if q.ObjID == "" && q.ObjName == "" || q.ObjID != "" && !q.isID(string(id)) {
				continue
			}
			found := false
			for _, needle := range q.needles() {
				found = found || bytes.Contains(v, needle)
			}
			if !found {
				t.Errorf("needles(%q, %q) = %q, of which %q holds none", q.ObjID, q.ObjName, q.needles(), v)
			}
		}
	})
}
