package seal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// TestCutEnd cuts the end of a log and puts seals and checkpoint back to what they were then, as who saved them
// earlier can. Only who noted a later checkpoint elsewhere can tell.
func TestCutEnd(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{})
	key := b.k.NewKey()
	b.write(3000)
	b.seal()
	b.write(5)
	if err := b.k.Close(); err != nil {
		t.Fatal(err)
	}
	early := b.copy(t)
	b.write(2995)
	b.seal()
	b.write(7)
	b.close()
	late, err := ReadCheckpoint(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := ReadCheckpoint(early.dir)
	if err != nil {
		t.Fatal(err)
	}
	wantOK(t, "rolled back, without a witness", early.verify(VerifyOptions{Key: key}))
	wantOK(t, "not rolled back, with an earlier witness", b.verify(VerifyOptions{Key: key, At: before}))
	wantOK(t, "not rolled back, with the witness of now", b.verify(VerifyOptions{Key: key, At: late}))
	noted, err := ParseAt(fmt.Sprintf("%d:%s\n", before.Size, before.Root))
	if err != nil {
		t.Fatal(err)
	}
	wantOK(t, "with what was noted as text", b.verify(VerifyOptions{Key: key, At: noted}))
	if r := early.verify(VerifyOptions{Key: key, At: late}); r.Result != ResultDamaged || words(r) != "missing rolled-back" {
		t.Errorf("rolled back, with a witness: %s %q, want rolled-back, and missing what was active then", r.Result, words(r))
	}
	noted.Root[3]++
	if r := b.verify(VerifyOptions{Key: key, At: noted}); words(r) != "rewritten" {
		t.Errorf("another history: %q, want rewritten", words(r))
	}
	// The same number of lines, but the active segment is shorter than it was.
	b.lines(segment(3), func(l []string) []string { return l[:4] })
	cp := *late
	cp.Tail = nil
	if err := cp.sign(loadKey(t, b)); err != nil {
		t.Fatal(err)
	}
	b.put(CheckpointName, cp.text) // as one of before the active segment was signed
	if r := b.verify(VerifyOptions{Key: key}); r.Result != ResultOK {
		t.Errorf("active segment cut, without a witness: %q, want ok: nobody can tell", words(r))
	}
	if r := b.verify(VerifyOptions{Key: key, At: late}); words(r) != "truncated" {
		t.Errorf("active segment cut, with a witness: %q, want truncated", words(r))
	}
}

// loadKey is the present key of a box.
func loadKey(t testing.TB, b *box) interface {
	Name() string
	KeyHash() uint32
	Sign([]byte) ([]byte, error)
} {
	t.Helper()
	k := keys{dir: filepath.Join(b.dir, "keys")}
	have, err := k.load()
	if err != nil || len(have) != 1 {
		t.Fatalf("keys = %v, %v", have, err)
	}
	for _, key := range have {
		return key.signer
	}
	return nil
}

// secret is the private key of a box, as a thief finds it.
func secret(t testing.TB, b *box) string {
	t.Helper()
	names := keyFiles(t, b.dir)
	text, err := os.ReadFile(filepath.Join(b.dir, "keys", names[0]))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestStolenKeys changes the log with a key that was stolen: of the present epoch, and of one that had ended.
func TestStolenKeys(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{EpochSeals: 1000, EpochAge: time.Hour})
	key := b.k.NewKey()
	b.write(3000)
	b.seal()
	old := secret(t, b)
	b.k.o.EpochSeals = 1
	b.write(3000)
	b.seal() // the epoch ends
	b.k.o.EpochSeals = 1000
	b.write(1500)
	b.k.o.EpochAge = 1
	must(t, b.k.CatchUp(t.Context())) // another one ends, in the middle of a segment
	b.k.o.EpochAge = time.Hour
	b.write(1500)
	b.seal()
	b.write(3)
	b.close()
	wantOK(t, "as written", b.verify(VerifyOptions{Key: key}))

	for _, row := range []struct {
		name  string
		do    func(b *box)
		words string
	}{
		{"a line of the new epoch, signed with the old key", func(b *box) { editIn(b, 3); resign(b, 3, old) }, "rewritten old-key old-key"},
		{"a line of the old epoch, signed with the old key", func(b *box) {
			now := b.read(CheckpointName)
			editIn(b, 1)
			resignOld(b, old)
			b.put(CheckpointName, now)
		}, "seal-edited"},
		{"a line of the old epoch, all signed with the present key", func(b *box) { editIn(b, 2); resign(b, 2, secret(b.t, b)) }, "foreign-key"},
		{"the checkpoint, signed with the old key", func(b *box) {
			cp, err := ReadCheckpoint(b.dir)
			if err != nil {
				b.t.Fatal(err)
			}
			stolen, err := parseKey(0, old)
			if err != nil {
				b.t.Fatal(err)
			}
			cp.Time = cp.Time.Add(time.Second)
			if err := cp.sign(stolen.signer); err != nil {
				b.t.Fatal(err)
			}
			b.put(CheckpointName, cp.text)
		}, "old-key"},
		{"what the old epoch signed of a segment that was active then, all after it signed with the present key", func(b *box) {
			editIn(b, 3)
			resign(b, 4, secret(b.t, b))
		}, "rewritten"},
		{"all of it, signed with another key from the first line on", func(b *box) { editIn(b, 2); resign(b, 1, otherKey(b)) }, "foreign-key foreign-key"},
		{"all of it, and the key in it too, when none is noted", nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := b.copy(t)
			if row.do == nil {
				editIn(c, 2)
				c.lines(SealsName, func(l []string) []string { return l }) // nothing
				stranger := otherKey(c)
				resign(c, 1, stranger)
				if r := c.verify(VerifyOptions{}); r.Result == ResultOK && r.KeyGiven {
					t.Errorf("Verify without a key says that one was given")
				}
				return
			}
			row.do(c)
			r := c.verify(VerifyOptions{Key: key})
			if got := words(r); got != row.words || r.Result != ResultDamaged {
				t.Errorf("Verify = %s %q, want %q; %+v", r.Result, got, row.words, r.Findings)
			}
		})
	}
}

// editIn changes a line of the i-th segment.
func editIn(b *box, i int) {
	b.lines(segment(i), func(l []string) []string {
		l[9] = strings.Replace(l[9], "record", "recorD", 1)
		return l
	})
}

// resignOld signs the first line, of the old epoch, so that it fits to its segment again.
func resignOld(b *box, old string) {
	stolen, err := parseKey(0, old)
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := readChain(b.path(SealsName), "", "")
	if err != nil {
		b.t.Fatal(err)
	}
	b.lines(SealsName, func(l []string) []string {
		line := c.lines[0]
		line.SHA256 = hashHex(b.read(segment(1)))
		out, err := line.sign(stolen.signer)
		if err != nil {
			b.t.Fatal(err)
		}
		l[0] = string(out) + "\n"
		return l
	})
}

func TestRetire(t *testing.T) {
	b := filled(t)
	key, err := Key(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	b = openBox(t, b.dir, Options{})
	if err := b.k.Retire(t.Context(), "age", segment(4)); err == nil || !strings.Contains(err.Error(), "not sealed") {
		t.Errorf("Retire of the active segment = %v, want an error", err)
	}
	if err := b.k.Retire(t.Context(), "age", segment(1), segment(2)); err != nil {
		t.Fatal(err)
	}
	b.remove(segment(1))
	r := b.verify(VerifyOptions{Key: key}) // between the two removals
	if r.Result != ResultOK || r.Retired != 2 || len(r.Findings) != 1 || r.Findings[0].Word != WordRetired {
		t.Errorf("Verify in the middle of retention = %s with %+v, want ok and a notice of the one that is still here", r.Result, r.Findings)
	}
	b.remove(segment(2))
	b.close()
	r = b.verify(VerifyOptions{Key: key})
	wantOK(t, "retired", r)
	if r.Retired != 2 || r.Segments != 1 {
		t.Errorf("Verify = %d retired and %d segments, want 2 and 1", r.Retired, r.Segments)
	}
	b.remove(segment(3)) // by hand
	if r := b.verify(VerifyOptions{Key: key}); words(r) != "missing" {
		t.Errorf("removed by hand: %q, want missing", words(r))
	}
}

// TestChangedWhileAway changes the log while nobody looks; the next start must not sign it as if nothing were.
func TestChangedWhileAway(t *testing.T) {
	b := filled(t)
	key, err := Key(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	editIn(b, 4)
	b = openBox(t, b.dir, Options{})
	b.close()
	if !strings.Contains(b.logs.String(), "somebody changed it") {
		t.Errorf("nothing of it is logged: %s", b.logs.String())
	}
	b = openBox(t, b.dir, Options{}) // it is told once
	b.write(2)
	b.seal()
	b.close()
	r := b.verify(VerifyOptions{Key: key})
	if words(r) != "changed" || r.Result != ResultDamaged {
		t.Errorf("Verify = %q, want changed, once; %+v", words(r), r.Findings)
	}
	if n := strings.Count(string(b.read(segment(4))), `"action":"log.changed"`); n != 1 {
		t.Errorf("%d records of it, want 1", n)
	}
}

// TestChangedAfterAnEpoch changes what two signatures cover, the end of an epoch and the checkpoint: it is told once.
func TestChangedAfterAnEpoch(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{})
	b.write(20)
	b.k.o.EpochAge = 1
	must(t, b.k.CatchUp(t.Context()))
	b.k.o.EpochAge = time.Hour
	b.write(5)
	b.close()
	b.lines("00000000000000000001.jsonl", func(l []string) []string {
		l[3] = strings.Replace(l[3], "record", "recorD", 1)
		return l
	})
	for range 3 {
		b = openBox(t, b.dir, Options{})
		b.close()
	}
	b = openBox(t, b.dir, Options{})
	b.write(1)
	b.seal()
	b.close()
	if r := b.verify(VerifyOptions{}); words(r) != "changed" {
		t.Errorf("Verify = %q, want changed, once; %+v", words(r), r.Findings)
	}
	cp, err := ReadCheckpoint(b.dir)
	if must(t, err); cp.Tail != nil {
		t.Errorf("the checkpoint speaks of the active segment %+v, of which there is nothing yet", cp.Tail)
	}
}

// TestCutWhileAway cuts the active segment.
func TestCutWhileAway(t *testing.T) {
	b := filled(t)
	b.lines(segment(4), func(l []string) []string { return l[:7] })
	b = openBox(t, b.dir, Options{})
	b.close()
	if r := b.verify(VerifyOptions{}); words(r) != "changed" {
		t.Errorf("Verify = %q, want changed; %+v", words(r), r.Findings)
	} else if !strings.Contains(r.Findings[0].Text, "the end was cut off") || !strings.Contains(string(b.read(segment(4))), "is gone: shiplog had signed") {
		t.Errorf("Verify and the log say %q and %s, want that the end was cut off", r.Findings[0].Text, b.read(segment(4)))
	}
}

// TestChainThatCannotBeContinued opens directories in which the chain does not go on. It is set aside, said, and a new
// one is begun under a new key, so that who noted the old key learns of it. Who has no key learns of it when the old
// chain was damaged, not when only its private key is not there.
func TestChainThatCannotBeContinued(t *testing.T) {
	master := filled(t)
	key, err := Key(master.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		do     func(b *box)
		reason string
	}{
		{"a copy without keys", func(b *box) { must(b.t, os.RemoveAll(filepath.Join(b.dir, "keys"))) }, "private key of epoch 0 is not here"},
		{"another key", func(b *box) {
			must(b.t, os.WriteFile(filepath.Join(b.dir, "keys", keyName(0)), []byte(otherKey(b)), 0o600))
		}, "private key of epoch 0 is not here"},
		{"a line of the seals was changed", func(b *box) { editIn(b, 2); reseal(b) }, "line 2 of SEALS.jsonl"},
		{"the last seal is gone", func(b *box) {
			b.lines(SealsName, func(l []string) []string { return l[:2] })
		}, "has 2 lines, and the checkpoint was signed over 3"},
		{"all seals are gone", func(b *box) { b.remove(SealsName) }, "has 0 lines"},
		{"seals and checkpoint are gone", func(b *box) { b.remove(SealsName, CheckpointName) }, "are gone, although a key"},
		{"the checkpoint is nonsense", func(b *box) { b.put(CheckpointName, []byte("x")) }, "checkpoint"},
		{"the seals are nonsense", func(b *box) { b.put(SealsName, []byte("x\n")) }, "no line of seals"},
		{"the seals are one endless line", func(b *box) { b.put(SealsName, make([]byte, 1<<20)) }, "longer than"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := master.copy(t)
			row.do(b)
			b = openBox(t, b.dir, Options{})
			b.close()
			if !strings.Contains(b.logs.String(), row.reason) {
				t.Errorf("log = %s, want a word of %q", b.logs.String(), row.reason)
			}
			want := "begun-anew"
			if strings.Contains(row.reason, "private key") {
				want = ""
			}
			r := b.verify(VerifyOptions{})
			if words(r) != want || r.Late != 3 {
				t.Errorf("Verify = %s %q with %d late, want %q with 3", r.Result, words(r), r.Late, want)
			}
			if r := b.verify(VerifyOptions{Key: key}); r.Result != ResultDamaged || !strings.Contains(words(r), "foreign-key") {
				t.Errorf("Verify with the key of before = %q, want foreign-key", words(r))
			}
			if n := strings.Count(string(b.read(segment(4))), "log.seals_begun"); n != 1 {
				t.Errorf("%d records of it, want 1", n)
			}
			b = openBox(t, b.dir, Options{})
			b.write(1)
			b.close()
			if r := b.verify(VerifyOptions{}); words(r) != want {
				t.Errorf("after another start: %q, want %q", words(r), want)
			}
			fresh, err := Key(b.dir)
			must(t, err)
			if r := b.verify(VerifyOptions{Key: fresh}); r.Result != ResultOK {
				t.Errorf("with the new key: %q, want ok", words(r))
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFromTellsOfTheEarlierChain holds that the first line of a new chain names the one that was set aside.
func TestFromTellsOfTheEarlierChain(t *testing.T) {
	b := filled(t)
	was, err := ReadCheckpoint(b.dir)
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(b.dir, "keys")))
	b = openBox(t, b.dir, Options{Host: "other"})
	b.close()
	c, err := readChain(b.path(SealsName), "", "")
	must(t, err)
	if f := c.lines[0].From; f == nil || f.Origin != was.Origin || f.Size != 3 || f.Root != was.Root.String() || f.Key != was.Key {
		t.Errorf("From = %+v, want %s of 3 lines", f, was.Origin)
	}
	if !strings.HasPrefix(c.origin, "shiplog/other-") {
		t.Errorf("origin = %s, want one of this host", c.origin)
	}
	if _, err := os.Stat(b.path(SealsName + ".1.old")); err != nil {
		t.Error(err)
	}
	r := b.verify(VerifyOptions{})
	if len(r.Findings) != 1 || r.Findings[0].Word != WordBegunAnew {
		t.Errorf("Findings = %+v, want begun-anew", r.Findings)
	}
}

// TestChangedBetweenTwoChains changes a segment in a copy without keys, which is then continued. The new chain seals
// what it finds; the one before it still tells.
func TestChangedBetweenTwoChains(t *testing.T) {
	b := filled(t)
	must(t, os.RemoveAll(filepath.Join(b.dir, "keys")))
	editIn(b, 2)
	b = openBox(t, b.dir, Options{})
	b.close()
	r := b.verify(VerifyOptions{})
	if words(r) != "changed" || r.Findings[0].File != segment(2) {
		t.Errorf("Verify = %q, want changed; %+v", words(r), r.Findings)
	}
}

// TestAnotherHostWithTheKeys continues a copy with its keys: the chain goes on, and its lines name the host.
func TestAnotherHostWithTheKeys(t *testing.T) {
	b := filled(t)
	key, err := Key(b.dir)
	must(t, err)
	b = openBox(t, b.dir, Options{Host: "new"})
	b.write(2)
	b.seal()
	b.close()
	if !strings.Contains(b.logs.String(), "another host") {
		t.Errorf("log = %s, want a warning", b.logs.String())
	}
	wantOK(t, "continued", b.verify(VerifyOptions{Key: key}))
	if text := string(b.read(SealsName)); strings.Count(text, `"host":"new"`) != 1 {
		t.Errorf("SEALS.jsonl = %s, want the host in the last line", text)
	}
}

// TestNewerVersionIsLeftAlone opens a chain of a later version, which must be neither continued nor set aside.
func TestNewerVersionIsLeftAlone(t *testing.T) {
	b := filled(t)
	text := strings.ReplaceAll(string(b.read(SealsName)), `{"v":1,`, `{"v":2,`)
	b.put(SealsName, []byte(text))
	b = openBox(t, b.dir, Options{})
	if err := b.k.Close(); !errors.Is(err, format.ErrVersion) {
		t.Errorf("Close = %v, want ErrVersion", err)
	}
	b.kill()
	if string(b.read(SealsName)) != text {
		t.Error("the chain was changed")
	}
	if _, err := Verify(t.Context(), b.dir, VerifyOptions{}); !errors.Is(err, format.ErrVersion) {
		t.Errorf("Verify = %v, want ErrVersion", err)
	}
}

// TestTwoHistoriesUnderOneKey lets a log and a copy of it with the keys go on apart. Each is right in itself; a
// checkpoint of one shows that the other is another history.
func TestTwoHistoriesUnderOneKey(t *testing.T) {
	b := filled(t)
	key, err := Key(b.dir)
	must(t, err)
	other := b.copy(t)
	for _, b := range []*box{b, other} {
		goOn := openBox(t, b.dir, Options{})
		goOn.write(3)
		goOn.seal()
		goOn.close()
		wantOK(t, "each in itself", b.verify(VerifyOptions{Key: key}))
	}
	witness, err := ReadCheckpoint(other.dir)
	must(t, err)
	if r := b.verify(VerifyOptions{Key: key, At: witness}); words(r) != "missing rewritten" && words(r) != "rewritten" {
		t.Errorf("with a checkpoint of the other: %q, want rewritten", words(r))
	}
	b.put(CheckpointName, other.read(CheckpointName))
	if r := b.verify(VerifyOptions{Key: key}); words(r) != "rewritten" {
		t.Errorf("with the checkpoint of the other in place: %q, want rewritten", words(r))
	}
	b = openBox(t, b.dir, Options{})
	b.close()
	if !strings.Contains(b.logs.String(), "not what the checkpoint was signed over") {
		t.Errorf("log = %s, want the chain set aside", b.logs.String())
	}
}
