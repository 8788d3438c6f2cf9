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
	s.Failing = d.failing()
	return s
}

// failing names what is tried again and again without success, although records are written.
func (d *daemon) failing() (all []string) {
	if d.seals != nil && d.seals.Stats().Failing {
		all = append(all, "what is written cannot be sealed, so later changes would not be seen; the log of shiplog says why")
	}
	if d.pruner != nil {
		s := d.pruner.Stats()
		if s.Failing {
			all = append(all, "old records cannot be removed: "+s.Reason)
		}
		if s.Short {
			all = append(all, "less of the disk is free than --keep-free says, and nothing more may be removed now")
		}
		if s.Doubt != "" {
			all = append(all, "nothing is removed for its age, because the clock looks wrong: "+s.Doubt)
		}
	}
	if d.compressor != nil {
		if s := d.compressor.Stats(); s.Failing {
			all = append(all, "segments cannot be compressed: "+s.Reason)
		}
	}
	return all
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
