package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// pruning is the retention of half of the log by a running shiplog, and how long until the space is free.
func (b *bench) pruning() error {
	s, err := b.ready()
	if err != nil {
		return err
	}
	defer s.stop()
	log := filepath.Join(b.data(), "log")
	before, err := treeSize(log)
	if err != nil {
		return err
	}
	began, used := time.Now(), cpu(s.pid())
	if err := run(exec.Command(b.binary(), "prune", "--data", b.data(), "--keep-bytes", fmt.Sprint(before/2))); err != nil {
		return err
	}
	took := time.Since(began)
	left, err := treeSize(log)
	if err != nil {
		return err
	}
	gone := float64(before-left) / 1e9
	c := &cell{Value: ms(took), Note: fmt.Sprintf("%.0f MB of %.0f MB went, %.0f ms of CPU in the server", gone*1e3, mb(before), ms(cpu(s.pid())-used))}
	b.report.set("answers", pruneName, "ms", shiplog, c).target("<= 2 s for a GB, and 0.5 s", func(f *figure) (bool, bool) {
		return f.Cells[shiplog].Value <= 500+2000*gone, gone > 0
	})
	if _, err := b.calm(s.pid()); err != nil {
		return err
	}
	_, _, err = get(s.client, s.url+api+"/log?limit=20")
	return err
}
