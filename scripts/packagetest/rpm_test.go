package packagetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Tags of an rpm's header, and flags of its files.
const (
	tagName, tagVersion, tagRelease, tagArch     = 1000, 1001, 1002, 1022
	tagPostIn, tagPreUn, tagPostUn               = 1024, 1025, 1026
	tagSizes, tagModes, tagFlags                 = 1028, 1030, 1037
	tagUser, tagGroup, tagRequires, tagBuildHost = 1039, 1040, 1049, 1007
	tagDirIndex, tagBaseName, tagDirName         = 1116, 1117, 1118

	flagConfig, flagNoReplace = 1, 16
)

var errShort = errors.New("the rpm is cut short")

// rpmHeader is the values of one header, by tag: numbers or texts.
type rpmHeader struct {
	numbers map[int][]int
	texts   map[int][]string
}

// rpm reads the header, which tells everything but the bytes of the files.
func (p *pkg) rpm(b []byte) error {
	if len(b) < 96 {
		return errShort
	}
	_, n, err := readHeader(b[96:])
	if err != nil {
		return err
	}
	h, _, err := readHeader(b[96+(n+7)/8*8:])
	if err != nil {
		return err
	}
	for i, base := range h.texts[tagBaseName] {
		if h.texts[tagUser][i] != "root" || h.texts[tagGroup][i] != "root" {
			return fmt.Errorf("%s does not belong to root", base)
		}
		name, mode := h.texts[tagDirName][h.numbers[tagDirIndex][i]]+base, h.numbers[tagModes][i]
		if mode&0o170000 != 0o100000 {
			p.folders = append(p.folders, name)
			continue
		}
		p.files[name] = file{
			mode:   fs.FileMode(mode & 0o7777),
			config: h.numbers[tagFlags][i]&flagConfig != 0 && h.numbers[tagFlags][i]&flagNoReplace != 0,
		}
	}
	for tag, name := range map[int]string{tagPostIn: "post", tagPreUn: "preun", tagPostUn: "postun"} {
		p.scripts[name] = strings.Join(h.texts[tag], "")
	}
	p.meta = fmt.Sprintf("name: %s\nversion: %s\narch: %s\nbuildhost: %s\nrequires: %s\n", h.texts[tagName], h.texts[tagVersion],
		h.texts[tagArch], h.texts[tagBuildHost], h.texts[tagRequires])
	return nil
}

// readHeader reads one header structure and returns its length.
func readHeader(b []byte) (rpmHeader, int, error) {
	h := rpmHeader{map[int][]int{}, map[int][]string{}}
	if len(b) < 16 || !bytes.HasPrefix(b, []byte{0x8e, 0xad, 0xe8}) {
		return h, 0, errors.New("this is no header of an rpm")
	}
	entries, size := int(binary.BigEndian.Uint32(b[8:])), int(binary.BigEndian.Uint32(b[12:]))
	end := 16 + 16*entries + size
	if end > len(b) {
		return h, 0, errShort
	}
	store := b[16+16*entries : end]
	for i := range entries {
		entry := b[16+16*i:]
		at := func(n int) int { return int(binary.BigEndian.Uint32(entry[4*n:])) }
		if at(2) > len(store) {
			return h, 0, errShort
		}
		h.value(at(0), at(1), at(3), store[at(2):])
	}
	return h, end, nil
}

// value keeps the count values of a tag that begin at b. Kinds: 3 is 16 bits, 4 is 32, 6, 8 and 9 are texts.
func (h rpmHeader) value(tag, kind, count int, b []byte) {
	switch kind {
	case 3:
		for i := range min(count, len(b)/2) {
			h.numbers[tag] = append(h.numbers[tag], int(binary.BigEndian.Uint16(b[2*i:])))
		}
	case 4:
		for i := range min(count, len(b)/4) {
			h.numbers[tag] = append(h.numbers[tag], int(binary.BigEndian.Uint32(b[4*i:])))
		}
	case 6, 8, 9:
		for range count {
			text, rest, _ := bytes.Cut(b, []byte{0})
			h.texts[tag] = append(h.texts[tag], string(text))
			b = rest
		}
	}
}
