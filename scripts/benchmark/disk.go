package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// measureDisk is what the disk and the kernel take for the same: write and fdatasync of lines of a record's length,
// as many at a time as clients would wait for.
func (b *bench) measureDisk() error {
	line := make([]byte, max(1, int(b.report.Bytes)/b.n))
	for i := range line {
		line[i] = 'x'
	}
	for _, at := range clientCounts {
		if err := b.syncs(line, at); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) syncs(line []byte, together int) error {
	f, err := os.Create(filepath.Join(b.dir, "synced"))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var batch []byte
	for range together {
		batch = append(batch, line...)
	}
	var took []float64
	began, used := time.Now(), self()
	for time.Since(began) < b.spell() {
		sent := time.Now()
		if _, err := f.Write(batch); err != nil {
			return err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		took = append(took, ms(time.Since(sent)))
	}
	n := float64(len(took) * together)
	name := fmt.Sprintf("%s, %d clients", overHTTP, together)
	if together == 1 {
		name = overHTTP + ", 1 client"
	}
	b.report.set("writing", name, "records/s", bare, &cell{Value: n / time.Since(began).Seconds()})
	b.report.set("writing", name+", latency", "ms", bare, &cell{Value: at(took, 50), P99: at(took, 99), Runs: len(took)})
	b.report.set("writing", name+", CPU", "us/record", bare, &cell{Value: (self() - used).Seconds() * 1e6 / n})
	return nil
}
