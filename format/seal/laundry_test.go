package seal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAStartHidesNothing does something to a log that is stopped, starts it and stops it again: what Verify said
// before, or the same thing by another word, it says after.
func TestAStartHidesNothing(t *testing.T) {
	master := filled(t)
	for _, row := range []struct {
		name   string
		do     func(b *box)
		before string
		after  string
	}{
		{"nothing", func(*box) {}, "", ""},
		{"the checkpoint is removed", func(b *box) { b.remove(CheckpointName) }, "no-checkpoint", "no-checkpoint"},
		{"the end is cut off, and the checkpoint with it", func(b *box) {
			b.lines(segment(4), func(l []string) []string { return l[:5] })
			b.remove(CheckpointName)
		}, "no-checkpoint", "no-checkpoint"},
		{"the last segment is removed, with its seal and the checkpoint", func(b *box) {
			b.lines(SealsName, func(l []string) []string { return l[:2] })
			b.remove(segment(3), segment(4), CheckpointName)
		}, "no-checkpoint", "appended no-checkpoint"},
		{"the seals and the checkpoint are removed", func(b *box) { b.remove(SealsName, CheckpointName) }, "not sealed", "begun-anew"},
		{"the seals are removed", func(b *box) { b.remove(SealsName) }, "seals-cut unsealed unsealed unsealed", "begun-anew"},
		{"a segment and its seal are removed", func(b *box) {
			b.lines(SealsName, func(l []string) []string { return append(l[:1], l[2:]...) })
			b.remove(segment(2))
		}, "seals-cut seals-cut", "begun-anew"},
		{"the first segment is removed and the seals are spoiled", func(b *box) {
			b.put(SealsName, append([]byte("x"), b.read(SealsName)...))
			b.remove(segment(1))
		}, "seal-edited", "begun-anew"},
		{"a line is edited and the checkpoint is spoiled", func(b *box) {
			edit(7)(b)
			b.put(CheckpointName, []byte("nonsense"))
		}, "edited checkpoint-edited", "changed begun-anew"},
		{"a segment is removed and the checkpoint is spoiled", func(b *box) {
			b.remove(segment(1))
			b.put(CheckpointName, []byte("nonsense"))
		}, "missing checkpoint-edited", "missing begun-anew"},
		{"the private key is removed, as in a copy that was given away", func(b *box) {
			must(b.t, os.RemoveAll(filepath.Join(b.dir, "keys")))
		}, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := master.copy(t)
			row.do(b)
			before := "not sealed"
			if _, err := Verify(t.Context(), b.dir, VerifyOptions{now: true}); !errors.Is(err, ErrNotSealed) {
				before = words(b.verify(VerifyOptions{}))
			}
			if before != row.before {
				t.Errorf("before the start Verify = %q, want %q", before, row.before)
			}
			for range 2 {
				next := openBox(t, b.dir, Options{})
				next.write(1)
				next.close()
			}
			r := b.verify(VerifyOptions{})
			if got := words(r); got != row.after {
				t.Errorf("after two starts Verify = %q, want %q; %+v", got, row.after, r.Findings)
			}
			if !strings.Contains(row.after, "begun-anew") {
				return
			}
			// Who noted the new key knows that it is one.
			key, err := Key(b.dir)
			must(t, err)
			if got := words(b.verify(VerifyOptions{Key: key})); strings.Contains(got, "begun-anew") {
				t.Errorf("with the new key Verify = %q, want no begun-anew", got)
			}
		})
	}
}

// TestSealsThatAreGoneAreMissed removes all that could be compared with. Who noted a key or a checkpoint knows that
// there was something.
func TestSealsThatAreGoneAreMissed(t *testing.T) {
	b := filled(t)
	key, err := Key(b.dir)
	must(t, err)
	at, err := ReadCheckpoint(b.dir)
	must(t, err)
	b.remove(SealsName, CheckpointName)
	for name, o := range map[string]VerifyOptions{"with the key": {Key: key}, "with a checkpoint": {At: at}} {
		r := b.verify(o)
		if got := words(r); r.Result != ResultDamaged || !strings.HasPrefix(got, "no-checkpoint") && !strings.HasPrefix(got, "rolled-back") {
			t.Errorf("%s: Verify = %s %q, want damage: no-checkpoint or rolled-back", name, r.Result, got)
		}
	}
	if _, err := Verify(t.Context(), b.dir, VerifyOptions{}); !errors.Is(err, ErrNotSealed) {
		t.Errorf("with neither: Verify = %v, want ErrNotSealed", err)
	}
	noted := &Checkpoint{Size: at.Size, Root: at.Root}
	if _, err := Verify(t.Context(), b.dir, VerifyOptions{At: noted}); err == nil || errors.Is(err, ErrNotSealed) || !strings.Contains(err.Error(), "removed") {
		t.Errorf("with size and root alone: Verify = %v, want that they were removed", err)
	}
}

// TestWhatCannotBeReadNow holds that a file which the system does not give for the moment is no reason for another key.
func TestWhatCannotBeReadNow(t *testing.T) {
	var had syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &had))
	for name, away := range map[string]func(b *box, is bool){
		"no more files can be opened": func(b *box, is bool) {
			limit := had
			if is {
				limit.Cur = 3
			}
			must(b.t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		},
		"the checkpoint is on a disk that is away": func(b *box, is bool) {
			link := filepath.Join(segment(1), "nowhere") // there is no folder of this name: an error of the system
			if is {
				b.rename(CheckpointName, "kept")
				must(b.t, os.Symlink(link, b.path(CheckpointName)))
				return
			}
			b.rename("kept", CheckpointName)
		},
		"the keys are": func(b *box, is bool) {
			keys := filepath.Join(b.dir, "keys")
			if is {
				must(b.t, os.Rename(keys, keys+".kept"))
				must(b.t, os.WriteFile(keys, nil, 0o600))
				return
			}
			must(b.t, os.Remove(keys))
			must(b.t, os.Rename(keys+".kept", keys))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBox(t, t.TempDir(), Options{})
			key := b.k.NewKey()
			b.write(3)
			b.seal()
			b.k.chain = nil // as after an error
			away(b, true)
			err := b.k.CatchUp(t.Context())
			away(b, false)
			if err == nil {
				t.Error("CatchUp meanwhile does not fail")
			}
			must(t, b.k.CatchUp(t.Context()))
			b.close()
			if now, err := Key(b.dir); err != nil || now != key {
				t.Errorf("afterwards the key is %s, %v, want that of before, %s", now, err, key)
			}
		})
	}
}

// TestACheckpointThatLeadsToItself is one that can never be read: it is set aside.
func TestACheckpointThatLeadsToItself(t *testing.T) {
	b := filled(t)
	b.remove(CheckpointName)
	must(t, os.Symlink(CheckpointName, b.path(CheckpointName)))
	b = openBox(t, b.dir, Options{})
	b.close()
	if r := b.verify(VerifyOptions{}); words(r) != "begun-anew" {
		t.Errorf("Verify = %q, want begun-anew", words(r))
	}
}

// TestAKeyThatIsMadeLaterIsTold lets the first start fail to make a key.
func TestAKeyThatIsMadeLaterIsTold(t *testing.T) {
	broken := true
	o := Options{}
	o.step = func(step string) error {
		if broken && step == "create key" {
			return errKilled
		}
		return nil
	}
	b := openBox(t, t.TempDir(), o)
	if b.k.NewKey() != "" {
		t.Fatal("a key was made")
	}
	broken = false
	b.write(1)
	must(t, b.k.CatchUp(t.Context()))
	key, err := Key(b.dir)
	must(t, err)
	if !strings.Contains(b.logs.String(), key) {
		t.Errorf("the log lines are %q, want the key %s in them", b.logs.String(), key)
	}
	b.close()
}

// TestVerifyWithoutTheCheckpoint holds that a checkpoint which the system does not give is not called an edited one.
func TestVerifyWithoutTheCheckpoint(t *testing.T) {
	for _, sealed := range []int{0, 1} {
		b := openBox(t, t.TempDir(), Options{})
		for range sealed {
			b.write(3)
			b.seal()
		}
		b.write(3)
		b.close()
		key, err := Key(b.dir)
		must(t, err)
		b.remove(CheckpointName)
		must(t, os.Symlink(filepath.Join(segment(1), "nowhere"), b.path(CheckpointName)))
		r := b.verify(VerifyOptions{Key: key})
		if r.Result != ResultUnknown || words(r) != "unreadable" {
			t.Errorf("%d sealed: Verify = %s %q, want unreadable", sealed, r.Result, words(r))
		}
		_, err = Verify(t.Context(), b.dir, VerifyOptions{now: true})
		if wrong := sealed == 0; wrong != errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%d sealed: Verify without a key = %v, want an error of the system: %v", sealed, err, wrong)
		}
	}
}

// TestALongChainIsFollowedByAnother fills a chain to the number of lines that Verify reads at most.
func TestALongChainIsFollowedByAnother(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{lines: 6})
	key, old := b.k.NewKey(), ""
	for range 6 {
		name, _ := b.w.Active()
		if old != "" {
			must(t, b.k.Retire(t.Context(), "age", old))
			b.remove(old, old+blockSuffix)
		}
		b.write(2)
		if name == "" {
			name, _ = b.w.Active()
		}
		b.seal()
		old = name
	}
	b.close()
	now, err := Key(b.dir)
	if must(t, err); now == key || !strings.Contains(b.logs.String(), now) {
		t.Errorf("the key is %s as before, or is not in the log lines %s", now, b.logs.String())
	}
	r := b.verify(VerifyOptions{})
	if r.Result != ResultOK || r.Segments != 1 || len(r.Findings) != 1 || r.Findings[0].Word != WordBegunAnew {
		t.Errorf("Verify = %s with %d segments and %+v, want ok with 1, and begun-anew as a notice", r.Result, r.Segments, r.Findings)
	}
}
