package seal

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// box is a data directory with a writer and a keeper.
type box struct {
	t    testing.TB
	dir  string
	w    *format.Writer
	k    *Keeper
	n    int // records written
	logs bytes.Buffer
}

// openBox opens a data directory as the program does.
func openBox(t testing.TB, dir string, o Options) *box {
	t.Helper()
	b := &box{t: t, dir: dir}
	var err error
	if b.w, err = format.Open(dir, format.Options{KeepFree: -1}); err != nil {
		t.Fatal(err)
	}
	if o.Host == "" {
		o.Host = "nas"
	}
	o.Logger = slog.New(slog.NewTextHandler(&b.logs, nil))
	if b.k, err = Open(dir, b.w, o); err != nil {
		t.Fatal(err)
	}
	return b
}

// write appends n records.
func (b *box) write(n int) {
	b.t.Helper()
	recs := make([]*format.Record, n)
	for i := range recs {
		b.n++
		recs[i] = &format.Record{Stream: format.StreamLog, Category: "system", Msg: fmt.Sprintf("record %d", b.n)}
	}
	if err := b.w.Append(b.t.Context(), recs...); err != nil {
		b.t.Fatal(err)
	}
}

// seal closes the active segment.
func (b *box) seal() {
	b.t.Helper()
	if ok, err := b.w.Seal(); err != nil || !ok {
		b.t.Fatalf("Seal = %v, %v", ok, err)
	}
	if _, err := b.k.catchUp(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// close stops as the program does.
func (b *box) close() {
	b.t.Helper()
	if err := b.k.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.kill()
}

// kill gives the directory free without a word from the keeper.
func (b *box) kill() {
	b.t.Helper()
	if err := b.w.Close(); err != nil {
		b.t.Fatal(err)
	}
}

// path names a file of the log.
func (b *box) path(name string) string { return filepath.Join(b.dir, "log", name) }

// segment is the name of the i-th segment of a box that filled makes, from 1.
func segment(i int) string { return fmt.Sprintf("%020d.jsonl", (i-1)*3000+1) }

// filled makes a box of three sealed segments of 3,000 records and an active one of 10.
func filled(t testing.TB) *box {
	t.Helper()
	b := openBox(t, t.TempDir(), Options{})
	for range 3 {
		b.write(3000)
		b.seal()
	}
	b.write(10)
	b.close()
	return b
}

// verify verifies a box.
func (b *box) verify(o VerifyOptions) *Report {
	b.t.Helper()
	o.now = true
	r, err := Verify(b.t.Context(), b.dir, o)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// words are those of the findings that are more than a notice.
func words(r *Report) string {
	var all []string
	for _, f := range r.Findings {
		if f.Severity != Notice {
			all = append(all, string(f.Word))
		}
	}
	return strings.Join(all, " ")
}

// wantOK holds that a box is as it was written.
func wantOK(t testing.TB, when string, r *Report) {
	t.Helper()
	if r.Result != ResultOK || len(r.Findings) > 0 {
		t.Fatalf("%s: Verify = %s with %+v, want ok", when, r.Result, r.Findings)
	}
}

func TestVerifyWhatWasWritten(t *testing.T) {
	b := filled(t)
	r := b.verify(VerifyOptions{})
	wantOK(t, "as written", r)
	if r.Segments != 3 || r.Hashed != 3 || r.Records != 9000 || r.Size != 3 || r.Late != 0 || r.Retired != 0 {
		t.Errorf("Verify = %+v, want 3 segments of 9000 records and none late", r)
	}
	if r.Active != segment(4) || r.ActiveBytes == 0 || r.ActiveSigned != r.ActiveBytes {
		t.Errorf("Verify = active %s with %d of %d bytes signed, want all of %s", r.Active, r.ActiveSigned, r.ActiveBytes, segment(4))
	}
	key, err := Key(b.dir)
	if err != nil || key != r.Key || !strings.HasPrefix(key, "shiplog/nas-") {
		t.Errorf("Key = %q, %v, want %q", key, err, r.Key)
	}
	wantOK(t, "with its key", b.verify(VerifyOptions{Key: key}))
	wantOK(t, "fast", b.verify(VerifyOptions{Fast: true}))
	if err := os.RemoveAll(filepath.Join(b.dir, "keys")); err != nil {
		t.Fatal(err)
	}
	wantOK(t, "without private keys", b.verify(VerifyOptions{Key: key}))
	b.dir = filepath.Join(b.dir, "log")
	wantOK(t, "the folder of segments alone", b.verify(VerifyOptions{Key: key}))
}

func TestSealsOnDisk(t *testing.T) {
	b := filled(t)
	text, err := os.ReadFile(b.path(SealsName))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], `{"v":1,"n":1,"seg":"00000000000000000001.jsonl","first":1,"last":3000,"lines":3000,"bytes":`) {
		t.Fatalf("SEALS.jsonl = %s", text)
	}
	blk, err := os.ReadFile(b.path(segment(1) + ".blk"))
	if err != nil || len(blk) != 3*16 {
		t.Errorf(".blk = %d bytes, %v, want 48", len(blk), err)
	}
	fi, err := os.Stat(filepath.Join(b.dir, "keys", "seal-000000.key"))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("key = %v, %v, want mode 0600", fi, err)
	}
	if left, _ := filepath.Glob(b.path("*.new")); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

func TestKeyIsToldOnce(t *testing.T) {
	dir := t.TempDir()
	b := openBox(t, dir, Options{})
	key := b.k.NewKey()
	if !strings.HasPrefix(key, "shiplog/nas-") || len(key) > 100 {
		t.Errorf("NewKey = %q", key)
	}
	b.close()
	b = openBox(t, dir, Options{})
	if again := b.k.NewKey(); again != "" {
		t.Errorf("NewKey of the second start = %q, want none", again)
	}
	if have, err := Key(dir); err != nil || have != key {
		t.Errorf("Key = %q, %v, want %q", have, err, key)
	}
	b.close()
}

func TestEpochs(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o := Options{EpochSeals: 3, Now: func() time.Time { return now }}
	b := openBox(t, t.TempDir(), o)
	key := b.k.NewKey()
	for range 7 { // two epochs end
		b.write(5)
		b.seal()
	}
	now = now.Add(25 * time.Hour)
	b.write(5)
	b.close() // a third ends, by a tail
	if have := keyFiles(t, b.dir); !slices.Equal(have, []string{"seal-000003.key"}) {
		t.Errorf("keys = %q, want that of epoch 3 alone", have)
	}
	r := b.verify(VerifyOptions{Key: key})
	wantOK(t, "after three epochs", r)
	if r.Size != 8 {
		t.Errorf("Size = %d, want 7 seals and a tail", r.Size)
	}
	b = openBox(t, b.dir, o)
	b.write(1)
	b.seal()
	b.close()
	wantOK(t, "after another start", b.verify(VerifyOptions{Key: key}))
}

func keyFiles(t testing.TB, dir string) (names []string) {
	t.Helper()
	ents, err := os.ReadDir(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ents {
		names = append(names, e.Name())
	}
	return names
}

// TestOldDirectory seals what an older program wrote.
func TestOldDirectory(t *testing.T) {
	b := filled(t)
	for _, name := range []string{SealsName, CheckpointName, segment(1) + ".blk", segment(2) + ".blk", segment(3) + ".blk"} {
		if err := os.Remove(b.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "keys")); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(t.Context(), b.dir, VerifyOptions{}); err == nil || !strings.Contains(err.Error(), "not sealed") {
		t.Errorf("Verify of a log without seals = %v", err)
	}
	b = openBox(t, b.dir, Options{})
	b.close()
	r := b.verify(VerifyOptions{})
	wantOK(t, "sealed late", r)
	if r.Late != 3 || r.Segments != 3 || r.Since.IsZero() {
		t.Errorf("Verify = %+v, want 3 segments sealed late", r)
	}
}

// TestStopSignsWhatWaitsForASync writes a record that nobody has synced yet when the keeper stops. Before that it is
// not signed, since a power cut could still take it away.
func TestStopSignsWhatWaitsForASync(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{})
	if err := b.w.Write(&format.Record{Stream: format.StreamLog, Category: "system", Msg: "the last"}); err != nil {
		t.Fatal(err)
	}
	must(t, b.k.CatchUp(t.Context()))
	if r := b.verify(VerifyOptions{}); r.ActiveBytes == 0 || r.ActiveSigned != 0 {
		t.Errorf("%d of %d bytes are signed before they are on disk, want none", r.ActiveSigned, r.ActiveBytes)
	}
	b.close()
	r := b.verify(VerifyOptions{})
	if r.ActiveBytes == 0 || r.ActiveSigned != r.ActiveBytes {
		t.Errorf("%d of %d bytes are signed, want all", r.ActiveSigned, r.ActiveBytes)
	}
}

// Key is the key that the log in dir says it is sealed with.
func Key(dir string) (string, error) {
	c, err := ReadCheckpoint(dir)
	if err != nil {
		return "", err
	}
	return c.Key, nil
}
