package cli

import (
	"os"

	"shiplog/agent"
	"shiplog/format"
)

// status tells those who ask over the socket how this process is. The writer must be open.
func (d *daemon) status() agent.Status {
	version, _ := buildVersion()
	w := d.writer.Stats()
	s := agent.Status{Version: version, PID: os.Getpid(), Started: d.began.UTC(), URL: d.url, Engines: []agent.EngineStatus{},
		Writer: agent.WriterStatus{State: w.State, Reason: w.Reason, LastSeq: w.LastSeq, DurableSeq: w.DurableSeq}}
	if d.agent != nil {
		s.Engines = append(s.Engines, d.agent.Engines()...)
	}
	if free, err := format.FreeSpace(d.dir); err == nil {
		s.Free = &free
	}
	s.Writer.Segments, s.Writer.Bytes = sizeOf(d.dir)
	return s
}

// sizeOf tells how many segments the log in dir has, and their bytes; 0 when it cannot be read.
func sizeOf(dir string) (segments int, bytes int64) {
	log, err := format.OpenLog(dir)
	if err != nil {
		return 0, 0
	}
	segs, err := log.Segments()
	if err != nil {
		return 0, 0
	}
	for _, s := range segs {
		bytes += s.Size
	}
	return len(segs), bytes
}
