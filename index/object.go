package index

import (
	"encoding/binary"
	"encoding/hex"

	"shiplog/format"
)

// object is what a record acts on.
type object struct{ id, name, image, tag []byte }

// appendObject is the dictionary value of what a record acts on: id, name, image and tag, see appendPart.
func appendObject(dst []byte, f *format.Fields) []byte {
	for _, v := range [...]*format.Value{&f.ObjID, &f.ObjName, &f.ObjImage, &f.ObjTag} {
		b := v.Raw()
		if v.Escaped() {
			b = v.Append(nil)
		}
		dst = appendPart(dst, b)
	}
	return dst
}

// appendPart appends what stands for part: its length, and it. Engines name things by 64 hex digits, which are most of
// what columns take beside the times: digits are packed, two in a byte. The lowest bit of the length says so. There is one way
// only to write a part, so that what is equal can be looked for by its bytes.
func appendPart(dst, part []byte) []byte {
	if len(part) >= minDigits && len(part)%8 == 0 {
		if packed, ok := appendPacked(binary.AppendUvarint(dst, uint64(len(part)|1)), part); ok {
			return packed
		}
	}
	if len(part) < 0x40 {
		return append(append(dst, byte(len(part)<<1)), part...)
	}
	return append(binary.AppendUvarint(dst, uint64(len(part))<<1), part...)
}

// minDigits is how many digits are packed at least. They are packed by eights: what an engine makes is longer, and a
// multiple of it.
const minDigits = 16

// appendPacked appends lower-case hex digits, a multiple of eight of them, as bytes; false: there are others.
// It takes eight at a time, because each line that is appended goes through here: a table takes thrice as long.
func appendPacked(dst, digits []byte) ([]byte, bool) {
	const each = 0x0101010101010101
	for ; len(digits) >= 8; digits = digits[8:] {
		x := binary.LittleEndian.Uint64(digits)
		letter := x >> 6 & each
		v := x&(0x0f*each) + letter*9
		// The upper half is 3 of a digit and 6 of a letter; no value is above 15, and those of letters alone above 9.
		if x&(0xf0*each) != 0x30*each+letter*0x30 || v&(0xf0*each) != 0 || (v+6*each)>>4&each != letter {
			return dst, false
		}
		v = (v<<4 | v>>8) & 0x00ff00ff00ff00ff
		v = (v | v>>8) & 0x0000ffff0000ffff
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v|v>>16))
	}
	return dst, true
}

// appendDigits appends what appendPacked packed: a condition of the asker's own unpacks each value of a dictionary.
func appendDigits(dst, packed []byte) []byte {
	const each = 0x0101010101010101
	for ; len(packed) >= 4; packed = packed[4:] {
		v := uint64(binary.LittleEndian.Uint32(packed))
		v = (v | v<<16) & 0x0000ffff0000ffff
		v = (v | v<<8) & 0x00ff00ff00ff00ff
		v = (v>>4 | v<<8) & (0x0f * each)
		letter := (v + 6*each) >> 4 & each
		dst = binary.LittleEndian.AppendUint64(dst, v+0x30*each+letter*('a'-'0'-10))
	}
	return hex.AppendEncode(dst, packed) // of a file that is damaged
}

// digitsChunk is how many bytes are taken at once for digits to be unpacked to.
const digitsChunk = 4096

// splitObject takes a dictionary value apart; parts of a value that is not whole are nil. Digits are unpacked behind
// those in digits, or to a new chunk when they do not fit: it returns the one to go on with.
func splitObject(v, digits []byte) (object, []byte) {
	var parts [4][]byte
	for i := range parts {
		n, w := uint64(0), 0
		if len(v) > 0 && v[0] < 0x80 { // nearly every one
			n, w = uint64(v[0]), 1
		} else {
			n, w = binary.Uvarint(v)
		}
		size := n >> 1 // as stored; a packed length is that of the digits, with the flag in place of its lowest bit
		if w <= 0 || size > uint64(len(v)-w) {
			break
		}
		parts[i], v = v[w:w+int(size)], v[w+int(size):]
		if n&1 == 0 {
			continue
		}
		from := len(digits)
		if cap(digits)-from < 2*int(size) {
			from, digits = 0, make([]byte, 0, max(digitsChunk, 2*int(size)))
		}
		digits = appendDigits(digits, parts[i])
		parts[i] = digits[from:]
	}
	return object{parts[0], parts[1], parts[2], parts[3]}, digits
}

// needles are the bytes of which a dictionary value holds one, if it has the id, the name and the image of q, one of
// which q asks for: those of the longest of them.
func (q *Query) needles() [][]byte {
	part := q.ObjName
	if len(q.Image) > len(part) {
		part = q.Image
	}
	if len(q.ObjID) <= len(part) || !isIDPrefix(q.ObjID) {
		if len(q.ObjID) > len(part) {
			part = q.ObjID
		}
		return [][]byte{appendPart(nil, []byte(part))}
	}
	packed, err := hex.DecodeString(q.ObjID[:len(q.ObjID)&^1])
	if err != nil {
		return [][]byte{nil} // every value
	}
	return [][]byte{[]byte(q.ObjID), packed}
}
