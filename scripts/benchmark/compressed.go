package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"shiplog/format"
)

// compressed is the group of rows about a log whose sealed segments are all compressed.
const compressed = "compressed"

// compressing is the same log with all of its records in compressed segments: what that costs, and what it makes of
// the answers. It works on a copy, so that what is measured after it has the plain log.
func (b *bench) compressing() error {
	say("shiplog compresses")
	dir := filepath.Join(b.dir, "compressed")
	defer os.RemoveAll(dir)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := cloneData(b.data(), dir); err != nil {
		return err
	}
	if err := run(exec.Command(b.binary(), "seal", "--data", dir)); err != nil {
		return err
	}
	if err := age(dir); err != nil {
		return err
	}
	plain, err := sealed(dir)
	if err != nil {
		return err
	}
	if err := b.indexRest(dir); err != nil {
		return err
	}
	if err := b.compressAll(dir, plain); err != nil {
		return err
	}
	if err := b.packedSizes(dir, plain); err != nil {
		return err
	}
	return b.servePacked(dir)
}

// indexRest has an index made for what was sealed last.
func (b *bench) indexRest(dir string) error {
	s, err := b.start(dir)
	if err != nil {
		return err
	}
	defer s.stop()
	_, err = b.calm(s.pid())
	return err
}

// compressAll lets a running shiplog compress all sealed segments, and measures that.
func (b *bench) compressAll(dir string, all []string) error {
	s, err := b.start(dir, "--docker", "none", "--compress-after", "1h")
	if err != nil {
		return err
	}
	defer s.stop()
	peak := watch(s.pid())
	if err := b.allCompressed(s, all); err != nil {
		return err
	}
	b.report.set(compressed, "compressing, CPU per million", "s", shiplog, &cell{Value: b.perMillion(max(cpu(s.pid())-b.startCost, 0)),
		Note: "with the reading back, before the plain file goes"})
	b.report.set(compressed, "peak while compressing", "MB anon", shiplog, &cell{Value: mb(peak())})
	return nil
}

// allCompressed waits until there are no plain files any more. A plain file stays beside its compressed one for twenty
// seconds, and goes when shiplog looks at the segments after that, as it does after a reload. Without patience for that
// it is removed here.
func (b *bench) allCompressed(s *server, all []string) error {
	const stay = 21 * time.Second
	began, changed, before := time.Now(), time.Now(), -1
	for ; time.Since(began) < time.Hour; time.Sleep(50 * time.Millisecond) {
		plain, packed, err := countFiles(s.data, all)
		switch {
		case err != nil:
			return err
		case packed == len(all) && plain == 0:
			return nil
		case packed == len(all) && b.patient < 5*time.Second:
			return removePlain(s.data, all)
		case packed-plain != before:
			before, changed = packed-plain, time.Now()
		case time.Since(changed) > stay:
			changed = time.Now()
			if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				return err
			}
		}
	}
	return errors.New("after an hour not all segments are compressed")
}

func removePlain(data string, all []string) (err error) {
	for _, name := range all {
		err = errors.Join(err, os.Remove(filepath.Join(data, "log", name)))
	}
	return err
}

// countFiles tells how many of the segments have a plain and how many have a compressed file.
func countFiles(dir string, all []string) (plain, packed int, err error) {
	for _, name := range all {
		path := filepath.Join(dir, "log", name)
		for suffix, n := range map[string]*int{"": &plain, format.CompressedSuffix: &packed} {
			_, failed := os.Lstat(path + suffix)
			if failed == nil {
				*n++
			} else if !errors.Is(failed, os.ErrNotExist) {
				err = failed
			}
		}
	}
	return plain, packed, err
}

// packedSizes is what is on the disk, whether anybody's tool reads it, and what shiplog verify says.
func (b *bench) packedSizes(dir string, all []string) error {
	log, err := treeSize(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	index, err := treeSize(filepath.Join(dir, "index"))
	if err != nil {
		return err
	}
	c := &cell{Value: float64(log) / float64(b.n)}
	c.Wrong, c.Note = unpacksTo(filepath.Join(dir, "log", all[0]+format.CompressedSuffix), filepath.Join(b.data(), "log", all[0]))
	b.report.set(compressed, "log, compressed", "bytes/record", shiplog, c)
	b.report.set(compressed, "all on disk, compressed", "bytes/record", shiplog, &cell{Value: float64(log+index) / float64(b.n)}).atMost(100)
	used, err := timed(exec.Command(b.binary(), "verify", "--data", dir))
	c = &cell{Value: b.perMillion(used.cpu)}
	if err != nil {
		c.Wrong = err.Error()
	}
	b.report.set(compressed, "verify, CPU per million", "s", shiplog, c)
	return nil
}

// unpacksTo has zstdcat unpack a segment, and compares that with the plain one.
func unpacksTo(file, plain string) (wrong, note string) {
	if _, err := exec.LookPath("zstdcat"); err != nil {
		return "", "zstdcat is not installed, so nobody but shiplog has read it"
	}
	cat := exec.Command("zstdcat", file)
	out, err := cat.StdoutPipe()
	if err == nil {
		err = cat.Start()
	}
	if err != nil {
		return err.Error(), ""
	}
	got, err := hashOf(out)
	if err := errors.Join(err, cat.Wait()); err != nil {
		return "zstdcat: " + err.Error(), ""
	}
	f, err := os.Open(plain)
	if err != nil {
		return err.Error(), ""
	}
	defer f.Close()
	want, err := hashOf(f)
	if err != nil {
		return err.Error(), ""
	}
	if got != want {
		return fmt.Sprintf("zstdcat gives bytes with the SHA-256 %s, the plain segment has %s", got, want), ""
	}
	return "", ""
}

func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return fmt.Sprintf("%x", h.Sum(nil)), err
}

// servePacked asks what has to read lines, and one thing that has not.
func (b *bench) servePacked(dir string) error {
	s, err := b.start(dir)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := b.calm(s.pid()); err != nil {
		return err
	}
	peak := watch(s.pid())
	for _, q := range b.questions() {
		if !slices.Contains([]string{latest, rare, hundred, phrase, common, deep}, q.id) {
			continue
		}
		path, rows := b.shiplogProbe(q.id)
		q = question{id: q.id, name: q.name + ", compressed", group: compressed}
		if err := b.ask(q, shiplog, probe{rows: rows, fetch: func() ([]byte, time.Duration, error) { return get(s.client, s.url+path) }}); err != nil {
			return err
		}
	}
	_, took, err := drain(s.client, s.url+api+"/log/export")
	if err != nil {
		return err
	}
	b.report.set(compressed, exportName+", compressed", "records/s", shiplog, &cell{Value: float64(b.n) / took.Seconds()})
	b.report.set(compressed, "peak while answering, compressed", "MB anon", shiplog, &cell{Value: mb(peak())})
	return nil
}
