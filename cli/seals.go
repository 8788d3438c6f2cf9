package cli

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shiplog/format/seal"
)

// warnings is the logger of commands that end by themselves.
func (p *Program) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(p.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// openSeals makes ready to seal what the writer writes.
func (d *daemon) openSeals() (err error) {
	d.seals, err = seal.Open(d.dir, d.writer, seal.Options{Host: hostname(), Logger: d.log})
	return err
}

// keyNote tells the key of a log whose sealing has just begun; empty when it was told before.
func keyNote(k *seal.Keeper) string {
	key := k.NewKey()
	if key == "" {
		return ""
	}
	return fmt.Sprintf("key of this log: %s (note it down outside of this machine; shiplog verify --key proves with it that the log is what was written)", key)
}

// closeSeals signs what was written last. Where that fails it is no reason to call the whole stop failed.
func (d *daemon) closeSeals() error {
	if err := d.seals.Close(); err != nil {
		d.log.Warn("what was written last is not signed; the next start does it", "err", err)
	}
	return nil
}

// checkpointText returns the checkpoint of the log for whoever wants to keep it elsewhere.
func (d *daemon) checkpointText() ([]byte, error) {
	c, err := seal.ReadCheckpoint(d.dir)
	if err != nil {
		return nil, err
	}
	return c.Text(), nil
}

// sealedReport is what status tells of the checkpoint; nobody has checked it.
type sealedReport struct {
	Size int64     `json:"size"` // lines of SEALS.jsonl
	At   string    `json:"at"`   // size and root, as verify --at takes them
	Time time.Time `json:"time"` // of the signature
	Key  string    `json:"key"`  // as verify --key takes it
}

func newSealedReport(dir string) *sealedReport {
	c, err := seal.ReadCheckpoint(dir)
	if err != nil {
		return nil
	}
	return &sealedReport{Size: c.Size, At: c.At(), Time: c.Time, Key: c.Key}
}

// checkpointMetrics tells of the checkpoint that is on disk, whichever process signs it: what was scraped
// is a witness that the log was that long.
type checkpointMetrics struct {
	dir                string
	size, root, signed *prometheus.Desc
}

func newCheckpointMetrics(dir string) *checkpointMetrics {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc("shiplog_"+name, help, nil, nil) }
	return &checkpointMetrics{
		dir:    dir,
		size:   desc("checkpoint_size", "Lines of SEALS.jsonl that the checkpoint is signed over. It never falls, unless the log was cut."),
		root:   desc("checkpoint_root_prefix", "First 48 bits of the root in the checkpoint, as a number."),
		signed: desc("checkpoint_timestamp_seconds", "When the checkpoint was signed."),
	}
}

// Describe implements prometheus.Collector.
func (m *checkpointMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.size
	ch <- m.root
	ch <- m.signed
}

// Collect implements prometheus.Collector. A log that is not sealed has no such metrics.
func (m *checkpointMetrics) Collect(ch chan<- prometheus.Metric) {
	c, err := seal.ReadCheckpoint(m.dir)
	if err != nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(m.size, prometheus.GaugeValue, float64(c.Size))
	ch <- prometheus.MustNewConstMetric(m.root, prometheus.GaugeValue, float64(c.RootPrefix()))
	ch <- prometheus.MustNewConstMetric(m.signed, prometheus.GaugeValue, float64(c.Time.UnixNano())/1e9)
}

// newSealMetrics tells whether sealing works.
func newSealMetrics(k *seal.Keeper) prometheus.Collector {
	o := prometheus.GaugeOpts{Name: "shiplog_seal_failing", Help: "1 while what is written cannot be sealed and signed."}
	return prometheus.NewGaugeFunc(o, func() float64 { return truth(k.Stats().Failing) })
}
