package index

import (
	"fmt"
	"math"
)

// offGroup is how many rows share a place that theirs are counted from in a file: at two bytes each, their lines may
// have 2 KiB on average. Larger groups would save less than a tenth of a byte a row.
const offGroup = 32

// offset is the byte at which the line of row i begins.
func (c *columns) offset(i int) int64 {
	if c.offNear != nil {
		return int64(c.offBase[i/offGroup]) + int64(c.offNear[i])
	}
	o := int64(c.offLow[i])
	if c.offTop != nil {
		o |= int64(c.offTop[i]) << 32
	}
	return o
}

// nearOffsets are the offsets as they stand in a file: where each group begins, and how far behind that the rows do.
// nil: a line lies too far off, or before the first of its group, and all stay as they are.
func (c *columns) nearOffsets() (base []uint32, near []uint16) {
	if c.end > math.MaxUint32 {
		return nil, nil
	}
	base, near = make([]uint32, 0, offGroups(c.rows)), make([]uint16, 0, c.rows)
	from := int64(0)
	for i := range c.rows {
		at := c.offset(i)
		if i%offGroup == 0 {
			from = at
			base = append(base, uint32(at))
		}
		if at < from || at-from > math.MaxUint16 {
			return nil, nil
		}
		near = append(near, uint16(at-from))
	}
	return base, near
}

func offGroups(rows int) int { return (rows + offGroup - 1) / offGroup }

// offsets takes over the sections of the offsets, in whichever of the two forms they are there.
func (d *decoder) offsets(c *columns, s [][]byte) {
	if len(s[colOffNear]) == 0 {
		c.offLow, c.offTop = column[uint32](d, s[colOffLow], false), column[uint8](d, s[colOffTop], true)
		return
	}
	c.offNear = column[uint16](d, s[colOffNear], false)
	groups := decoder{rows: offGroups(d.rows)}
	if c.offBase = column[uint32](&groups, s[colOffBase], false); groups.err != nil && d.err == nil {
		d.err = fmt.Errorf("places of lines: %w", groups.err)
	}
}
