package cli

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"shiplog/format/compress"
)

// compressFlag adds the flag that says how old segments are when they are compressed.
func compressFlag(flags *pflag.FlagSet, after *string) {
	textFlag(flags, after, "compress-after", "", "compress sealed segments whose last record is older than this `age`, as 30d, to about an eighth; zstdcat shows them; default never", isAge)
	reloadable(flags, "compress-after")
}

// openCompressor makes ready to compress what is old. The seals and the pruner must be open: without seals nothing is
// compressed, since nothing says what a compressed file must hold.
func (d *daemon) openCompressor() (err error) {
	if d.seals == nil || d.pruner == nil {
		return nil
	}
	after, _ := parseAge(d.capture.compressAfter) // checked when it was set
	d.compressor, err = compress.Open(d.dir, compress.Options{After: after, Sealed: d.seals.Sealed, Hold: d.pruner.Hold, Logger: d.log})
	return err
}

// compressMetrics tell what was compressed.
type compressMetrics struct {
	compressor                        *compress.Compressor
	segments, plain, stored, failures *prometheus.Desc
	failing                           *prometheus.Desc
}

func newCompressMetrics(c *compress.Compressor) *compressMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("shiplog_compression_"+name, help, nil, nil)
	}
	return &compressMetrics{
		compressor: c,
		segments:   desc("segments_total", "Segments compressed."),
		plain:      desc("plain_bytes_total", "Bytes of these segments before."),
		stored:     desc("stored_bytes_total", "Bytes of these segments since."),
		failures:   desc("failures_total", "Times that segments could not be compressed."),
		failing:    desc("failing", "1 while segments cannot be compressed."),
	}
}

// Describe implements prometheus.Collector.
func (m *compressMetrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m *compressMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.compressor.Stats()
	for desc, n := range map[*prometheus.Desc]uint64{m.segments: s.Segments, m.plain: s.Plain, m.stored: s.Stored, m.failures: s.Failures} {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n))
	}
	ch <- prometheus.MustNewConstMetric(m.failing, prometheus.GaugeValue, truth(s.Failing))
}
